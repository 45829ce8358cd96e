/**
 * What says of a part of a file that it is a journal's or a volume's, and which:
 * magic u32 | CRC-32C of what follows u32 | version u32 | number u32, all little-endian.
 * Compatibility-sensitive.
 */
import { crc32c } from "../../../core/bytes/mod.ts";

export const FILE_HEADER_BYTES = 16;
const VERSION = 1;

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function encodeFileHeader(magic: number, number: number): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, magic, true);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, number, true);
  view.setUint32(4, crc32c(bytes, 8), true);
  return bytes;
}

/** The number; undefined where `bytes` does not begin with a whole header of that kind. */
export function decodeFileHeader(bytes: Uint8Array, magic: number): number | undefined {
  if (bytes.length < FILE_HEADER_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== magic || view.getUint32(8, true) !== VERSION) return undefined;
  if (view.getUint32(4, true) !== crc32c(bytes, 8, FILE_HEADER_BYTES)) return undefined;
  return view.getUint32(12, true);
}
