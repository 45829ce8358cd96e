/** What nobody needs: found, and gone after a repair, which loses nothing. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { FINDINGS, isDoubtful } from "../../core/fsck/mod.ts";
import { mergeSegments } from "../../core/log/merge.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { concat } from "../../core/bytes/mod.ts";
import { buildBatch } from "../../core/protocol/batch_builder.ts";
import { encodeIndex, encodeSegment } from "../../core/storage/segment/mod.ts";
import { type ObjectStore, StoreError } from "../../core/storage/object_store.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { memoryStore } from "../../drivers/storage/memory/driver.ts";
import { commit } from "../log/scene.ts";
import {
  alter,
  check,
  found,
  type HealthyStore,
  healthyStore,
  PARTITION,
  readEverything,
  repair,
} from "./healthy_store.ts";

const WAL = "ns/.wal/3/";
const SECOND_CHAIN = `${WAL}0000000002/`;
const THIRD_CHAIN = `${WAL}0000000003/`;
const slot = (chain: string, at: number) => `${chain}${String(at).padStart(20, "0")}.wal`;
const named = (base: number, end: string) =>
  `${PARTITION}segment-${String(base).padStart(20, "0")}.${end}`;

/** A successor that dies when it has sealed and adopted, before it forgets the former chain. */
async function halfTakenOver({ scene }: HealthyStore): Promise<void> {
  scene.beforeCommit = (count) => count < 2 ? undefined : new Promise(() => {});
  void scene.open();
  await scene.runtime.settle();
  scene.beforeCommit = undefined;
}

interface Case {
  readonly make: (store: HealthyStore) => void | Promise<void>;
  readonly finds: readonly string[];
  /** What a repair leaves; nothing unless said. */
  readonly leaves?: readonly string[];
}

const cases: Record<string, Case> = {
  "an index that is gone": {
    make: ({ scene }) => void scene.objects.delete(named(4, "index")),
    finds: [`index-missing ${named(4, "index")}`],
  },
  "an index that cannot be read": {
    make: ({ scene }) => alter(scene, named(4, "index"), (bytes) => bytes.slice(1)),
    finds: [`index-damaged ${named(4, "index")}`],
  },
  "an index of another segment": {
    make: ({ scene }) => {
      scene.objects.set(named(4, "index"), scene.objects.get(named(0, "index"))!);
    },
    finds: [`index-mismatch ${named(4, "index")}`],
  },
  "an index that points between batches": {
    make: ({ scene }) => {
      const entries = [{ baseOffset: 4, position: 32 }, { baseOffset: 6, position: 33 }];
      scene.objects.set(named(4, "index"), encodeIndex(entries, 1).slice());
    },
    finds: [`index-mismatch ${named(4, "index")}`],
  },
  "an index without a segment": {
    make: ({ scene }) => {
      scene.objects.set(named(5, "index"), scene.objects.get(named(4, "index"))!);
    },
    finds: [`index-orphan ${named(5, "index")}`],
  },
  "a manifest that was superseded long ago": {
    make: ({ scene }) => {
      const key = `${PARTITION}manifest-00000000000000000000`;
      scene.objects.set(key, scene.objects.get(`${PARTITION}manifest-00000000000000000001`)!);
    },
    finds: [`manifest-stale ${PARTITION}manifest-00000000000000000000`],
  },
  "a rival's segment of offsets that are in others": {
    make: (store) => {
      const [key, index, bytes] = [named(6, "kfs"), named(6, "index"), twoBatches(6)];
      store.scene.objects.set(key, bytes);
      store.scene.objects.set(index, store.scene.objects.get(named(4, "index"))!);
    },
    finds: [`segment-orphan ${named(6, "kfs")}`],
  },
  "a segment of offsets that are in the commit log, where no rewriting starts": {
    make: ({ scene }) => scene.objects.set(named(13, "kfs"), twoBatches(13)),
    finds: [`segment-orphan ${named(13, "kfs")}`],
  },
  "an unreadable segment where the next rewriting starts": {
    make: ({ scene }) => scene.objects.set(named(12, "kfs"), new Uint8Array(100)),
    finds: [`segment-orphan ${named(12, "kfs")}`],
  },
  "a slot behind a chain's seal": {
    make: async (store) => {
      const { objects } = store.scene;
      objects.set(slot(SECOND_CHAIN, 5), objects.get(slot(SECOND_CHAIN, 2))!);
      await halfTakenOver(store);
    },
    finds: [`wal-void ${slot(SECOND_CHAIN, 5)}`],
  },
  "a slot behind the first free one of a chain that nobody sealed": {
    make: ({ scene }) => {
      scene.objects.set(slot(SECOND_CHAIN, 5), scene.objects.get(slot(SECOND_CHAIN, 2))!);
    },
    finds: [
      `wal-slot-misplaced ${slot(SECOND_CHAIN, 5)}`,
      `wal-void ${slot(SECOND_CHAIN, 5)}`,
    ],
    // Should its owner still run, it would take the slot for stored.
    leaves: [
      `wal-slot-misplaced ${slot(SECOND_CHAIN, 5)}`,
      `wal-void ${slot(SECOND_CHAIN, 5)}`,
    ],
  },
  "a slot that a late write put back below the low-water mark": {
    make: async ({ scene, topicId }) => {
      const room = await scene.open();
      await room.sweepLeftovers();
      const log = await room.log(topicId, 2);
      await commit(log, ["x"]);
      const late = scene.objects.get(slot(THIRD_CHAIN, 1))!;
      for (const partition of [0, 1, 2]) {
        await rewriteTail(await room.log(topicId, partition), true);
      }
      await room.ledger.sweep();
      room.crash();
      scene.objects.set(slot(THIRD_CHAIN, 1), late);
    },
    finds: [`wal-below-low-water ${slot(THIRD_CHAIN, 1)}`],
  },
  "slots of a former chain that a start did not get to sweep": {
    make: async ({ scene }) => (await scene.open()).crash(),
    finds: [`wal-leftover ${slot(SECOND_CHAIN, 0)}`],
  },
  "a write check that did not end": {
    make: ({ scene }) => scene.objects.set("ns/.probe/3/0123", new Uint8Array(8)),
    finds: ["probe-leftover ns/.probe/3/0123"],
  },
  "objects of a deleted topic that came late": {
    make: async ({ scene }) => {
      const room = await scene.open();
      await room.sweepLeftovers();
      const id = await room.topic("gone");
      await commit(await room.log(id), ["x"]);
      await rewriteTail(await room.log(id), true);
      const late = scene.keys("ns/gone/").map((key) => [key, scene.objects.get(key)!] as const);
      await room.topics.delete([{ id }]);
      await scene.runtime.settle();
      await room.topics.finishDeletion(id);
      room.crash();
      assertEquals(scene.keys("ns/gone/"), []);
      for (const [key, bytes] of late) scene.objects.set(key, bytes);
    },
    finds: ["directory-orphan ns/gone/"],
  },
  "a directory that the metadata has never heard of": {
    make: ({ scene }) => {
      scene.objects.set("ns/other/0/segment-00000000000000000000.kfs", new Uint8Array(9));
    },
    finds: ["directory-unknown ns/other/"],
    leaves: ["directory-unknown ns/other/"],
  },
  "a partition that its topic doesn't have": {
    make: ({ scene }) => {
      scene.objects.set("ns/a/3/segment-00000000000000000000.kfs", new Uint8Array(9));
      scene.objects.set("ns/a/3/segment-00000000000000000000.index", new Uint8Array(9));
    },
    finds: ["partition-unknown ns/a/3/"],
    leaves: ["partition-unknown ns/a/3/"],
  },
  "objects that are none of KafScale's": {
    make: ({ scene }) => {
      for (const key of ["ns/.wal/notes", "ns/a/README", "ns/a/0/segment-1.kfs"]) {
        scene.objects.set(key, new Uint8Array(9));
      }
    },
    finds: [
      "object-unknown ns/.wal/notes",
      "object-unknown ns/a/0/segment-1.kfs",
      "object-unknown ns/a/README",
    ],
    leaves: [
      "object-unknown ns/.wal/notes",
      "object-unknown ns/a/0/segment-1.kfs",
      "object-unknown ns/a/README",
    ],
  },
};

/** A sound segment of two records at `base`. */
function twoBatches(base: number): Uint8Array {
  const body = [base, base + 1].map((baseOffset) =>
    buildBatch({ baseOffset, baseTimestampMs: 5, records: [{ value: new Uint8Array(3) }] })
  );
  const head = { baseOffset: base, lastOffset: base + 1, recordCount: 2, createdMs: 5 };
  return concat(encodeSegment(body, head));
}

for (const [title, { make, finds, leaves = [] }] of Object.entries(cases)) {
  Deno.test(`a repair ends ${title}, and every record is there afterwards`, async () => {
    const records = await readEverything(await healthyStore());
    const store = await healthyStore();
    const index = store.scene.objects.get(named(4, "index"))!;
    await make(store);
    assertEquals(found(await check(store)), finds.toSorted());
    const { report, repairs } = await repair(store);
    assertEquals(found(report), leaves.toSorted());
    for (const { code } of repairs) assert(FINDINGS[code].repair !== "", code);
    assertEquals((await repair(store)).repairs, []);
    assertEquals(store.scene.objects.get(named(4, "index")), index);
    const read = await readEverything(store);
    assertEquals(read.slice(0, 4), records.slice(0, 4));
  });
}

Deno.test("every kind of orphan, and every repair, has a case", () => {
  const all = Object.values(cases).flatMap(({ finds }) => finds.map((each) => each.split(" ")[0]));
  const tested = new Set(all);
  const missing = Object.entries(FINDINGS)
    .filter(([code, { repair: does }]) => does !== "" && !tested.has(code))
    .map(([code]) => code);
  assertEquals(missing, []);
});

Deno.test("the objects of a topic that is being deleted are no finding", async () => {
  const store = await healthyStore();
  const room = await store.scene.open();
  await room.sweepLeftovers();
  const late = store.scene.keys("ns/a/").map((key) =>
    [key, store.scene.objects.get(key)!] as const
  );
  await room.topics.delete([{ id: store.topicId }]);
  await store.scene.runtime.settle();
  room.crash();
  for (const [key, bytes] of late) store.scene.objects.set(key, bytes);
  assertEquals(found(await check(store)), []);
});

Deno.test("a merge that a crash cuts short at any step leaves a manifest at most", async () => {
  const seen = new Set<number>();
  for (let step = 1;; step++) {
    const store = await healthyStore();
    const { scene, topicId } = store;
    Object.assign(scene.settings, { segmentBytes: 500 });
    const room = await scene.open();
    await room.sweepLeftovers();
    await rewriteTail(await room.log(topicId, 0), true);
    const log = await room.log(topicId, 0);
    assertEquals(log.checkpoint.merge, { firstBase: 0, lastBase: 4 });
    let calls = 0;
    const death = Promise.withResolvers<boolean>();
    scene.beforeStore = () => {
      if (++calls !== step) return;
      room.crash();
      death.resolve(true);
    };
    const merged = mergeSegments(log).then(() => false);
    const died = await Promise.race([death.promise, merged]);
    scene.beforeStore = undefined;
    room.crash();
    for (const depth of ["quick", "normal", "deep"] as const) {
      const left = found(await check(store, { depth }));
      const other = left.filter((each) => !each.startsWith("manifest-stale "));
      assertEquals(other, [], `${depth}, step ${step}`);
    }
    assertEquals(found((await repair(store)).report), [], `step ${step}`);
    seen.add(scene.objects.get(named(0, "kfs"))!.length);
    const expected = (await readEverything(await healthyStore()))[0];
    assertEquals((await readEverything(store))[0], expected);
    if (!died) break;
  }
  assertEquals(seen.size, 2, "the merged object was met with the plan for it");
});

Deno.test("a segment that a crash left where the next rewriting starts is no finding", async () => {
  const store = await healthyStore();
  const room = await store.scene.open();
  await room.sweepLeftovers();
  const manifests = store.scene.keys(`${PARTITION}manifest-`);
  await rewriteTail(await room.log(store.topicId, 0), true);
  room.crash();
  for (const key of store.scene.keys(`${PARTITION}manifest-`)) {
    if (!manifests.includes(key)) store.scene.objects.delete(key);
  }
  // the manifest that the crash prevented had made the one before the last superfluous
  assertEquals(found(await check(store)), []);
  assertEquals((await readEverything(store))[0], (await readEverything(await healthyStore()))[0]);
});

Deno.test("a repair by the metadata of another cluster, or of none, touches nothing", async () => {
  const store = await healthyStore();
  const { scene } = store;
  scene.objects.set("ns/.probe/3/0123", new Uint8Array(8));
  scene.objects.delete(named(4, "index"));
  const before = scene.objects.page("", undefined, 1000);
  const other = (await healthyStore(2)).scene.metadata;
  for (const metadata of [other, new MemoryMetadata(scene.runtime)]) {
    const { report, repairs } = await repair(store, { metadata });
    assertEquals([report.verdict, isDoubtful(report), repairs], ["damaged", true, []]);
    assertEquals(scene.objects.page("", undefined, 1000), before);
  }
  const { report } = await repair(store);
  assertEquals([report.verdict, isDoubtful(report)], ["clean", false]);
});

Deno.test("a repair that is interrupted goes on where it was", async () => {
  for (let allowed = 0;; allowed++) {
    const store = await healthyStore();
    const { objects, runtime } = store.scene;
    for (const at of [0, 1, 2]) objects.set(`ns/.probe/3/${at}`, new Uint8Array(8));
    objects.delete(named(4, "index"));
    objects.set(named(5, "index"), objects.get(named(0, "index"))!);
    const cut = await repair(store, { store: failing(memoryStore(objects, runtime), allowed) })
      .then(() => false, () => true);
    const { report } = await repair(store);
    assertEquals(found(report), []);
    if (!cut) return assert(allowed >= 5, `only ${allowed} writes`);
  }
});

Deno.test("a check of one topic looks at nothing else; an unknown one is refused", async () => {
  const store = await healthyStore();
  const { objects } = store.scene;
  objects.set("ns/.probe/3/0123", new Uint8Array(8));
  objects.set("ns/other/0/x", new Uint8Array(8));
  objects.delete(named(4, "kfs"));
  assertEquals(found(await check(store, { topics: ["a"] })), [
    `segment-missing ${named(4, "kfs")}`,
  ]);
  await assertRejects(() => check(store, { topics: ["b"] }), Error, "there is no topic b");
});

/** Fails for good after so many writes. */
function failing(store: ObjectStore, allowed: number): ObjectStore {
  let left = allowed;
  const spend = () => {
    if (left-- <= 0) throw new StoreError("fatal", "the line is cut");
  };
  return {
    advice: store.advice,
    get: (key, range, o) => store.get(key, range, o),
    list: (prefix, after, o) => store.list(prefix, after, o),
    putIfAbsent: (key, body, o) => store.putIfAbsent(key, body, o),
    put: async (key, body, o) => {
      spend();
      await store.put(key, body, o);
    },
    delete: async (keys, o) => {
      spend();
      await store.delete(keys, o);
    },
    close: () => store.close(),
  };
}
