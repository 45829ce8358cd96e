import { assertEquals, assertThrows } from "@std/assert";
import { MalformedError } from "../../core/bytes/mod.ts";
import { decodeManifest, encodeManifest, type Manifest } from "../../core/storage/manifest.ts";

const MANIFEST: Manifest = {
  topicId: "AAECAwQFBgcICQoLDA0ODw",
  partition: 3,
  sequence: 12,
  writtenMs: 1_700_000_000_000,
  coveredOffset: 2_000,
  logStartOffset: 10,
  leaderEpochs: [{ leaderEpoch: 0, startOffset: 0 }, { leaderEpoch: 4, startOffset: 100 }],
  segments: [
    { baseOffset: 0, lastOffset: 999, bytes: 4_000_000, maxTimestampMs: 1_699_999_999_999 },
    { baseOffset: 1_000, lastOffset: 1_999, bytes: 4_100_000, maxTimestampMs: -1 },
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
};

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
  };
  assertEquals(decodeManifest(encodeManifest(empty)), empty);
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
