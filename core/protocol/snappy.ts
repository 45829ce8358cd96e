/**
 * Snappy decompression, raw and in the framing that Kafka's Java clients use (xerial's):
 *
 *   raw      uvarint size · elements: tag byte, low two bits 0 literal, 1/2/3 copy with 1/2/4 byte
 *            offset
 *   framed   0x82 "SNAPPY" 0x00 · int32 version · int32 compatible · blocks: int32 size, raw
 */
import { MalformedError, Reader } from "../bytes/mod.ts";
import { BoundedOutput } from "./bounded_output.ts";

const FRAME_MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00];
const FRAME_HEADER_BYTES = 16;

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
