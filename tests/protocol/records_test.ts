import { assert, assertEquals, assertThrows } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { concat, MalformedError } from "../../core/bytes/mod.ts";
import { buildBatch, type NewRecord } from "../../core/protocol/batch_builder.ts";
import { compress, decompress } from "../../core/protocol/compression.ts";
import { type CompressionName, stampCrc } from "../../core/protocol/record_batch.ts";
import {
  batchesOf,
  type LogRecord,
  readRecords,
  recordTimestamps,
} from "../../core/protocol/records.ts";
import { Prng } from "../simulation/prng.ts";
import { decodeHex, encodeHex } from "./hex.ts";
import { askKafka, haveOracle, type OracleRecord, type Question } from "./oracle/oracle.ts";
import { randomBytes } from "./random_message.ts";

const BASE_TIMESTAMP_MS = 1_700_000_000_000;
const CODECS: readonly CompressionName[] = ["none", "gzip", "snappy", "lz4", "zstd"];

function randomRecords(prng: Prng, count: number): NewRecord[] {
  return Array.from({ length: count }, () => ({
    key: prng.chance(0.3) ? null : randomBytes(prng.below(20), prng),
    value: prng.chance(0.2)
      ? null
      : prng.chance(0.5)
      ? new Uint8Array(prng.below(3000)).fill(prng.below(256))
      : randomBytes(prng.below(400), prng),
    timestampMs: BASE_TIMESTAMP_MS + prng.between(-5_000, 5_000_000_000),
    headers: Array.from({ length: prng.below(3) }, (_, index) => ({
      key: `h${index}-größe`,
      value: prng.chance(0.3) ? null : randomBytes(prng.below(10), prng),
    })),
  }));
}

function expected(records: readonly NewRecord[], baseOffset = 0): LogRecord[] {
  return records.map((record, index) => ({
    offset: baseOffset + index,
    timestampMs: record.timestampMs!,
    key: record.key ?? null,
    value: record.value ?? null,
    headers: [...record.headers ?? []],
  }));
}

const hexOf = (bytes: Uint8Array | null | undefined) => bytes ? encodeHex(bytes) : null;

function inHex(record: NewRecord): OracleRecord {
  return {
    timestampMs: record.timestampMs!,
    key: hexOf(record.key),
    value: hexOf(record.value),
    headers: (record.headers ?? []).map(({ key, value }) => ({ key, value: hexOf(value) })),
  };
}

Deno.test("readRecords() gives back what buildBatch() wrote, over several batches", () => {
  const prng = new Prng("records round trip");
  for (const compression of ["none", "gzip", "zstd"] as const) {
    const first = randomRecords(prng, 30);
    const second = randomRecords(prng, 1);
    const bytes = concat([
      buildBatch({ records: first, baseTimestampMs: BASE_TIMESTAMP_MS, compression }),
      buildBatch({ records: second, baseTimestampMs: 5, baseOffset: 30 }),
    ]);
    const records = [...expected(first), ...expected(second, 30)];
    assertEquals([...readRecords(bytes)], records);
    assertEquals(
      [...recordTimestamps(bytes)],
      records.map(({ offset, timestampMs }) => ({ offset, timestampMs })),
    );
  }
});

Deno.test("batchesOf() leaves out a batch that is cut off", () => {
  const batch = buildBatch({ records: [{}], baseTimestampMs: 0 });
  const bytes = concat([batch, batch.subarray(0, -1)]);
  assertEquals([...batchesOf(bytes)].length, 1);
  assertEquals([...batchesOf(batch.subarray(0, 11))], []);
});

Deno.test("batchesOf() refuses lengths and formats that no v2 batch has", () => {
  const short = buildBatch({ records: [{}], baseTimestampMs: 0 });
  new DataView(short.buffer).setInt32(8, 48);
  assertThrows(() => [...batchesOf(short)]);
  const old = buildBatch({ records: [{}], baseTimestampMs: 0 }).with(16, 1);
  assertThrows(() => [...batchesOf(old)]);
});

Deno.test({
  name: "readRecords() reads batches of kafka-clients in every codec",
  ignore: !haveOracle,
  async fn() {
    const prng = new Prng("batches of kafka");
    const cases = CODECS.flatMap((codec) =>
      [1, 7, 200].map((count) => ({ codec, records: randomRecords(prng, count) }))
    );
    const answers = await askKafka<string>(cases.map(({ codec, records }): Question => ({
      ask: "build",
      codec,
      baseOffset: 11,
      producerId: 4,
      producerEpoch: 1,
      baseSequence: 0,
      records: records.map(inHex),
    })));
    cases.forEach(({ codec, records }, index) => {
      const bytes = decodeHex(answers[index]!);
      assertEquals([...readRecords(bytes)], expected(records, 11), codec);
    });
  },
});

Deno.test({
  name: "buildBatch() writes batches that kafka-clients reads",
  ignore: !haveOracle,
  async fn() {
    const prng = new Prng("batches for kafka");
    const cases = CODECS.map((compression) => {
      const records = randomRecords(prng, 20);
      const bytes = buildBatch({ records, baseTimestampMs: BASE_TIMESTAMP_MS, compression });
      return { records, bytes };
    });
    const answers = await askKafka<(OracleRecord & { offset: number })[]>(
      cases.map(({ bytes }) => ({ ask: "records", hex: encodeHex(bytes) })),
    );
    cases.forEach(({ records }, index) => {
      const wanted = records.map((record, offset) => ({ offset, ...inHex(record) }));
      assertEquals(answers[index], wanted);
    });
  },
});

Deno.test("decompress() stops at its limit, in every codec", () => {
  const zeros = new Uint8Array(1 << 20);
  // a snappy literal of one zero, then copies of 64 bytes from 1 back
  const snappy = [0x81, 0x80, 0x40, 0, 0];
  for (let copy = 0; copy < 1 << 14; copy++) snappy.push((63 << 2) | 2, 1, 0);
  // an lz4 literal of one zero, then one match of 2^20 bytes from 1 back
  const lz4 = [0x1f, 0, 1, 0, ...new Array(4112).fill(255), 0];
  const frame = [
    4,
    0x22,
    0x4d,
    0x18,
    0x60,
    0x40,
    0,
    lz4.length & 255,
    lz4.length >> 8,
    0,
    0,
    ...lz4,
  ];
  const inputs: [CompressionName, Uint8Array][] = [
    ["gzip", gzipSync(zeros)],
    ["zstd", zstdCompressSync(zeros)],
    ["snappy", new Uint8Array(snappy)],
    ["lz4", new Uint8Array([...frame, 0, 0, 0, 0])],
  ];
  for (const [codec, input] of inputs) {
    assert(decompress(codec, input, 2 << 20).length >= 1 << 20, codec);
    const error = assertThrows(() => decompress(codec, input, 100_000), codec);
    assert(error instanceof MalformedError, codec);
  }
});

Deno.test("compress() is undone by decompress(), in every codec, for every kind of bytes", () => {
  const prng = new Prng("compress");
  const words = ["offset", "partition", "a", "leader epoch ", "\u{1f600}", "000000000000"];
  const texts = [0, 1, 3, 4, 11, 12, 13, 17, 60, 61, 255, 256, 270, 4096, 65_535, 65_536, 200_000];
  for (const codec of CODECS) {
    for (const length of texts) {
      let text = "";
      while (text.length < length) text += words[prng.below(words.length)];
      const inputs = [
        new TextEncoder().encode(text).subarray(0, length),
        randomBytes(length, prng),
        new Uint8Array(length),
      ];
      for (const input of inputs) {
        const packed = compress(codec, input);
        assertEquals(decompress(codec, packed), input, `${codec}, ${length} bytes`);
        const worst = input.length * 7 / 6 + 64;
        assert(packed.length <= worst, `${codec} makes ${packed.length} of ${length} bytes`);
      }
      const small = compress(codec, new Uint8Array(length)).length;
      if (codec !== "none" && length >= 4096) assert(small < length / 10, `${codec}: ${small}`);
    }
  }
});

Deno.test("decompress() throws MalformedError for broken input, in every codec", () => {
  const prng = new Prng("broken compression");
  for (const codec of ["gzip", "snappy", "lz4", "zstd"] as const) {
    for (let length = 1; length < 60; length++) {
      try {
        decompress(codec, randomBytes(length, prng), 1 << 16);
      } catch (error) {
        assert(error instanceof MalformedError, `${codec}: ${error}`);
      }
    }
  }
});

Deno.test("readRecords() refuses a record that is longer than its batch", () => {
  const batch = buildBatch({ records: [{}], baseTimestampMs: 0 });
  batch[61] = 0x7e;
  stampCrc(batch, new DataView(batch.buffer), 0, batch.length);
  const error = assertThrows(() => [...readRecords(batch)]) as Error;
  assertEquals(error.message, "record is cut off");
});
