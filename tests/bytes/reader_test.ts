import { assertEquals, assertThrows } from "@std/assert";
import { MalformedError, Reader } from "../../core/bytes/reader.ts";
import { Writer } from "../../core/bytes/writer.ts";
import { seededBytes, seededUint32 } from "./seeded.ts";

const bytesOf = (...bytes: number[]) => new Reader(Uint8Array.from(bytes));

/** Every read that needs at least one byte. */
const READS: Readonly<Record<string, [number, (r: Reader) => unknown]>> = {
  int8: [1, (r) => r.int8()],
  uint8: [1, (r) => r.uint8()],
  boolean: [1, (r) => r.boolean()],
  int16: [2, (r) => r.int16()],
  uint16: [2, (r) => r.uint16()],
  int32: [4, (r) => r.int32()],
  uint32: [4, (r) => r.uint32()],
  int64: [8, (r) => r.int64()],
  bigint64: [8, (r) => r.bigint64()],
  float64: [8, (r) => r.float64()],
};

Deno.test("Reader reads fixed widths in network order", () => {
  assertEquals(bytesOf(0xff).int8(), -1);
  assertEquals(bytesOf(0xff).uint8(), 255);
  assertEquals(bytesOf(0x80, 0x01).int16(), -32767);
  assertEquals(bytesOf(0x80, 0x01).uint16(), 32769);
  assertEquals(bytesOf(0xff, 0xff, 0xff, 0xfe).int32(), -2);
  assertEquals(bytesOf(0xff, 0xff, 0xff, 0xfe).uint32(), 4294967294);
  assertEquals(bytesOf(0, 0, 0, 1, 0, 0, 0, 2).int64(), 2 ** 32 + 2);
  assertEquals(bytesOf(255, 255, 255, 255, 255, 255, 255, 255).int64(), -1);
  assertEquals(bytesOf(127, 255, 255, 255, 255, 255, 255, 255).bigint64(), 2n ** 63n - 1n);
  assertEquals(bytesOf(0x3f, 0xf8, 0, 0, 0, 0, 0, 0).float64(), 1.5);
});

for (const [name, [width, read]] of Object.entries(READS)) {
  Deno.test(`Reader.${name}() takes ${width} bytes and refuses to read past the end`, () => {
    const bytes = seededBytes(1, 32);
    const reader = new Reader(bytes, 4, 4 + width);
    read(reader);
    assertEquals(reader.offset, 4 + width);
    // There are bytes behind the end of the range: they belong to somebody else.
    for (let short = 0; short < width; short++) {
      assertThrows(() => read(new Reader(bytes, 4, 4 + short)), MalformedError);
    }
  });
}

Deno.test("Reader stays where it was when a read fails", () => {
  const reader = bytesOf(1, 2, 3);
  assertThrows(() => reader.int32(), MalformedError);
  assertEquals(reader.offset, 0);
  assertEquals(reader.int16(), 0x0102);
});

Deno.test("Reader.take() refuses negative lengths and any beyond the range", () => {
  for (const length of [-1, -(2 ** 31), 4, 2 ** 31 - 1, 2 ** 40, Infinity]) {
    assertThrows(() => bytesOf(1, 2, 3).take(length), MalformedError);
    assertThrows(() => bytesOf(1, 2, 3).copy(length), MalformedError);
    assertThrows(() => bytesOf(1, 2, 3).view8(length), MalformedError);
    assertThrows(() => bytesOf(1, 2, 3).utf8(length), MalformedError);
  }
});

Deno.test("Reader.uvarint() reads up to 32 bits and refuses more", () => {
  assertEquals(bytesOf(0x00).uvarint(), 0);
  assertEquals(bytesOf(0xac, 0x02).uvarint(), 300);
  assertEquals(bytesOf(0xff, 0xff, 0xff, 0xff, 0x0f).uvarint(), 2 ** 32 - 1);
  assertThrows(() => bytesOf(0xff, 0xff, 0xff, 0xff, 0x10).uvarint(), MalformedError);
  assertThrows(() => bytesOf(0x80, 0x80, 0x80, 0x80, 0x80, 0x00).uvarint(), MalformedError);
  assertThrows(() => bytesOf(0x80).uvarint(), MalformedError);
});

Deno.test("Reader.varint() is zig-zag over the whole of int32", () => {
  assertEquals(bytesOf(0x01).varint(), -1);
  assertEquals(bytesOf(0x02).varint(), 1);
  assertEquals(bytesOf(0xfe, 0xff, 0xff, 0xff, 0x0f).varint(), 2 ** 31 - 1);
  assertEquals(bytesOf(0xff, 0xff, 0xff, 0xff, 0x0f).varint(), -(2 ** 31));
});

Deno.test("Reader.varlong() refuses more than ten bytes", () => {
  assertEquals(bytesOf(0x01).varlong(), -1);
  const longest = [...Array(9).fill(0xff), 0x01];
  assertEquals(bytesOf(...longest).varlong(), -(2 ** 63));
  assertThrows(() => bytesOf(...Array(10).fill(0x80), 0x00).varlong(), MalformedError);
});

Deno.test("Reader.utf8() refuses what is not UTF-8", () => {
  assertEquals(bytesOf(0xc3, 0xbc, 0x6e).utf8(3), "ün");
  assertThrows(() => bytesOf(0xc3, 0x28).utf8(2), MalformedError);
  assertThrows(() => bytesOf(0xed, 0xa0, 0x80).utf8(3), MalformedError);
});

Deno.test("Reader.copy() outlives the frame, view8() shares it", () => {
  const bytes = Uint8Array.of(1, 2, 3, 4);
  const copied = new Reader(bytes).copy(4);
  const viewed = new Reader(bytes).view8(4);
  bytes[0] = 9;
  assertEquals(copied[0], 1);
  assertEquals(viewed[0], 9);
});

Deno.test("Reader.reset() aims at another buffer and at a view with an offset", () => {
  const whole = Uint8Array.of(0, 0, 0, 7, 0, 0, 0, 8);
  const reader = new Reader(new Uint8Array(2));
  reader.reset(whole.subarray(4), 0, 4);
  assertEquals(reader.int32(), 8);
  reader.reset(whole, 0, 4);
  assertEquals(reader.int32(), 7);
  assertEquals(reader.remaining, 0);
});

Deno.test("Reader throws nothing but MalformedError over random bytes, and never goes back", () => {
  const next = seededUint32(11);
  const reads = [
    ...Object.values(READS).map(([, read]) => read),
    (r: Reader) => r.uvarint(),
    (r: Reader) => r.varint(),
    (r: Reader) => r.varlong(),
    (r: Reader) => r.utf8(next() % 9 - 1),
    (r: Reader) => r.copy(next() % 9 - 1),
    (r: Reader) => r.view8(next() % 9 - 1),
  ];
  for (let round = 0; round < 2000; round++) {
    const bytes = seededBytes(round, next() % 40);
    const reader = new Reader(bytes);
    try {
      for (;;) {
        const before = reader.offset;
        reads[next() % reads.length]!(reader);
        if (reader.offset < before || reader.offset > bytes.length) throw new Error("out of range");
        if (reader.remaining === 0) break;
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
    }
  }
});

Deno.test("Reader reads back whatever Writer wrote, at every buffer size", () => {
  const next = seededUint32(12);
  const signed = () => next() | 0;
  for (let round = 0; round < 300; round++) {
    const values = Array.from({ length: 1 + next() % 30 }, () => ({
      kind: next() % 6,
      value: signed(),
    }));
    const writer = new Writer(1 + next() % 16);
    for (const { kind, value } of values) WRITE[kind]!(writer, value);
    const reader = new Reader(writer.toBytes());
    for (const { kind, value } of values) assertEquals(READ[kind]!(reader), value);
    assertEquals(reader.remaining, 0);
  }
});

const WRITE: readonly ((w: Writer, value: number) => void)[] = [
  (w, value) => w.int32(value),
  (w, value) => w.varint(value),
  (w, value) => w.varlong(value * 2 ** 21),
  (w, value) => w.int64(value * 2 ** 21),
  (w, value) => w.uvarint(value >>> 0),
  (w, value) => w.uint32(value >>> 0),
];
const READ: readonly ((r: Reader) => number)[] = [
  (r) => r.int32(),
  (r) => r.varint(),
  (r) => r.varlong() / 2 ** 21,
  (r) => r.int64() / 2 ** 21,
  (r) => r.uvarint() | 0,
  (r) => r.uint32() | 0,
];
