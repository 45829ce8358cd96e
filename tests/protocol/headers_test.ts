import { assertEquals, assertThrows } from "@std/assert";
import { concat, Reader, Writer } from "../../core/bytes/mod.ts";
import { apiByKey, apis } from "../../core/protocol/apis.ts";
import { framed, frameSize } from "../../core/protocol/frame.ts";
import {
  readRequestHeader,
  readResponseHeader,
  writeRequestHeader,
  writeResponseHeader,
} from "../../core/protocol/headers.ts";
import { apiVersions } from "../../core/protocol/messages/18_api_versions.ts";
import { heartbeat } from "../../core/protocol/messages/12_heartbeat.ts";

Deno.test("readRequestHeader() reads what writeRequestHeader() wrote, for every API", () => {
  for (const api of apis) {
    for (let apiVersion = api.minVersion; apiVersion <= api.maxVersion; apiVersion++) {
      for (const clientId of [null, "", "größe"]) {
        const header = { apiVersion, correlationId: -7, clientId };
        const writer = new Writer();
        writeRequestHeader(writer, api, header);
        const reader = new Reader(writer.toBytes());
        assertEquals(readRequestHeader(reader, apiByKey), { apiKey: api.key, ...header });
        assertEquals(reader.remaining, 0);
      }
    }
  }
});

Deno.test("readRequestHeader() reads an ApiVersions request of a version to come", () => {
  const bytes = new Uint8Array([0, 18, 0, 99, 0, 0, 0, 5, 0, 1, 97, 0]);
  const header = readRequestHeader(new Reader(bytes), apiByKey);
  assertEquals(header, { apiKey: 18, apiVersion: 99, correlationId: 5, clientId: "a" });
});

Deno.test("readRequestHeader() refuses a negative client id length", () => {
  const bytes = new Uint8Array([0, 18, 0, 0, 0, 0, 0, 5, 0xff, 0xfe]);
  assertThrows(() => readRequestHeader(new Reader(bytes), apiByKey));
});

Deno.test("writeResponseHeader() keeps ApiVersions at version 0", () => {
  for (
    const [api, version, length] of [[apiVersions, 4, 4], [heartbeat, 4, 5], [
      heartbeat,
      3,
      4,
    ]] as const
  ) {
    const writer = new Writer();
    writeResponseHeader(writer, api, version, 9);
    const bytes = writer.toBytes();
    assertEquals(bytes.length, length);
    assertEquals(readResponseHeader(new Reader(bytes), api, version), 9);
  }
});

Deno.test("frameSize() refuses sizes below a header and above the limit", () => {
  const sizeOf = (size: number) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setInt32(2, size);
    return frameSize(view, 2, 1000);
  };
  assertEquals([sizeOf(8), sizeOf(1000)], [8, 1000]);
  for (const size of [-1, 0, 7, 1001, 0x7fffffff, -(2 ** 31)]) assertThrows(() => sizeOf(size));
});

Deno.test("framed() puts the size in front of spliced bytes", () => {
  const body = new Writer();
  body.int8(1);
  body.external(new Uint8Array([2, 3]));
  assertEquals(concat(framed(body)), new Uint8Array([0, 0, 0, 3, 1, 2, 3]));
});
