/**
 * The LZ4 frame format (v1.6.1), as Kafka's clients write it. Checksums inside of a frame are not
 * checked when reading, and not written: the batch's CRC covers all of it.
 *
 *   frame     magic 0x184D2204 · FLG · BD · [content size 8] · [dictionary id 4] · checksum 1
 *             blocks · end mark, 4 zero bytes · [content checksum 4]           all little-endian
 *   block     4 bytes size, top bit = stored · data · [checksum 4]
 *   sequence  token (literal length 4 bits, match length 4 bits) · [more literal length]
 *             literals · offset 2 · [more match length]; a block ends with literals
 */
import { MalformedError, Reader } from "../bytes/mod.ts";
import { BoundedOutput } from "./bounded_output.ts";
import { findMatches } from "./lz_matches.ts";

const MAGIC = 0x184d2204;
const FLAG_VERSION = 0xc0;
const FLAG_BLOCK_CHECKSUM = 0x10;
const FLAG_CONTENT_SIZE = 0x08;
const FLAG_CONTENT_CHECKSUM = 0x04;
const FLAG_DICTIONARY = 0x01;
const STORED = 2 ** 31;
const MATCH_MIN = 4;

/** Version 1, independent blocks, of 64 KiB at most, and the checksum of these two bytes. */
const WRITTEN_HEADER = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const WRITTEN_BLOCK_BYTES = 64 * 1024;
const END_MARK_BYTES = 4;

/** What `input` was made of; MalformedError when it is broken or grows above the limit. */
export function decompressLz4(input: Uint8Array, bytesMax: number): Uint8Array {
  const reader = new Reader(input);
  const output = new BoundedOutput(bytesMax, 0, input.length);
  do readFrame(reader, output); while (reader.remaining > 0);
  return output.finish();
}

function readFrame(reader: Reader, output: BoundedOutput): void {
  if (uint32(reader) !== MAGIC) throw new MalformedError("lz4 frame has another magic number");
  const flags = reader.uint8();
  if ((flags & FLAG_VERSION) !== 0x40) throw new MalformedError("lz4 frame has another version");
  if (flags & FLAG_DICTIONARY) throw new MalformedError("lz4 frame needs a dictionary");
  reader.take(1 + (flags & FLAG_CONTENT_SIZE ? 8 : 0) + 1);
  for (;;) {
    const field = uint32(reader);
    if (field === 0) break;
    const size = field % STORED;
    const start = reader.take(size);
    if (field >= STORED) output.literal(reader.bytes, start, size);
    else readBlock(reader.bytes, start, start + size, output);
    if (flags & FLAG_BLOCK_CHECKSUM) reader.take(4);
  }
  if (flags & FLAG_CONTENT_CHECKSUM) reader.take(4);
}

function uint32(reader: Reader): number {
  return reader.view.getUint32(reader.take(4), true);
}

function readBlock(bytes: Uint8Array, start: number, end: number, output: BoundedOutput): void {
  const block = new Reader(bytes, start, end);
  while (block.remaining > 0) {
    const token = block.uint8();
    const literals = lengthOf(block, token >>> 4);
    output.literal(bytes, block.take(literals), literals);
    if (block.remaining === 0) return;
    const distance = block.uint8() | (block.uint8() << 8);
    output.match(distance, lengthOf(block, token & 15) + MATCH_MIN);
  }
}

/** A length that goes on in further bytes when its four bits are full. */
function lengthOf(block: Reader, bits: number): number {
  let length = bits;
  if (bits < 15) return length;
  for (;;) {
    const byte = block.uint8();
    length += byte;
    if (byte < 255) return length;
  }
}

/** One frame of independent blocks; a block that doesn't get smaller is stored. */
export function compressLz4(input: Uint8Array): Uint8Array {
  const blocks = Math.ceil(input.length / WRITTEN_BLOCK_BYTES);
  const rest = blocks * 4 + END_MARK_BYTES;
  const out = new Uint8Array(WRITTEN_HEADER.length + input.length + rest + WRITTEN_BLOCK_BYTES);
  const view = new DataView(out.buffer);
  out.set(WRITTEN_HEADER);
  let at = WRITTEN_HEADER.length;
  for (let start = 0; start < input.length; start += WRITTEN_BLOCK_BYTES) {
    const end = Math.min(start + WRITTEN_BLOCK_BYTES, input.length);
    const size = writeBlock(input, start, end, out, at + 4) - (at + 4);
    const stored = size >= end - start;
    if (stored) out.set(input.subarray(start, end), at + 4);
    view.setUint32(at, stored ? end - start + STORED : size, true);
    at += 4 + (stored ? end - start : size);
  }
  // What a block that was stored after all left behind itself.
  out.fill(0, at, at + END_MARK_BYTES);
  return out.slice(0, at + END_MARK_BYTES);
}

/** Writes the sequences of `input[start, end)`; returns where they end. At worst 1/255 larger. */
function writeBlock(
  input: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  position: number,
): number {
  let at = position;
  const sequence = (from: number, to: number, more: number) => {
    const literals = to - from;
    const token = at++;
    if (literals >= 15) at = writeLength(out, at, literals - 15);
    out.set(input.subarray(from, to), at);
    at += literals;
    out[token] = (Math.min(literals, 15) << 4) | Math.min(more, 15);
  };
  const tail = findMatches(input, start, end, (from, to, distance, length) => {
    const more = length - MATCH_MIN;
    sequence(from, to, more);
    out[at++] = distance & 0xff;
    out[at++] = distance >>> 8;
    if (more >= 15) at = writeLength(out, at, more - 15);
  });
  sequence(tail, end, 0);
  return at;
}

function writeLength(out: Uint8Array, position: number, length: number): number {
  let at = position;
  let left = length;
  for (; left >= 255; left -= 255) out[at++] = 255;
  out[at++] = left;
  return at;
}
