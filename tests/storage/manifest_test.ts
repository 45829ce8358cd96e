import { assertEquals, assertThrows } from "@std/assert";
import { MalformedError } from "../../core/bytes/mod.ts";
import {
  decodeManifest,
  encodeManifest,
  type Manifest,
  MANIFEST_VERSION,
} from "../../core/storage/manifest.ts";

const MANIFEST: Manifest = {
  topicId: "AAECAwQFBgcICQoLDA0ODw",
  partition: 3,
  sequence: 12,
  writtenMs: 1_700_000_000_000,
  coveredOffset: 2_000,
  logStartOffset: 10,
  leaderEpochs: [{ leaderEpoch: 0, startOffset: 0 }, { leaderEpoch: 4, startOffset: 100 }],
  segments: [
    {
      baseOffset: 0,
      lastOffset: 999,
      bytes: 4_000_000,
      maxTimestampMs: 1_699_999_999_999,
      merged: true,
    },
    { baseOffset: 1_000, lastOffset: 1_999, bytes: 4_100_000, maxTimestampMs: -1, merged: false },
  ],
  removed: [{ baseOffset: 0, removedMs: 5 }],
  producers: [{
    producerId: 9,
    producerEpoch: 2,
    coordinatorEpoch: -1,
    lastTimestampMs: 77,
    transactionStartOffset: -1,
    batches: [{ firstSequence: 2_147_483_640, lastSequence: 3, baseOffset: 5, lastOffset: 16 }],
  }],
  aborted: [{ producerId: 9, firstOffset: 1, lastOffset: 2, lastStableOffset: 3 }],
  merge: { firstBase: 1_000, lastBase: 2_000 },
};

/** The same as a broker of version 1 wrote it, without what that version lacked. */
const VERSION_1_HEX =
  "4b4d414e00010000000102030405060708090a0b0c0d0e0f00000003000000000000000c0000018bcfe56800" +
  "00000000000007d0000000000000000a00000002000000000000000000000000000000040000000000000064" +
  "00000002000000000000000000000000000003e700000000003d09000000018bcfe567ff00000000000003e8" +
  "00000000000007cf00000000003e8fa0ffffffffffffffff0000000100000000000000000000000000000005" +
  "0000000100000000000000090002ffffffff000000000000004dffffffffffffffff017ffffff80000000300" +
  "0000000000000500000000000000100000000100000000000000090000000000000001000000000000000200" +
  "000000000000035aebfcef4b4d4145";

Deno.test("manifest: comes back as written", () => {
  assertEquals(decodeManifest(encodeManifest(MANIFEST)), MANIFEST);
});

Deno.test("manifest: an empty one comes back as written", () => {
  const empty: Manifest = {
    ...MANIFEST,
    leaderEpochs: [],
    segments: [],
    removed: [],
    producers: [],
    aborted: [],
    merge: undefined,
  };
  assertEquals(decodeManifest(encodeManifest(empty)), empty);
});

Deno.test("manifest: version 1 is read, without merges", () => {
  const bytes = Uint8Array.from(VERSION_1_HEX.match(/../g)!, (pair) => parseInt(pair, 16));
  assertEquals(decodeManifest(bytes), {
    ...MANIFEST,
    segments: MANIFEST.segments.map((segment) => ({ ...segment, merged: false })),
    merge: undefined,
  });
});

Deno.test("manifest: a version of the future is refused", () => {
  const bytes = encodeManifest(MANIFEST);
  bytes[5] = MANIFEST_VERSION + 1;
  assertThrows(() => decodeManifest(bytes), MalformedError, "version 3 is unknown");
});

Deno.test("manifest: every flipped bit and every cut is noticed", () => {
  const bytes = encodeManifest(MANIFEST);
  for (let at = 0; at < bytes.length; at++) {
    const broken = bytes.slice();
    broken[at]! ^= 0x04;
    assertThrows(() => decodeManifest(broken), MalformedError);
    assertThrows(() => decodeManifest(bytes.subarray(0, at)), MalformedError);
  }
});
