import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Reader } from "../../core/bytes/reader.ts";
import { concat, encodeUtf8, Writer } from "../../core/bytes/writer.ts";
import { seededBytes, seededUint32 } from "./seeded.ts";

const written = (write: (w: Writer) => void, capacity?: number) => {
  const writer = new Writer(capacity);
  write(writer);
  return [...writer.toBytes()];
};

Deno.test("Writer writes fixed widths in network order", () => {
  assertEquals(written((w) => w.int8(-1)), [255]);
  assertEquals(written((w) => w.boolean(true)), [1]);
  assertEquals(written((w) => w.boolean(false)), [0]);
  assertEquals(written((w) => w.int16(-2)), [255, 254]);
  assertEquals(written((w) => w.uint16(0xfffe)), [255, 254]);
  assertEquals(written((w) => w.int32(0x01020304)), [1, 2, 3, 4]);
  assertEquals(written((w) => w.uint32(0xffffffff)), [255, 255, 255, 255]);
  assertEquals(written((w) => w.bigint64(-(2n ** 63n))), [128, 0, 0, 0, 0, 0, 0, 0]);
  assertEquals(written((w) => w.float64(1.5)), [0x3f, 0xf8, 0, 0, 0, 0, 0, 0]);
});

Deno.test("Writer.int64() is exact for every safe integer's edge", () => {
  const edges = [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 32, -(2 ** 32), -(2 ** 32) - 1];
  for (const value of [...edges, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
    const bytes = Uint8Array.from(written((w) => w.int64(value)));
    assertEquals(new Reader(bytes).bigint64(), BigInt(value));
    assertEquals(new Reader(bytes).int64(), value);
  }
});

Deno.test("Writer.uvarint() uses the fewest bytes", () => {
  for (let bits = 0; bits <= 32; bits++) {
    for (const value of [2 ** bits - 1, Math.min(2 ** bits, 2 ** 32 - 1)]) {
      const bytes = written((w) => w.uvarint(value));
      assertEquals(bytes.length, Math.max(1, Math.ceil(value.toString(2).length / 7)));
      assertEquals(new Reader(Uint8Array.from(bytes)).uvarint(), value);
    }
  }
});

Deno.test("Writer.varint() and varlong() read back at the edges", () => {
  for (const value of [0, 1, -1, 63, 64, -64, -65, 2 ** 31 - 1, -(2 ** 31)]) {
    assertEquals(new Reader(Uint8Array.from(written((w) => w.varint(value)))).varint(), value);
  }
  for (const value of [0, -1, 2 ** 31, -(2 ** 40), Number.MAX_SAFE_INTEGER, -(2 ** 53)]) {
    assertEquals(new Reader(Uint8Array.from(written((w) => w.varlong(value)))).varlong(), value);
  }
});

Deno.test("Writer.external() splices bytes in without a copy and counts them", () => {
  const batch = seededBytes(1, 1000);
  const writer = new Writer(4);
  writer.int32(1);
  writer.external(batch);
  writer.external(new Uint8Array(0));
  writer.int32(2);
  assertEquals(writer.length, 1008);
  const parts = writer.finish();
  assertEquals(parts.map((part) => part.length), [4, 1000, 4]);
  assertStrictEquals(parts[1], batch);
});

Deno.test("Writer gives the same bytes for every capacity and whatever is spliced", () => {
  for (let seed = 0; seed < 200; seed++) {
    const want: number[] = [];
    const writers = [1, 2, 7, 64, 4096].map((capacity) => new Writer(capacity));
    const next = seededUint32(seed);
    for (let step = next() % 20; step > 0; step--) {
      const bytes = seededBytes(next(), next() % 50);
      const spliced = next() % 2 === 0;
      for (const writer of writers) spliced ? writer.external(bytes) : writer.raw(bytes);
      want.push(...bytes);
      for (const writer of writers) assertEquals(writer.length, want.length);
    }
    for (const writer of writers) assertEquals([...writer.toBytes()], want);
  }
});

Deno.test("Writer.length is unchanged by growth", () => {
  const writer = new Writer(1);
  for (let index = 0; index < 1000; index++) {
    assertEquals(writer.length, index);
    writer.int8(index);
  }
  assertEquals(writer.toBytes()[999], 999 & 0xff);
});

Deno.test("concat() joins in order; encodeUtf8() is UTF-8", () => {
  assertEquals(concat([]), new Uint8Array(0));
  assertEquals(
    concat([Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)]),
    Uint8Array.of(1, 2, 3),
  );
  assert(encodeUtf8("ü").length === 2);
});
