/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4), slicing by 8: eight tables of 256, eight bytes a step.
 */
const TABLES = new Uint32Array(8 * 256);
for (let index = 0; index < 256; index++) {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  TABLES[index] = crc >>> 0;
}
for (let table = 1; table < 8; table++) {
  for (let index = 0; index < 256; index++) {
    const crc = TABLES[(table - 1) * 256 + index]!;
    TABLES[table * 256 + index] = ((crc >>> 8) ^ TABLES[crc & 0xff]!) >>> 0;
  }
}

/**
 * The CRC-32C of `bytes[start, end)`, continuing from `seed` (a former result, 0 at the start), as
 * an unsigned 32-bit number.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  const t = TABLES;
  let crc = ~seed;
  let at = start;
  const aligned = end - 7;
  while (at < aligned) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = t[1792 + (crc & 0xff)]! ^ t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^ t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^ t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^ t[bytes[at + 7]!]!;
    at += 8;
  }
  while (at < end) crc = t[(crc ^ bytes[at++]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
