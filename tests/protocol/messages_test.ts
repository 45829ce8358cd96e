import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { concat, Reader, Writer } from "../../core/bytes/mod.ts";
import type { AnyApi, Codec } from "../../core/protocol/api.ts";
import { apiByKey, apis } from "../../core/protocol/apis.ts";
import { fetch } from "../../core/protocol/messages/01_fetch.ts";
import { metadata } from "../../core/protocol/messages/03_metadata.ts";
import { heartbeat } from "../../core/protocol/messages/12_heartbeat.ts";
import { produce } from "../../core/protocol/messages/00_produce.ts";
import { defaultsOf, type Fields, schemaOf } from "../../core/protocol/schema.ts";
import { Prng } from "../simulation/prng.ts";
import { randomMessage } from "./random_message.ts";

const MESSAGES_PER_VERSION = 12;

/** Both directions of every version of every API. */
function* everyMessage(): Generator<
  { api: AnyApi; version: number; codec: Codec<unknown>; fields: Fields; label: string }
> {
  for (const api of apis) {
    const schema = schemaOf(api)!;
    for (let version = api.minVersion; version <= api.maxVersion; version++) {
      for (const side of ["request", "response"] as const) {
        const label = `${api.name} ${side} v${version}`;
        yield { api, version, codec: api[side], fields: schema[side], label };
      }
    }
  }
}

function bytesOf(codec: Codec<unknown>, value: unknown, version: number): Uint8Array {
  const writer = new Writer();
  codec.write(writer, value as object, version);
  return writer.toBytes();
}

Deno.test("Codec reads back what it wrote, for every API and version", () => {
  const prng = new Prng("codec round trip");
  for (const { codec, fields, version, label } of everyMessage()) {
    for (let round = 0; round < MESSAGES_PER_VERSION; round++) {
      const message = randomMessage(fields, version, prng);
      const bytes = bytesOf(codec, message, version);
      const reader = new Reader(bytes);
      const read = codec.read(reader, version);
      assertEquals(read, message, label);
      assertEquals(reader.remaining, 0, label);
      assertEquals(bytesOf(codec, read, version), bytes, label);
    }
  }
});

Deno.test("Codec.write() gives missing fields their defaults, at every version", () => {
  for (const { codec, fields, version, label } of everyMessage()) {
    const bytes = bytesOf(codec, {}, version);
    assertEquals(codec.read(new Reader(bytes), version), defaultsOf(fields), label);
  }
});

Deno.test("Codec.read() throws MalformedError at every length that is too short", () => {
  const prng = new Prng("codec truncation");
  for (const { codec, fields, version, label } of everyMessage()) {
    const bytes = bytesOf(codec, randomMessage(fields, version, prng), version);
    for (let length = 0; length < bytes.length; length++) {
      const error = assertThrows(() => codec.read(new Reader(bytes, 0, length), version), label);
      assertEquals((error as Error).name, "MalformedError", label);
    }
  }
});

Deno.test("Codec.write() ignores fields that the version lacks", () => {
  const withIds = { topics: [{ topicId: "AAAAAAAAAAAAAAAAAAAAAQ", name: "t" }] };
  assertEquals(
    bytesOf(metadata.request, withIds, 9),
    bytesOf(metadata.request, { topics: [{ name: "t" }] }, 9),
  );
});

Deno.test("Codec.write() writes null as empty in versions that have no null", () => {
  const response = { topics: [{ name: null, errorCode: 3 }] };
  const read = metadata.response.read(new Reader(bytesOf(metadata.response, response, 5)), 5);
  assertEquals(read.topics[0]!.name, "");
});

Deno.test("Codec.read() passes over tagged fields that it doesn't know", () => {
  const bytes = bytesOf(heartbeat.request, { groupId: "g", memberId: "m" }, 4);
  const tagged = concat([bytes.subarray(0, -1), new Uint8Array([2, 5, 1, 9, 200, 1, 2, 8, 8])]);
  const reader = new Reader(tagged);
  assertEquals(heartbeat.request.read(reader, 4).groupId, "g");
  assertEquals(reader.remaining, 0);
});

Deno.test("Codec.read() refuses a known tagged field of another size than stated", () => {
  const bytes = bytesOf(fetch.request, { clusterId: "abc" }, 12);
  const at = bytes.length - 6;
  assertEquals([...bytes.subarray(at)], [0, 4, 4, 97, 98, 99]);
  bytes[at + 1] = 5;
  const longer = concat([bytes, new Uint8Array(1)]);
  assertThrows(() => fetch.request.read(new Reader(longer), 12));
});

Deno.test("Codec.read() refuses counts above the bytes at hand before it builds anything", () => {
  const frame = new Uint8Array(40);
  const view = new DataView(frame.buffer);
  view.setInt32(0, 0x7fffffff);
  const error = assertThrows(() => metadata.request.read(new Reader(frame), 1)) as Error;
  assertEquals(error.message, "array has more elements than bytes");
});

Deno.test("Codec.read() refuses more elements than a message may have", () => {
  const writer = new Writer();
  const topics = Array.from({ length: 500_001 }, () => ({ name: "" }));
  metadata.request.write(writer, { topics }, 1);
  const error = assertThrows(() => metadata.request.read(new Reader(writer.toBytes()), 1));
  assertEquals((error as Error).message, "message has too many elements");
});

Deno.test("produce.request.read() gives records as a view of the frame", () => {
  const records = new Uint8Array([1, 2, 3]);
  const topicData = [{ name: "t", partitionData: [{ index: 0, records }] }];
  for (const version of [3, 9]) {
    const frame = bytesOf(produce.request, { topicData }, version);
    const read = produce.request.read(new Reader(frame), version);
    const view = read.topicData[0]!.partitionData[0]!.records!;
    assertEquals(view, records);
    assertStrictEquals(view.buffer, frame.buffer);
  }
});

Deno.test("fetch.response.write() splices records in without copying them", () => {
  const parts = [new Uint8Array([1, 2]), new Uint8Array([3])];
  const writer = new Writer();
  const responses = [{ topic: "t", partitions: [{ partitionIndex: 0, records: parts }] }];
  fetch.response.write(writer, { responses }, 12);
  const list = writer.finish();
  assert(list.includes(parts[0]!) && list.includes(parts[1]!));
  const read = fetch.response.read(new Reader(concat(list)), 12);
  assertEquals(read.responses[0]!.partitions[0]!.records, [new Uint8Array([1, 2, 3])]);
});

Deno.test("Codec refuses a version that the API lacks", () => {
  assertThrows(() => heartbeat.request.read(new Reader(new Uint8Array(64)), 5));
  assertThrows(() => produce.request.write(new Writer(), {}, 2));
});

Deno.test("apis ascend by key, each key once, and apiByKey() finds them", () => {
  const keys = apis.map((api) => api.key);
  assertEquals(keys, [...new Set(keys)].sort((a, b) => a - b));
  for (const api of apis) assertStrictEquals(apiByKey(api.key), api);
  assertStrictEquals(apiByKey(4), undefined);
});
