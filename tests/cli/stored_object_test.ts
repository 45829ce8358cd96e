import { assertEquals, assertThrows } from "@std/assert";
import { concat, MalformedError, Writer } from "../../core/bytes/mod.ts";
import { encodeManifest } from "../../core/storage/manifest.ts";
import { encodeIndex, encodeSegment } from "../../core/storage/segment/mod.ts";
import { encodeSlotFooter, encodeSlotHeader, NO_MARK } from "../../core/storage/wal/format.ts";
import { crc32c } from "../../core/bytes/mod.ts";
import { describeObject } from "../../plugins/cli/stored_object.ts";

/** An empty batch of `records` offsets: header only. */
function batch(baseOffset: number, records: number): Uint8Array {
  const covered = new Writer();
  covered.int16(0b10_0100);
  covered.int32(records - 1);
  covered.int64(1000);
  covered.int64(2000);
  covered.int64(77);
  covered.int16(3);
  covered.int32(5);
  covered.int32(records);
  const rest = covered.toBytes();
  const front = new Writer();
  front.int64(baseOffset);
  front.int32(9 + rest.length);
  front.int32(1);
  front.int8(2);
  front.uint32(crc32c(rest));
  return concat([front.toBytes(), rest]);
}

Deno.test("describeObject() shows a segment with its batches", () => {
  const head = { baseOffset: 10, lastOffset: 14, recordCount: 5, createdMs: 99 };
  const bytes = concat(encodeSegment([batch(10, 2), batch(12, 3)], head));
  const { kind, fields } = describeObject(bytes);
  assertEquals(kind, "segment");
  assertEquals([fields.baseOffset, fields.lastOffset, fields.recordCount], [10, 14, 5]);
  assertEquals((fields.batches as unknown[])[1], {
    position: 93,
    length: 61,
    baseOffset: 12,
    lastOffset: 14,
    records: 3,
    leaderEpoch: 1,
    compression: "zstd",
    transactional: false,
    control: true,
    baseTimestampMs: 1000,
    maxTimestampMs: 2000,
    producerId: 77,
    producerEpoch: 3,
    baseSequence: 5,
    crc: "ok",
  });
});

Deno.test("describeObject() shows an index, a manifest and a WAL slot", () => {
  const index = describeObject(encodeIndex([{ baseOffset: 10, position: 32 }], 4096));
  assertEquals(index.fields.entries, [{ baseOffset: 10, position: 32 }]);
  const manifest = describeObject(encodeManifest({
    topicId: "AAAAAAAAAAAAAAAAAAAAAA",
    partition: 3,
    sequence: 1,
    writtenMs: 5,
    coveredOffset: 9,
    logStartOffset: 2,
    leaderEpochs: [{ leaderEpoch: 0, startOffset: 0 }],
    segments: [],
    removed: [],
    producers: [],
    aborted: [],
    merge: undefined,
  }));
  assertEquals([manifest.kind, manifest.fields.partition], ["manifest", 3]);
  const header = encodeSlotHeader("data", new Uint8Array(8));
  const body = batch(10, 2);
  const row = {
    baseOffset: 10,
    lastOffsetDelta: 1,
    position: header.length,
    length: body.length,
    maxTimestampMs: 2000,
    leaderEpoch: 1,
    attributes: 0b10_0100,
    producerId: 77,
    producerEpoch: 3,
    baseSequence: 5,
    object: 0,
  };
  const footer = encodeSlotFooter(header, {
    kind: "data",
    brokerId: 1,
    brokerEpoch: 2,
    slot: 3,
    createdMs: 4,
    objects: [],
    metadata: NO_MARK,
    partitions: [{ topicId: "AAAAAAAAAAAAAAAAAAAAAA", partition: 0, rows: [row] }],
  });
  const slot = describeObject(concat([header, body, footer]));
  assertEquals([slot.kind, slot.fields.slot], ["WAL slot", 3]);
  const [shown] = slot.fields.batches as { lastOffset: number; crc: string }[];
  assertEquals([shown!.lastOffset, shown!.crc], [11, "ok"]);
});

Deno.test("describeObject() refuses what is no stored object, or a damaged one", () => {
  assertThrows(() => describeObject(new TextEncoder().encode("hello")), MalformedError);
  assertThrows(() => describeObject(new Uint8Array()), MalformedError);
  const head = { baseOffset: 10, lastOffset: 11, recordCount: 2, createdMs: 99 };
  const bytes = concat(encodeSegment([batch(10, 2)], head));
  bytes[50]! ^= 1;
  assertThrows(() => describeObject(bytes), MalformedError);
});
