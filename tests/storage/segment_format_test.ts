/** Compatibility-sensitive: other KafScale readers expect these bytes. Never "update" them. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { concat, crc32c, MalformedError } from "../../core/bytes/mod.ts";
import {
  decodeIndex,
  decodeSegment,
  encodeIndex,
  encodeSegment,
  positionFor,
  segmentBodyCrc,
} from "../../core/storage/segment/mod.ts";

const SEGMENT_HEX = "4b414653" + "0001" + "0000" + "00000000000003e8" + "00000003" +
  "0000018bcfe56800" + "00000000" + // created 1,700,000,000,000 ms
  "313233343536373839" + // the body "123456789", whose CRC-32C is the check value of RFC 3720
  "e3069283" + "00000000000003ea" + "454e4421";

const INDEX_HEX = "49445800" + "0001" + "00000002" + "00001000" + "0000" +
  "00000000000003e8" + "00000020" + "0000000100000000" + "00001234";

const HEAD = { baseOffset: 1000, lastOffset: 1002, recordCount: 3, createdMs: 1_700_000_000_000 };
const BODY = [bytesOf("31323334"), new Uint8Array(0), bytesOf("3536373839")];
const ENTRIES = [{ baseOffset: 1000, position: 32 }, { baseOffset: 2 ** 32, position: 0x1234 }];

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("encodeSegment() gives the bytes that KafScale readers expect", () => {
  const parts = encodeSegment(BODY, HEAD);
  assertEquals(hexOf(concat(parts)), SEGMENT_HEX);
  assertEquals(parts[1], BODY[0], "the body is spliced in, not copied");
  assertEquals(hexOf(concat(encodeSegment(BODY, HEAD, 0xe3069283))), SEGMENT_HEX);
});

Deno.test("decodeSegment() reads it back", () => {
  assertEquals(decodeSegment(bytesOf(SEGMENT_HEX)), HEAD);
});

Deno.test("decodeSegment() refuses any flipped byte but those of no meaning", () => {
  const whole = bytesOf(SEGMENT_HEX);
  // flags, offsets, count, time and the reserved word carry no check of their own
  const checked = [0, 1, 2, 3, 4, 5, ...range(32, 45), ...range(53, 57)];
  for (const at of checked) {
    const broken = whole.slice();
    broken[at]! ^= 0x40;
    assertThrows(() => decodeSegment(broken), MalformedError);
  }
});

Deno.test("decodeSegment() refuses every shorter form", () => {
  const whole = bytesOf(SEGMENT_HEX);
  for (let length = 0; length < whole.length; length++) {
    assertThrows(() => decodeSegment(whole.subarray(0, length)), MalformedError);
  }
});

Deno.test("segmentBodyCrc() equals the CRC at once and pauses in between", async () => {
  const parts = [1, 100_000, 0, 300_000, 7].map((length) => new Uint8Array(length).fill(length));
  let pauses = 0;
  const crc = await segmentBodyCrc(parts, () => {
    pauses++;
    return Promise.resolve();
  });
  assertEquals(crc, crc32c(concat(parts)));
  assertEquals(pauses, 3);
  await assertRejects(() => segmentBodyCrc(parts, () => Promise.reject(new Error("stop"))), Error);
});

Deno.test("encodeIndex() gives the bytes that KafScale readers expect", () => {
  assertEquals(hexOf(encodeIndex(ENTRIES, 4096)), INDEX_HEX);
});

Deno.test("decodeIndex() reads it back and refuses what is cut, grown or out of order", () => {
  const index = decodeIndex(bytesOf(INDEX_HEX));
  assertEquals([...index.baseOffsets], [1000, 2 ** 32]);
  assertEquals([...index.positions], [32, 0x1234]);
  assertEquals(index.intervalBytes, 4096);
  const whole = bytesOf(INDEX_HEX);
  for (let length = 0; length < whole.length; length++) {
    assertThrows(() => decodeIndex(whole.subarray(0, length)), MalformedError);
  }
  assertThrows(() => decodeIndex(concat([whole, new Uint8Array(1)])), MalformedError);
  const swapped = concat([whole.subarray(0, 16), whole.subarray(28), whole.subarray(16, 28)]);
  assertThrows(() => decodeIndex(swapped), MalformedError);
  for (const at of [0, 5, 9, 27]) {
    const broken = whole.slice();
    broken[at]! ^= 1;
    assertThrows(() => decodeIndex(broken), MalformedError);
  }
});

Deno.test("positionFor() finds the greatest entry at or below the offset", () => {
  const entries = [10, 20, 30, 40].map((baseOffset, at) => ({ baseOffset, position: 32 + at }));
  const index = decodeIndex(encodeIndex(entries, 1));
  const cases = [[0, 32], [10, 32], [19, 32], [20, 33], [39, 34], [40, 35], [1e9, 35]] as const;
  for (const [offset, position] of cases) assertEquals(positionFor(index, offset), position);
});

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, at) => start + at);
}
