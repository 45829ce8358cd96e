/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4). Short inputs: slicing by 8 in JavaScript; from
 * `WASM_BYTES_MIN` on: crc32c_wasm.ts, where the call and the copy have paid off.
 */
import { wasmCrc32c } from "./crc32c_wasm.ts";

/** The reflected generator. */
const GENERATOR = 0x82f63b78;
/** The crossing point on the machines measured (bench/micro/crc32c_bench.ts). */
const WASM_BYTES_MIN = 128;

/** Sixteen tables of 256: table k is the effect of a byte that k more bytes follow. */
const TABLES = new Uint32Array(16 * 256);
for (let index = 0; index < 256; index++) {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? GENERATOR : 0);
  TABLES[index] = crc >>> 0;
}
for (let index = 256; index < TABLES.length; index++) {
  const crc = TABLES[index - 256]!;
  TABLES[index] = ((crc >>> 8) ^ TABLES[crc & 0xff]!) >>> 0;
}

const wasm = wasmCrc32c(TABLES);

/**
 * The CRC-32C of `bytes[start, end)`, continuing from `seed` (a former result, 0 at the start), as
 * an unsigned 32-bit number.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  if (wasm !== undefined && end - start >= WASM_BYTES_MIN) {
    return ~wasm(bytes, start, end, ~seed) >>> 0;
  }
  return crc32cSliced(bytes, start, end, seed);
}

/** The same by slicing-by-8 alone: for short inputs, and where WebAssembly is off. */
export function crc32cSliced(bytes: Uint8Array, start: number, end: number, seed: number): number {
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
