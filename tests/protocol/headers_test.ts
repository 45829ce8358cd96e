import { assertEquals, assertThrows } from "@std/assert";
import { concat, Reader, Writer } from "../../core/bytes/mod.ts";
import { apis } from "../../core/protocol/apis.ts";
import { framed, frameSize } from "../../core/protocol/frame.ts";
import {
  readResponseHeader,
  requestHeaderIsFlexible,
  writeRequestHeader,
  writeResponseHeader,
} from "../../core/protocol/headers.ts";
import { RequestHeader } from "../../core/protocol/request_header.ts";
import { apiVersions } from "../../core/protocol/messages/18_api_versions.ts";
import { heartbeat } from "../../core/protocol/messages/12_heartbeat.ts";

Deno.test("RequestHeader reads what writeRequestHeader() wrote, for every API", () => {
  const header = new RequestHeader();
  for (const api of apis) {
    for (let apiVersion = api.minVersion; apiVersion <= api.maxVersion; apiVersion++) {
      for (const clientId of [null, "", "größe", "größe"]) {
        const written = { apiVersion, correlationId: -7, clientId };
        const writer = new Writer();
        writeRequestHeader(writer, api, written);
        const reader = new Reader(writer.toBytes());
        header.readStart(reader);
        header.readRest(reader, requestHeaderIsFlexible(api, apiVersion));
        assertEquals({ ...header }, { apiKey: api.key, ...written });
        assertEquals(reader.remaining, 0);
      }
    }
  }
});

Deno.test("RequestHeader.readRest() refuses a negative client id length", () => {
  const reader = new Reader(new Uint8Array([0, 18, 0, 0, 0, 0, 0, 5, 0xff, 0xfe]));
  const header = new RequestHeader();
  header.readStart(reader);
  assertThrows(() => header.readRest(reader, false));
});

Deno.test("RequestHeader.readRest() refuses more tagged fields than a header can have", () => {
  const reader = new Reader(new Uint8Array([0, 18, 0, 4, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0x7f]));
  const header = new RequestHeader();
  header.readStart(reader);
  assertThrows(() => header.readRest(reader, true));
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
