import { assertEquals, assertThrows } from "@std/assert";
import { crc32c } from "../../core/bytes/mod.ts";
import { buildBatch } from "../../core/protocol/batch_builder.ts";
import { ErrorCode, type ErrorCodeValue, errorInfo } from "../../core/protocol/errors.ts";
import {
  attributesOf,
  BATCH_HEADER_BYTES,
  BatchHeader,
  compressionOf,
  isControl,
  isLogAppendTime,
  isTransactional,
  readBatchHeader,
  stampBatch,
  stampCrc,
  stampLogAppendTime,
  validateBatch,
} from "../../core/protocol/record_batch.ts";
import { readRecords } from "../../core/protocol/records.ts";
import { encodeHex } from "./hex.ts";
import { askKafka, haveOracle } from "./oracle/oracle.ts";

const text = new TextEncoder();

function sample(): Uint8Array {
  const records = ["a", "b", "c"].map((value) => ({ value: text.encode(value) }));
  return buildBatch({ records, baseTimestampMs: 1_700_000_000_000 });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The error of a produce request with `bytes`; NONE when they are accepted. */
function verdict(bytes: Uint8Array, version = 9): ErrorCodeValue {
  const header = new BatchHeader();
  const fault = validateBatch(bytes, viewOf(bytes), 0, bytes.length, version, header);
  return fault?.errorCode ?? ErrorCode.NONE;
}

/** A sample, changed and given a CRC that fits. */
function changed(change: (view: DataView) => void): Uint8Array {
  const bytes = sample();
  change(viewOf(bytes));
  stampCrc(bytes, viewOf(bytes), 0, bytes.length);
  return bytes;
}

/** What Kafka and we look at before the log does: lengths, format, codec, CRC. */
const FRAMING_CASES: readonly [what: string, bytes: Uint8Array, version: number, ErrorCodeValue][] =
  [
    ["a good batch", sample(), 9, ErrorCode.NONE],
    ["no bytes", new Uint8Array(0), 9, ErrorCode.INVALID_RECORD],
    ["less than a length field", sample().subarray(0, 11), 9, ErrorCode.INVALID_RECORD],
    ["less than a magic byte", sample().subarray(0, 16), 9, ErrorCode.INVALID_RECORD],
    ["a cut off batch", sample().subarray(0, -1), 9, ErrorCode.INVALID_RECORD],
    ["a tiny length", changed((v) => v.setInt32(8, 13)), 9, ErrorCode.CORRUPT_MESSAGE],
    ["a negative length", changed((v) => v.setInt32(8, -1)), 9, ErrorCode.CORRUPT_MESSAGE],
    ["format 0", changed((v) => v.setInt8(16, 0)), 9, ErrorCode.INVALID_RECORD],
    ["format 1", changed((v) => v.setInt8(16, 1)), 9, ErrorCode.INVALID_RECORD],
    ["format 3", changed((v) => v.setInt8(16, 3)), 9, ErrorCode.CORRUPT_MESSAGE],
    ["format -1", changed((v) => v.setInt8(16, -1)), 9, ErrorCode.CORRUPT_MESSAGE],
    ["two batches", new Uint8Array([...sample(), ...sample()]), 9, ErrorCode.INVALID_RECORD],
    ["a wrong CRC", sample().with(70, 0xff), 9, ErrorCode.CORRUPT_MESSAGE],
    ["zstd in v6", changed((v) => v.setInt16(21, 4)), 6, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE],
    ["zstd in v7", changed((v) => v.setInt16(21, 4)), 7, ErrorCode.NONE],
    [
      "a length shorter than the header",
      changed((v) => v.setInt32(8, 40)).subarray(0, 52),
      9,
      ErrorCode.CORRUPT_MESSAGE,
    ],
  ];

Deno.test("validateBatch() answers broken framing with Kafka's errors", () => {
  for (const [what, bytes, version, expected] of FRAMING_CASES) {
    assertEquals(errorInfo(verdict(bytes, version)).name, errorInfo(expected).name, what);
  }
});

Deno.test({
  name: "validateBatch() cases have the errors that kafka-clients gives them",
  ignore: !haveOracle,
  async fn() {
    const answers = await askKafka<string>(
      FRAMING_CASES.map(([, bytes, version]) => ({
        ask: "validate" as const,
        version,
        hex: encodeHex(bytes),
      })),
    );
    FRAMING_CASES.forEach(([what, , , expected], index) => {
      assertEquals(answers[index], errorInfo(expected).name, what);
    });
  },
});

Deno.test("validateBatch() refuses headers that contradict themselves or the protocol", () => {
  const cases: [string, (view: DataView) => void, ErrorCodeValue][] = [
    ["base offset", (view) => view.setInt32(4, 7), ErrorCode.INVALID_RECORD],
    ["record count 0", (view) => view.setInt32(57, 0), ErrorCode.INVALID_RECORD],
    ["record count -1", (view) => view.setInt32(57, -1), ErrorCode.INVALID_RECORD],
    ["last offset delta", (view) => view.setInt32(23, 3), ErrorCode.INVALID_RECORD],
    ["unknown codec", (view) => view.setInt16(21, 5), ErrorCode.INVALID_RECORD],
    ["control", (view) => view.setInt16(21, 0x20), ErrorCode.INVALID_RECORD],
    ["no sequence", (view) => view.setBigInt64(43, 5n), ErrorCode.INVALID_RECORD],
    ["LogAppendTime", (view) => view.setInt16(21, 8), ErrorCode.INVALID_TIMESTAMP],
  ];
  for (const [what, change, expected] of cases) {
    assertEquals(verdict(changed(change)), expected, what);
  }
});

Deno.test("validateBatch() reads a batch inside of a larger buffer", () => {
  const batch = sample();
  const buffer = new Uint8Array(batch.length + 20).fill(7);
  buffer.set(batch, 10);
  const header = new BatchHeader();
  const end = 10 + batch.length;
  assertEquals(validateBatch(buffer, viewOf(buffer), 10, end, 9, header), undefined);
  assertEquals(header.recordCount, 3);
});

Deno.test("readBatchHeader() reads each field from its place", () => {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + 3);
  const view = viewOf(bytes);
  view.setBigInt64(3, 2n ** 52n + 3n);
  view.setInt32(3 + 8, 49);
  view.setInt32(3 + 12, -1);
  view.setInt8(3 + 16, 2);
  view.setUint32(3 + 17, 0xfedcba98);
  view.setInt16(3 + 21, 0x35);
  view.setInt32(3 + 23, 99);
  view.setBigInt64(3 + 27, -1n);
  view.setBigInt64(3 + 35, 1_700_000_000_001n);
  view.setBigInt64(3 + 43, 4_000_000_007n);
  view.setInt16(3 + 51, 12);
  view.setInt32(3 + 53, 77);
  view.setInt32(3 + 57, 100);
  const header = new BatchHeader();
  readBatchHeader(view, 3, header);
  assertEquals({ ...header }, {
    baseOffset: 2 ** 52 + 3,
    batchLength: 49,
    partitionLeaderEpoch: -1,
    magic: 2,
    crc: 0xfedcba98,
    attributes: 0x35,
    lastOffsetDelta: 99,
    baseTimestamp: -1,
    maxTimestamp: 1_700_000_000_001,
    producerId: 4_000_000_007,
    producerEpoch: 12,
    baseSequence: 77,
    recordCount: 100,
  });
});

Deno.test("attributesOf() and its readers agree", () => {
  const attributes = attributesOf({ compression: "zstd", transactional: true, control: true });
  assertEquals(compressionOf(attributes), "zstd");
  assertEquals(
    [isTransactional(attributes), isControl(attributes), isLogAppendTime(attributes)],
    [true, true, false],
  );
  assertEquals(compressionOf(5), undefined);
});

Deno.test("stampBatch() leaves the CRC valid", () => {
  const bytes = sample();
  stampBatch(viewOf(bytes), 0, 123_456_789_012, 7);
  const header = new BatchHeader();
  readBatchHeader(viewOf(bytes), 0, header);
  assertEquals([header.baseOffset, header.partitionLeaderEpoch], [123_456_789_012, 7]);
  assertEquals(header.crc, crc32c(bytes, 21));
  assertEquals([...readRecords(bytes)].map((record) => record.offset), [
    123_456_789_012,
    123_456_789_013,
    123_456_789_014,
  ]);
});

Deno.test("stampLogAppendTime() sets time, type and a CRC that fits", () => {
  const bytes = sample();
  stampLogAppendTime(bytes, viewOf(bytes), 0, bytes.length, 1_800_000_000_000);
  const header = new BatchHeader();
  readBatchHeader(viewOf(bytes), 0, header);
  assertEquals(header.crc, crc32c(bytes, 21));
  assertEquals(
    [...readRecords(bytes)].map((record) => record.timestampMs),
    [1_800_000_000_000, 1_800_000_000_000, 1_800_000_000_000],
  );
});

Deno.test("buildBatch() refuses a batch without records", () => {
  assertThrows(() => buildBatch({ records: [], baseTimestampMs: 0 }));
});
