import { assert, assertEquals } from "@std/assert";
import { crc32c, crc32cSliced } from "../../core/bytes/crc32c.ts";
import { FIRST_FOLD_TAPS, PIECE_BYTES, SECOND_FOLD_TAPS } from "../../core/bytes/crc32c_wasm.ts";
import { seededBytes, seededUint32 } from "./seeded.ts";

/** Bit by bit, straight from the definition. */
function crc32cBitwise(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let crc = ~seed;
  for (let at = start; at < end; at++) {
    crc ^= bytes[at]!;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

/** x^exponent modulo the generator, not reflected. */
function powerOfX(exponent: number): number {
  let value = 1;
  for (let step = 0; step < exponent; step++) {
    value = ((value << 1) ^ (value & 0x80000000 ? 0x1edc6f41 : 0)) >>> 0;
  }
  return value;
}

Deno.test("crc32c() gives the vectors of RFC 3720", () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);
  const read10 = Uint8Array.from(
    [0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0]
      .concat([0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0]),
  );
  assertEquals(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assertEquals(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assertEquals(crc32c(ascending), 0x46dd794e);
  assertEquals(crc32c(ascending.slice().reverse()), 0x113fdb5c);
  assertEquals(crc32c(read10.subarray(0, 48)), 0xd9963a56);
  assertEquals(crc32c(new Uint8Array(0)), 0);
});

Deno.test("crc32c() equals the bitwise definition at every short length and alignment", () => {
  const bytes = seededBytes(1, 400);
  for (let start = 0; start < 17; start++) {
    for (let end = start; end <= 400; end += 7) {
      assertEquals(crc32c(bytes, start, end, end), crc32cBitwise(bytes, start, end, end));
    }
  }
});

Deno.test("crc32c() equals the bitwise definition around every threshold", () => {
  const bytes = seededBytes(2, PIECE_BYTES + 8192);
  const edges = [
    128,
    16 * 79,
    2 * 16 * 79,
    16 * 209,
    2 * 16 * 209,
    PIECE_BYTES,
    PIECE_BYTES + 4096,
  ];
  for (const edge of edges) {
    for (const change of [-17, -16, -1, 0, 1, 14, 15, 16, 17, 33]) {
      const end = 5 + edge + change;
      assertEquals(crc32c(bytes, 5, end), crc32cBitwise(bytes, 5, end, 0), `${edge}${change}`);
    }
  }
});

Deno.test("crc32c() equals the bitwise definition for random ranges and seeds", () => {
  const bytes = seededBytes(3, 300_000);
  const next = seededUint32(4);
  for (let round = 0; round < 60; round++) {
    const start = next() % 1000;
    const length = next() % (round % 10 === 0 ? 299_000 : 20_000);
    const seed = next();
    const want = crc32cBitwise(bytes, start, start + length, seed);
    assertEquals(crc32c(bytes, start, start + length, seed), want, `round ${round}`);
    assertEquals(crc32cSliced(bytes, start, start + length, seed), want, `round ${round}`);
  }
});

Deno.test("crc32c() of two parts in turn is the crc of the whole", () => {
  const bytes = seededBytes(5, 200_000);
  const next = seededUint32(6);
  const whole = crc32c(bytes);
  for (let round = 0; round < 100; round++) {
    const cut = next() % bytes.length;
    assertEquals(crc32c(bytes, cut, bytes.length, crc32c(bytes, 0, cut)), whole, `cut at ${cut}`);
  }
});

Deno.test("crc32c() leaves its input alone and does not depend on the view", () => {
  const bytes = seededBytes(7, 70_000);
  const before = bytes.slice();
  const view = new Uint8Array(bytes.buffer, 3, 65_000);
  assertEquals(crc32c(view), crc32c(before, 3, 65_003));
  assertEquals(bytes, before);
});

Deno.test("crc32c() detects each single flipped bit of a batch", () => {
  const bytes = seededBytes(8, 9000);
  const right = crc32c(bytes);
  const next = seededUint32(9);
  for (let round = 0; round < 500; round++) {
    const at = next() % bytes.length;
    const mask = 1 << (next() % 8);
    bytes[at]! ^= mask;
    assert(crc32c(bytes) !== right, `bit ${mask} of byte ${at}`);
    bytes[at]! ^= mask;
  }
});

Deno.test("fold taps are multiples of the generator", () => {
  for (const taps of [FIRST_FOLD_TAPS, SECOND_FOLD_TAPS]) {
    const degree = taps.at(-1)!;
    let sum = powerOfX(degree);
    for (const tap of taps) sum ^= powerOfX(degree - tap);
    assertEquals(sum, 0);
  }
});
