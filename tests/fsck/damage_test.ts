/** A healthy store, damaged in one way: exactly that is found, and a repair does not touch it. */
import { assert, assertEquals } from "@std/assert";
import { type FindingCode, FINDINGS, severityOf } from "../../core/fsck/mod.ts";
import { crc32c } from "../../core/bytes/mod.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { changeAssignment, UNASSIGNED } from "../../core/metadata/assignments.ts";
import { manifestKey } from "../../core/storage/keys.ts";
import type { ProducerEntry } from "../../core/storage/manifest.ts";
import { encodeIndex } from "../../core/storage/segment/mod.ts";
import { encodeSlotFooter, encodeSlotHeader, NO_MARK } from "../../core/storage/wal/format.ts";
import { commit } from "../log/scene.ts";
import {
  alter,
  alterManifest,
  check,
  type CheckOptions,
  found,
  type HealthyStore,
  healthyStore,
  PARTITION,
  repair,
} from "./healthy_store.ts";
import { batchRow } from "../storage/batch_row.ts";

const WAL = "ns/.wal/3/";
const FIRST_CHAIN = `${WAL}0000000001/`;
const SECOND_CHAIN = `${WAL}0000000002/`;
const slot = (chain: string, at: number) => `${chain}${String(at).padStart(20, "0")}.wal`;
const segment = (base: number) => `${PARTITION}segment-${String(base).padStart(20, "0")}.kfs`;
const index = (base: number) => `${PARTITION}segment-${String(base).padStart(20, "0")}.index`;
const NEWEST = `${PARTITION}manifest-00000000000000000002`;
const FORMER = `${PARTITION}manifest-00000000000000000001`;

const chainRef = (brokerEpoch: number) => ({ brokerId: 3, brokerEpoch });

const BATCH_AT = 32;
const BATCH_BYTES = 85;

interface Case {
  readonly damage: (store: HealthyStore) => void | Promise<void>;
  /** `code key` of each finding, in the order of the alphabet. */
  readonly finds: readonly string[];
  readonly check?: CheckOptions;
}

/** Recomputes what a `.kfs` says of its own body. */
function resumSegment(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer);
  view.setUint32(bytes.length - 16, crc32c(bytes, 32, bytes.length - 16));
}

function resumBatch(bytes: Uint8Array, at: number): void {
  const view = new DataView(bytes.buffer);
  view.setUint32(at + 17, crc32c(bytes, at + 21, at + 12 + view.getInt32(at + 8)));
}

function producer(more: Partial<ProducerEntry>): ProducerEntry {
  return {
    producerId: 9,
    producerEpoch: 0,
    coordinatorEpoch: -1,
    lastTimestampMs: 0,
    transactionStartOffset: -1,
    batches: [],
    ...more,
  };
}

const cases: Record<string, Case> = {
  "a manifest with a flipped bit": {
    damage: ({ scene }) => alter(scene, NEWEST, (bytes) => void (bytes[60]! ^= 1)),
    finds: [`manifest-damaged ${NEWEST}`],
  },
  "a manifest of another topic": {
    damage: ({ scene }) => alterManifest(scene, () => ({ topicId: "AAECAwQFBgcICQoLDA0ODw" })),
    finds: [`manifest-foreign ${NEWEST}`],
  },
  "a manifest under another sequence's key": {
    damage: ({ scene }) => scene.objects.set(manifestKey(PARTITION, 3), scene.objects.get(NEWEST)!),
    finds: [`manifest-foreign ${manifestKey(PARTITION, 3)}`, `manifest-stale ${FORMER}`],
  },
  "a manifest whose log starts behind what it covers": {
    damage: ({ scene }) => alterManifest(scene, () => ({ logStartOffset: 13 })),
    finds: [`manifest-inconsistent ${NEWEST}`],
  },
  "a manifest that covers more than its segments": {
    damage: ({ scene }) => alterManifest(scene, () => ({ coveredOffset: 13 })),
    finds: [`manifest-inconsistent ${NEWEST}`],
  },
  "a manifest that plans to merge what it does not name": {
    damage: ({ scene }) => alterManifest(scene, () => ({ merge: { firstBase: 4, lastBase: 9 } })),
    finds: [`manifest-inconsistent ${NEWEST}`],
  },
  "a hole between two segments": {
    damage: ({ scene }) => {
      alterManifest(scene, ({ segments }) => ({ segments: [segments[0]!, segments[2]!] }));
    },
    // The segment that the manifest does not name any more is the only copy.
    finds: [`segment-hole ${NEWEST}`, `segment-unnamed ${segment(4)}`],
  },
  "two segments with the same offsets": {
    damage: ({ scene }) =>
      alterManifest(scene, ({ segments: [a, b, c] }) => ({
        segments: [{ ...a!, lastOffset: 4 }, b!, c!],
      })),
    finds: [`segment-overlap ${NEWEST}`, `segment-mismatch ${segment(0)}`],
  },
  "a segment that is gone": {
    damage: ({ scene }) => void scene.objects.delete(segment(4)),
    finds: [`segment-missing ${segment(4)}`],
  },
  "a segment that is empty": {
    damage: ({ scene }) => scene.objects.set(segment(4), new Uint8Array(0)),
    finds: [`segment-damaged ${segment(4)}`],
  },
  "a segment without its magic": {
    damage: ({ scene }) => alter(scene, segment(4), (bytes) => void (bytes[0] = 0)),
    finds: [`segment-damaged ${segment(4)}`],
    check: { depth: "quick" },
  },
  "a segment without its end": {
    damage: ({ scene }) => alter(scene, segment(4), (bytes) => bytes.slice(0, -3)),
    finds: [`segment-damaged ${segment(4)}`],
  },
  "a segment with a flipped bit in its body": {
    damage: ({ scene }) => alter(scene, segment(4), (bytes) => void (bytes[150]! ^= 1)),
    finds: [`segment-damaged ${segment(4)}`],
  },
  "a segment that begins elsewhere": {
    damage: ({ scene }) => alter(scene, segment(4), (bytes) => void (bytes[15] = 3)),
    finds: [`segment-mismatch ${segment(4)}`, `index-mismatch ${index(4)}`],
    check: { depth: "quick" },
  },
  "a segment under another one's key": {
    damage: ({ scene }) => {
      scene.objects.set(segment(4), scene.objects.get(segment(8))!);
      scene.objects.set(index(4), scene.objects.get(index(8))!);
    },
    finds: [`segment-mismatch ${segment(4)}`, `segment-offsets ${segment(4)}`],
  },
  "a segment that is shorter than the manifest says": {
    damage: ({ scene }) => {
      alter(scene, segment(8), (bytes) => {
        const shorter = new Uint8Array(bytes.length - BATCH_BYTES);
        shorter.set(bytes.subarray(0, BATCH_AT + BATCH_BYTES));
        shorter.set(bytes.subarray(bytes.length - 16), shorter.length - 16);
        shorter[shorter.length - 5] = 9;
        resumSegment(shorter);
        return shorter;
      });
      scene.objects.set(index(8), encodeIndex([{ baseOffset: 8, position: 32 }], 1).slice());
    },
    finds: [`segment-mismatch ${segment(8)}`],
  },
  "batches that leave a hole": {
    damage: ({ scene }) => {
      alter(scene, segment(4), (bytes) => {
        bytes[BATCH_AT + 26] = 0;
        resumBatch(bytes, BATCH_AT);
        resumSegment(bytes);
      });
    },
    finds: [`segment-offsets ${segment(4)}`],
  },
  "a batch with a length that cannot be": {
    damage: ({ scene }) =>
      alter(scene, segment(4), (bytes) => {
        bytes[BATCH_AT + 11] = 3;
        resumSegment(bytes);
      }),
    finds: [`segment-damaged ${segment(4)}`],
  },
  "a batch that is cut off": {
    damage: ({ scene }) =>
      alter(scene, segment(4), (bytes) => {
        bytes[BATCH_AT + BATCH_BYTES + 11]! += 3;
        resumSegment(bytes);
      }),
    finds: [`segment-damaged ${segment(4)}`],
  },
  "a batch with a flipped bit under a right body CRC": {
    damage: ({ scene }) =>
      alter(scene, segment(4), (bytes) => {
        bytes[BATCH_AT + 80]! ^= 1;
        resumSegment(bytes);
      }),
    finds: [`batch-damaged ${segment(4)}`],
    check: { depth: "deep" },
  },
  "another greatest timestamp": {
    damage: ({ scene }) =>
      alterManifest(scene, ({ segments: [a, b, c] }) => ({
        segments: [a!, { ...b!, maxTimestampMs: 5 }, c!],
      })),
    finds: [`segment-timestamp ${segment(4)}`],
  },
  "leader epochs that go back within a manifest": {
    damage: ({ scene }) =>
      alterManifest(scene, () => ({
        leaderEpochs: [{ leaderEpoch: 2, startOffset: 0 }, { leaderEpoch: 1, startOffset: 4 }],
      })),
    finds: [`epoch-order ${NEWEST}`],
  },
  "leader epochs that go back from a segment to the commit log": {
    damage: ({ scene }) =>
      alter(scene, segment(8), (bytes) => {
        // not covered by the batch's CRC
        bytes[BATCH_AT + 15] = 1;
        bytes[BATCH_AT + BATCH_BYTES + 15] = 1;
        resumSegment(bytes);
      }),
    finds: [`epoch-order ${slot(FIRST_CHAIN, 6)}`],
  },
  "a producer with offsets that are not covered": {
    damage: ({ scene }) =>
      alterManifest(scene, ({ producers }) => ({
        producers: [
          ...producers,
          producer({
            batches: [{ firstSequence: 0, lastSequence: 1, baseOffset: 11, lastOffset: 12 }],
          }),
        ],
      })),
    finds: [`producer-state ${NEWEST}`],
  },
  "a producer with a hole in its sequences": {
    damage: ({ scene }) =>
      alterManifest(scene, ({ producers }) => ({
        producers: [
          ...producers,
          producer({
            batches: [
              { firstSequence: 0, lastSequence: 1, baseOffset: 0, lastOffset: 1 },
              { firstSequence: 3, lastSequence: 3, baseOffset: 2, lastOffset: 2 },
            ],
          }),
        ],
      })),
    finds: [`producer-state ${NEWEST}`],
  },
  "a producer that the commit log goes on with elsewhere": {
    damage: ({ scene }) =>
      alterManifest(scene, ({ producers: [known] }) => ({
        producers: [{ ...known!, batches: known!.batches.slice(0, -1) }],
      })),
    finds: [`producer-sequence ${PARTITION}`],
  },
  "a slot that is gone, and that an adoption record names": {
    damage: ({ scene }) => void scene.objects.delete(slot(FIRST_CHAIN, 7)),
    finds: [`wal-object-missing ${slot(FIRST_CHAIN, 7)}`],
  },
  "a slot with a flipped bit in its footer": {
    damage: ({ scene }) =>
      alter(scene, slot(SECOND_CHAIN, 1), (bytes) => void (bytes[bytes.length - 30]! ^= 1)),
    finds: [`wal-slot-damaged ${slot(SECOND_CHAIN, 1)}`],
  },
  "an adopted slot with a flipped bit in its footer": {
    damage: ({ scene }) =>
      alter(scene, slot(FIRST_CHAIN, 7), (bytes) => void (bytes[bytes.length - 30]! ^= 1)),
    finds: [
      `wal-object-missing ${slot(FIRST_CHAIN, 7)}`,
      `wal-slot-damaged ${slot(FIRST_CHAIN, 7)}`,
    ],
  },
  "a slot under another one's key": {
    damage: ({ scene }) => {
      scene.objects.set(slot(SECOND_CHAIN, 2), scene.objects.get(slot(SECOND_CHAIN, 1))!);
    },
    finds: [`wal-slot-misplaced ${slot(SECOND_CHAIN, 2)}`],
  },
  "a hole in the commit log": {
    damage: ({ scene, topicId }) => {
      const row = batchRow(20, { position: 16, length: 0 });
      scene.objects.set(slot(SECOND_CHAIN, 3), slotOf(3, topicId, 0, row));
    },
    finds: [`wal-hole ${slot(SECOND_CHAIN, 3)}`],
  },
  "two slots with the same offset": {
    damage: ({ scene, topicId }) => {
      const row = batchRow(16, { position: 16, length: 0 });
      scene.objects.set(slot(SECOND_CHAIN, 3), slotOf(3, topicId, 0, row));
    },
    finds: [`wal-overlap ${slot(SECOND_CHAIN, 3)}`],
  },
  "a committed slot that is gone from a sealed chain": {
    damage: async ({ scene }) => {
      // its successor got as far as the seal
      scene.beforeCommit = (count) => count < 2 ? undefined : new Promise(() => {});
      void scene.open();
      await scene.runtime.settle();
      scene.objects.delete(slot(SECOND_CHAIN, 1));
    },
    finds: [`wal-gap ${slot(SECOND_CHAIN, 1)}`, `wal-object-missing ${slot(SECOND_CHAIN, 1)}`],
  },
  "a committed slot that is gone from a chain in use": {
    damage: async ({ scene, topicId }) => {
      const room = await scene.open();
      await commit(await room.log(topicId, 2), ["a"]);
      await commit(await room.log(topicId, 2), ["b"]);
      await commit(await room.log(topicId, 1), ["c"]);
      await rewriteTail(await room.log(topicId, 1), true);
      room.crash();
      scene.objects.delete(slot(`${WAL}0000000003/`, 2));
    },
    // Slot 3, behind it, is in a segment: so slot 2 was committed.
    finds: [
      `wal-gap ${slot(`${WAL}0000000003/`, 2)}`,
      `wal-leftover ${slot(SECOND_CHAIN, 0)}`,
      `wal-void ${slot(`${WAL}0000000003/`, 3)}`,
    ],
  },
  "a former chain without its seal": {
    damage: ({ scene }) => void scene.objects.delete(slot(FIRST_CHAIN, 10)),
    finds: [`wal-seal-missing ${FIRST_CHAIN}`],
  },
  "metadata that is older than the bucket": {
    damage: ({ scene }) => {
      const chain = `${WAL}0000000009/`;
      scene.objects.set(slot(chain, 0), scene.objects.get(slot(FIRST_CHAIN, 10))!);
    },
    finds: [`wal-epoch-ahead ${WAL}0000000009/`],
  },
  "an adoption record that is wrong about a position": {
    damage: ({ scene }) => {
      alter(scene, slot(SECOND_CHAIN, 0), (bytes) => {
        const view = new DataView(bytes.buffer);
        // the last row's position; behind it is the mark of metadata
        const footerAt = bytes.length - 16 - view.getUint32(bytes.length - 16);
        view.setUint32(bytes.length - 16 - 16 - 52 + 12, 999);
        const header = crc32c(bytes, 0, 16);
        view.setUint32(bytes.length - 12, crc32c(bytes, footerAt, bytes.length - 16, header));
      });
    },
    finds: [`wal-adoption-mismatch ${slot(SECOND_CHAIN, 0)}`],
  },
  "a batch in the commit log with a flipped bit": {
    damage: ({ scene }) => alter(scene, slot(SECOND_CHAIN, 1), (bytes) => void (bytes[80]! ^= 1)),
    finds: [`wal-batch-damaged ${slot(SECOND_CHAIN, 1)}`],
    check: { depth: "deep" },
  },
  "an adopted batch in the commit log with a flipped bit": {
    damage: ({ scene }) => alter(scene, slot(FIRST_CHAIN, 8), (bytes) => void (bytes[80]! ^= 1)),
    finds: [`wal-batch-damaged ${slot(FIRST_CHAIN, 8)}`],
    check: { depth: "deep" },
  },
  "manifests that are gone": {
    damage: ({ scene }) => {
      scene.objects.delete(NEWEST);
      scene.objects.delete(FORMER);
    },
    finds: [
      `manifest-missing ${segment(0)}`,
      `manifest-missing ${segment(4)}`,
      `manifest-missing ${segment(8)}`,
      `wal-hole ${slot(FIRST_CHAIN, 6)}`,
    ],
  },
  "the newest manifest gone": {
    damage: ({ scene }) => void scene.objects.delete(NEWEST),
    finds: [
      `producer-sequence ${PARTITION}`,
      `segment-unnamed ${segment(8)}`,
      `wal-hole ${slot(FIRST_CHAIN, 6)}`,
    ],
  },
  "entries in a chain that their partition's assignment does not name": {
    damage: async ({ scene, topicId }) => {
      const owner = { brokerId: 4, brokerEpoch: 1 };
      await changeAssignment(scene.metadata.connect(), topicId, () => [
        { ...UNASSIGNED, target: 4, leaderEpoch: 1, owner },
        { ...UNASSIGNED, target: 4, leaderEpoch: 1, owner, sources: [chainRef(2)] },
        { ...UNASSIGNED, target: 4, leaderEpoch: 1, owner },
      ]);
    },
    finds: [`wal-chain-unassigned ${slot(FIRST_CHAIN, 6)}`],
  },
  "an assignment that would give a leader epoch once more": {
    damage: async ({ scene, topicId }) => {
      const sources = [chainRef(2)];
      await changeAssignment(scene.metadata.connect(), topicId, () => [
        { ...UNASSIGNED, leaderEpoch: -2, sources },
        { ...UNASSIGNED, leaderEpoch: -1, sources },
        UNASSIGNED,
      ]);
    },
    finds: [`epoch-behind ${PARTITION}`],
  },
  "an assignment that cannot be read": {
    damage: async ({ scene }) => {
      const value = new Uint8Array(9);
      await scene.metadata.connect().commit({ if: [], then: [{ put: "assign/x", value }] });
    },
    finds: ["metadata-damaged assign/x"],
  },
  "a topic record that cannot be read": {
    damage: async ({ scene }) => {
      const metadata = scene.metadata.connect();
      const value = new Uint8Array(9);
      await metadata.commit({ if: [], then: [{ put: "topics/live/broken", value }] });
    },
    finds: ["metadata-damaged topics/live/broken"],
  },
  "two topics with one directory": {
    damage: async ({ scene }) => {
      const metadata = scene.metadata.connect();
      const value = (await metadata.get("topics/live/a"))!.value;
      await metadata.commit({ if: [], then: [{ put: "topics/live/b", value }] });
    },
    finds: ["topic-directory-shared topics/live/b"],
  },
};

function slotOf(
  at: number,
  topicId: string,
  partition: number,
  row: Parameters<typeof encodeSlotFooter>[1]["partitions"][number]["rows"][number],
): Uint8Array {
  const header = encodeSlotHeader("data", new Uint8Array(8));
  const footer = encodeSlotFooter(header, {
    kind: "data",
    brokerId: 3,
    brokerEpoch: 2,
    slot: at,
    createdMs: 0,
    objects: [],
    metadata: NO_MARK,
    partitions: [{ topicId, partition, rows: [row] }],
  });
  const bytes = new Uint8Array(16 + footer.length);
  bytes.set(header);
  bytes.set(footer, 16);
  return bytes;
}

Deno.test("fsck() finds nothing in what brokers leave behind, at any depth", async () => {
  const store = await healthyStore();
  for (const depth of ["quick", "normal", "deep"] as const) {
    const { verdict, findings, looked } = await check(store, { depth });
    assertEquals([verdict, findings], ["clean", []]);
    const { topics, partitions, segments, chains, slots } = looked;
    assertEquals({ topics, partitions, segments, chains, slots }, {
      topics: 1,
      partitions: 2,
      segments: 3,
      chains: 1,
      slots: 7,
    });
    assertEquals(looked.segmentBytes, depth === "quick" ? 0 : 3 * 218);
  }
});

for (const [title, { damage, finds, check: options }] of Object.entries(cases)) {
  Deno.test(`fsck() finds ${title}, and nothing else`, async () => {
    const store = await healthyStore();
    await damage(store);
    const report = await check(store, options);
    assertEquals(found(report), finds.toSorted());
    assertEquals(found(await check(store, { ...options, moving: true })), finds.toSorted());
    const grave = finds.some((each) =>
      severityOf({ code: each.split(" ")[0] as FindingCode }) === "damage"
    );
    assertEquals(report.verdict, grave ? "damaged" : "leftovers");
  });

  Deno.test(`fsckAndRepair() leaves ${title} as it is`, async () => {
    const store = await healthyStore();
    await damage(store);
    const before = new Map(
      store.scene.objects.page("", undefined, 1000).map((
        { key },
      ) => [key, store.scene.objects.get(key)]),
    );
    const { report, repairs } = await repair(store, options);
    const mended = new Set(repairs.map(({ key }) => key));
    for (const { code, key } of repairs) {
      assert(FINDINGS[code].repair !== "", `${code} ${key} has a repair`);
    }
    const damaged = finds.filter((each) => !mended.has(each.split(" ")[1]!)).toSorted();
    assertEquals(found(report), damaged);
    for (const [key, bytes] of before) {
      if (!mended.has(key)) assert(store.scene.objects.get(key) === bytes, `${key} was touched`);
    }
  });
}

Deno.test("every kind of damage has a case", () => {
  const tested = new Set(
    Object.values(cases).flatMap(({ finds }) => finds.map((each) => each.split(" ")[0])),
  );
  const missing = Object.entries(FINDINGS)
    .filter(([code, { severity }]) => severity === "damage" && !tested.has(code))
    .map(([code]) => code);
  // in orphans_test.ts, with their repair
  assertEquals(missing, ["index-missing", "index-damaged"]);
});
