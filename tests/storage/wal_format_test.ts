import { assertEquals, assertThrows } from "@std/assert";
import { MalformedError } from "../../core/bytes/mod.ts";
import {
  decodeSlotFooter,
  decodeSlotHeader,
  encodeSlotFooter,
  encodeSlotHeader,
  footerLength,
  NO_MARK,
  type SlotFooter,
} from "../../core/storage/wal/format.ts";

const NONCE = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
const FOOTER: SlotFooter = {
  kind: "data",
  brokerId: 7,
  brokerEpoch: 3,
  slot: 42,
  createdMs: 1_700_000_000_000,
  objects: [],
  partitions: [{
    topicId: "AAECAwQFBgcICQoLDA0ODw",
    partition: 5,
    rows: [{
      baseOffset: 1_000_000_000_000,
      lastOffsetDelta: 9,
      position: 16,
      length: 300,
      maxTimestampMs: 1_700_000_000_001,
      leaderEpoch: 2,
      attributes: 1,
      producerId: 4_000,
      producerEpoch: 1,
      baseSequence: 90,
      object: 0,
    }],
  }],
  metadata: { generation: 2, revision: 4_711 },
};

const ROWS = "00000007" + "0000000000000003" + "000000000000002a" + "0000018bcfe56800" +
  "00000000" + "00000001" + "000102030405060708090a0b0c0d0e0f" + "00000005" + "00000001" +
  "000000e8d4a51000" + "00000009" + "00000010" + "0000012c" + "0000018bcfe56801" +
  "00000002" + "0001" + "0001" + "0000000000000fa0" + "0000005a" + "00000000";

const hex = (bytes: Uint8Array) =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

Deno.test("slot format: footer and header come back as written", () => {
  const header = encodeSlotHeader("data", NONCE);
  const tail = encodeSlotFooter(header, FOOTER);
  assertEquals(decodeSlotHeader(header), { kind: "data", nonce: NONCE });
  assertEquals(footerLength(tail.subarray(tail.length - 16)), tail.length);
  assertEquals(decodeSlotFooter(header, tail), FOOTER);
});

Deno.test("slot format: an adoption names foreign objects", () => {
  const header = encodeSlotHeader("adoption", NONCE);
  const footer = { ...FOOTER, kind: "adoption" as const, objects: ["ns/.wal/7/1/ä.wal", "b"] };
  assertEquals(decodeSlotFooter(header, encodeSlotFooter(header, footer)), footer);
});

// Compatibility-sensitive: buckets in the field hold these bytes.
Deno.test("slot format: version 1 is these bytes", () => {
  const header = encodeSlotHeader("data", NONCE);
  assertEquals(hex(header), "4b57414c000100000102030405060708");
  assertEquals(
    hex(encodeSlotFooter(header, FOOTER)),
    ROWS + "0000000000000002" + "0000000000001267" +
      "00000080" + "18c42f30" + "4b57414c454e4421",
  );
});

Deno.test("slot format: a footer without a mark of metadata is read, too", () => {
  const header = encodeSlotHeader("data", NONCE);
  const tail = Uint8Array.fromHex(ROWS + "00000070" + "d85a7ec6" + "4b57414c454e4421");
  assertEquals(decodeSlotFooter(header, tail), { ...FOOTER, metadata: NO_MARK });
});

Deno.test("slot format: every flipped bit is noticed", () => {
  const header = encodeSlotHeader("data", NONCE);
  const tail = encodeSlotFooter(header, FOOTER);
  for (let at = 0; at < tail.length - 8; at++) {
    const broken = tail.slice();
    broken[at]! ^= 0x10;
    assertThrows(() => decodeSlotFooter(header, broken), MalformedError);
  }
  for (let at = 0; at < header.length; at++) {
    const broken = header.slice();
    broken[at]! ^= 0x10;
    assertThrows(() => decodeSlotFooter(broken, tail), MalformedError);
  }
});

Deno.test("slot format: every cut is noticed", () => {
  const header = encodeSlotHeader("data", NONCE);
  const tail = encodeSlotFooter(header, FOOTER);
  for (let length = 0; length < tail.length; length++) {
    assertThrows(() => decodeSlotFooter(header, tail.subarray(0, length)), MalformedError);
    assertThrows(
      () => decodeSlotFooter(header, tail.subarray(tail.length - length)),
      MalformedError,
    );
  }
});
