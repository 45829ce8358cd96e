/** Properties of record batches under broken bytes. */
import { assert, assertEquals } from "@std/assert";
import { buildBatch } from "../../core/protocol/batch_builder.ts";
import { compress, decompress } from "../../core/protocol/compression.ts";
import {
  BatchHeader,
  Compression,
  type CompressionName,
  stampCrc,
  validateBatch,
} from "../../core/protocol/record_batch.ts";
import { readRecords, recordTimestamps } from "../../core/protocol/records.ts";
import { randomBytes } from "../protocol/random_message.ts";
import { Prng } from "../simulation/prng.ts";
import { mutator } from "./mutate.ts";
import { unlessMalformed } from "./protocol_messages.ts";

const DECOMPRESSED_BYTES_MAX = 1 << 18;

/**
 * `validateBatch` never throws, and what it accepts can be walked or is malformed; both ways to
 * walk the records agree where both get through.
 */
export function fuzzBatches(seed: string, eventsMax: number): void {
  const prng = new Prng(`${seed}/batches`);
  const mutate = mutator(prng);
  const header = new BatchHeader();
  for (let event = 0; event < eventsMax; event++) {
    const bytes = mutate(randomBatch(prng)).slice();
    const view = new DataView(bytes.buffer);
    if (bytes.length >= 61 && prng.chance(0.7)) stampCrc(bytes, view, 0, bytes.length);
    const fault = validateBatch(bytes, view, 0, bytes.length, prng.between(3, 13), header);
    if (fault === undefined) assertEquals(header.batchLength + 12, bytes.length);
    const records = unlessMalformed(() => [...readRecords(bytes)]);
    if (records === undefined) continue;
    assert(records.length <= DECOMPRESSED_BYTES_MAX, "more records than bytes");
    const positions = records.map(({ offset, timestampMs }) => ({ offset, timestampMs }));
    assertEquals([...recordTimestamps(bytes)], positions);
  }
}

function randomBatch(prng: Prng): Uint8Array {
  const records = Array.from({ length: prng.between(1, 5) }, () => ({
    key: prng.chance(0.3) ? null : randomBytes(prng.below(10), prng),
    value: new Uint8Array(prng.below(100)).fill(prng.below(256)),
    headers: prng.chance(0.3) ? [{ key: "h", value: randomBytes(3, prng) }] : [],
  }));
  const compression = prng.pick(["none", "none", "gzip", "zstd"] as const);
  return buildBatch({ records, baseTimestampMs: 1_700_000_000_000, compression });
}

/** A decompressor throws MalformedError or stays within its limit; valid input comes back whole. */
export function fuzzCompression(seed: string, eventsMax: number): void {
  const prng = new Prng(`${seed}/compression`);
  const mutate = mutator(prng);
  const codecs = Object.keys(Compression) as CompressionName[];
  for (let event = 0; event < eventsMax; event++) {
    const codec = prng.pick(codecs);
    const original = new Uint8Array(prng.below(2000)).fill(prng.below(256));
    original.set(randomBytes(prng.below(original.length + 1), prng));
    if (codec === "gzip" || codec === "zstd") {
      assertEquals(decompress(codec, compress(codec, original)), original);
    }
    const input = codec === "gzip" || codec === "zstd"
      ? compress(codec, original)
      : codec === "lz4"
      ? lz4Frame(original)
      : snappyFrame(original, prng.chance(0.5));
    if (codec === "lz4" || codec === "snappy") assertEquals(decompress(codec, input), original);
    const output = unlessMalformed(() => decompress(codec, mutate(input), DECOMPRESSED_BYTES_MAX));
    assert((output?.length ?? 0) <= DECOMPRESSED_BYTES_MAX, "the limit was passed");
  }
}

/** An LZ4 frame of one block that holds everything as literals. */
function lz4Frame(original: Uint8Array): Uint8Array {
  const block = original.length < 15
    ? [original.length << 4, ...original]
    : [0xf0, ...lz4Length(original.length - 15), ...original];
  const size = [block.length & 255, block.length >> 8, 0, 0];
  const head = [4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0];
  return Uint8Array.from([...head, ...size, ...block, 0, 0, 0, 0]);
}

function lz4Length(rest: number): number[] {
  return [...new Array(Math.floor(rest / 255)).fill(255), rest % 255];
}

/** Snappy with everything as one literal, raw or in xerial's framing. */
function snappyFrame(original: Uint8Array, framed: boolean): Uint8Array {
  const { length } = original;
  const size = length < 128 ? [length] : [(length & 127) | 128, length >> 7];
  const last = length - 1;
  const literal = length === 0 ? [] : [61 << 2, last & 255, last >> 8, ...original];
  const raw = [...size, ...literal];
  if (!framed) return Uint8Array.from(raw);
  const magic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1];
  return Uint8Array.from([...magic, 0, 0, raw.length >> 8, raw.length & 255, ...raw]);
}
