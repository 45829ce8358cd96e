/**
 * Snappy, raw and in the framing that Kafka's Java clients use (xerial's). The latter is written.
 *
 *   raw      uvarint size · elements: tag byte, low two bits 0 literal, 1/2/3 copy with 1/2/4 byte
 *            offset
 *   framed   0x82 "SNAPPY" 0x00 · int32 version · int32 compatible · blocks: int32 size, raw
 */
import { MalformedError, Reader } from "../bytes/mod.ts";
import { BoundedOutput } from "./bounded_output.ts";
import { findMatches } from "./lz_matches.ts";

const FRAME_MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00];
const FRAME_HEADER_BYTES = 16;

/** Version 1, readable since 1. */
const FRAME_VERSIONS = [0, 0, 0, 1, 0, 0, 0, 1];
const WRITTEN_BLOCK_BYTES = 32 * 1024;
const COPY_LENGTH_MAX = 64;

/** What `input` was made of; MalformedError when it is broken or grows above the limit. */
export function decompressSnappy(input: Uint8Array, bytesMax: number): Uint8Array {
  const reader = new Reader(input);
  if (!FRAME_MAGIC.every((byte, index) => input[index] === byte)) {
    const size = reader.uvarint();
    const output = new BoundedOutput(bytesMax, size, input.length);
    readBlock(reader, input.length, size, output);
    return output.finish();
  }
  reader.take(FRAME_HEADER_BYTES);
  const output = new BoundedOutput(bytesMax, 0, input.length);
  while (reader.remaining > 0) {
    const blockBytes = reader.int32();
    const end = reader.offset + blockBytes;
    if (blockBytes < 0 || end > input.length) throw new MalformedError("snappy block is cut off");
    readBlock(reader, end, reader.uvarint(), output);
  }
  return output.finish();
}

/** Reads elements up to `end`, which must make up `size` bytes. */
function readBlock(reader: Reader, end: number, size: number, output: BoundedOutput): void {
  const before = output.length;
  while (reader.offset < end) readElement(reader, output);
  if (reader.offset !== end) throw new MalformedError("snappy element is cut off");
  if (output.length - before !== size) {
    throw new MalformedError("snappy block has another size than stated");
  }
}

function readElement(reader: Reader, output: BoundedOutput): void {
  const tag = reader.uint8();
  const high = tag >>> 2;
  switch (tag & 3) {
    case 0: {
      const length = (high < 60 ? high : littleEndian(reader, high - 59)) + 1;
      output.literal(reader.bytes, reader.take(length), length);
      return;
    }
    case 1:
      return output.match(((tag >>> 5) << 8) | reader.uint8(), (high & 7) + 4);
    case 2:
      return output.match(littleEndian(reader, 2), high + 1);
    default:
      return output.match(littleEndian(reader, 4), high + 1);
  }
}

function littleEndian(reader: Reader, length: number): number {
  let value = 0;
  for (let index = 0; index < length; index++) value += reader.uint8() * 2 ** (8 * index);
  return value;
}

/** Framed blocks of 32 KiB each, as the Java clients write them. */
export function compressSnappy(input: Uint8Array): Uint8Array {
  // A block is at worst a sixth larger than what it holds; its size fields take 8 bytes.
  const blocks = Math.ceil(input.length / WRITTEN_BLOCK_BYTES);
  const room = FRAME_HEADER_BYTES + blocks * 16 + Math.ceil(input.length * 7 / 6);
  const out = new Uint8Array(room);
  const view = new DataView(out.buffer);
  out.set(FRAME_MAGIC);
  out.set(FRAME_VERSIONS, FRAME_MAGIC.length);
  let at = FRAME_HEADER_BYTES;
  for (let start = 0; start < input.length; start += WRITTEN_BLOCK_BYTES) {
    const end = Math.min(start + WRITTEN_BLOCK_BYTES, input.length);
    const from = at + 4;
    at = writeBlock(input, start, end, out, from);
    view.setInt32(from - 4, at - from);
  }
  return out.slice(0, at);
}

/** Writes size and elements of `input[start, end)`; returns where they end. */
function writeBlock(
  input: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  position: number,
): number {
  let at = position;
  let size = end - start;
  for (; size >= 0x80; size >>>= 7) out[at++] = (size & 0x7f) | 0x80;
  out[at++] = size;
  const literal = (from: number, to: number) => {
    if (from === to) return;
    const length = to - from - 1;
    if (length < 60) out[at++] = length << 2;
    else if (length < 256) {
      out[at++] = 60 << 2;
      out[at++] = length;
    } else {
      out[at++] = 61 << 2;
      out[at++] = length & 0xff;
      out[at++] = length >>> 8;
    }
    out.set(input.subarray(from, to), at);
    at += to - from;
  };
  const tail = findMatches(input, start, end, (from, to, distance, length) => {
    literal(from, to);
    for (let left = length; left > 0; left -= COPY_LENGTH_MAX) {
      out[at++] = ((Math.min(left, COPY_LENGTH_MAX) - 1) << 2) | 2;
      out[at++] = distance & 0xff;
      out[at++] = distance >>> 8;
    }
  });
  literal(tail, end);
  return at;
}
