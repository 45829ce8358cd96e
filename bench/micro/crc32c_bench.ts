/**
 * CRC-32C by input size. One iteration of a case takes 1 MiB in all, so MiB/s = iterations per
 * second, whatever the size; `sliced` is slicing-by-8 in JavaScript, the base of each group.
 *
 * Ways that were measured, as multiples of slicing-by-8 (64 KiB, hot loop, one run):
 * slicing-by-16 bytewise 1.2, slicing-by-16 over an Int32Array 1.9, WebAssembly slicing-by-8 1.4,
 * slicing-by-16 1.9; the folds of crc32c_wasm.ts with the copy in: one 9, two 11.
 */
import { crc32c, crc32cSliced } from "../../core/bytes/crc32c.ts";
import { seededBytes } from "../../tests/bytes/seeded.ts";

const WHOLE = 2 ** 20;
const bytes = seededBytes(1, WHOLE);

for (const size of [64, 1024, 16_384, WHOLE]) {
  const group = `crc32c, 1 MiB in pieces of ${size} B`;
  Deno.bench(`sliced ${size} B`, { group, baseline: true }, () => {
    let sum = 0;
    for (let at = 0; at < WHOLE; at += size) sum ^= crc32cSliced(bytes, at, at + size, 0);
    if (sum === 1) throw new Error("keeps the loop alive");
  });
  Deno.bench(`crc32c ${size} B`, { group }, () => {
    let sum = 0;
    for (let at = 0; at < WHOLE; at += size) sum ^= crc32c(bytes, at, at + size);
    if (sum === 1) throw new Error("keeps the loop alive");
  });
}
