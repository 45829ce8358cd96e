/** A check beside a broker that works, on a store that falters, and what it takes. */
import { assert, assertEquals } from "@std/assert";
import { isDamage } from "../../core/fsck/mod.ts";
import { mergeSegments } from "../../core/log/merge.ts";
import { deleteRemoved, enforceRetention } from "../../core/log/retention.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { CALM, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { commit, type Room } from "../log/scene.ts";
import { check, found, type HealthyStore, healthyStore } from "./healthy_store.ts";

/** `store`, with `before` awaited before each call, which is counted from 1. */
function watched(
  store: ObjectStore,
  before: (count: number, call: "get" | "list") => Promise<void> | void,
  after: (bytes: number) => void = () => {},
): ObjectStore {
  let count = 0;
  return {
    ...store,
    advice: store.advice,
    get: async (key, range, o) => {
      await before(++count, "get");
      const bytes = await store.get(key, range, o);
      after(bytes?.length ?? 0);
      return bytes;
    },
    async *list(prefix, startAfter, o) {
      await before(++count, "list");
      yield* store.list(prefix, startAfter, o);
    },
  };
}

/** Commits, rewrites, merges, moves the log start and deletes, all at once. */
async function work(room: Room, { scene, topicId }: HealthyStore): Promise<void> {
  await commit(await room.log(topicId, 0), ["new"]);
  await commit(await room.log(topicId, 2), ["new"]);
  for (const partition of [0, 1, 2]) {
    const log = await room.log(topicId, partition);
    await rewriteTail(log, true);
    await mergeSegments(log);
  }
  await room.ledger.sweep();
  const log = await room.log(topicId, 0);
  scene.settings.retentionBytes = 400;
  await enforceRetention(log);
  scene.settings.retentionBytes = -1;
  await deleteRemoved(log);
  const id = await room.topic("passing");
  await commit(await room.log(id), ["x"]);
  await rewriteTail(await room.log(id), true);
  await room.topics.delete([{ id }]);
  await scene.runtime.settle();
}

Deno.test("fsck() finds no damage when a broker works between two of its calls", async () => {
  let calls = 0;
  for (let at = 1; at <= Math.max(calls, 1); at++) {
    const store = await healthyStore();
    const { objects, runtime } = store.scene;
    Object.assign(store.scene.settings, { segmentBytes: 500, fileDeleteDelayMs: 0 });
    const room = await store.scene.open();
    await room.sweepLeftovers();
    await commit(await room.log(store.topicId, 0), ["before"]);
    const beside = watched(memoryStore(objects, runtime), async (count) => {
      calls = Math.max(calls, count);
      if (count === at) await work(room, store);
    });
    const report = await check(store, { store: beside, moving: true });
    assertEquals(report.findings.filter(isDamage), [], `work at call ${at}`);
    room.crash();
  }
  assert(calls > 20, `only ${calls} calls`);
});

Deno.test("fsck() finds no damage when a broker is replaced between two of its calls", async () => {
  let calls = 0;
  for (let at = 1; at <= Math.max(calls, 1); at++) {
    const store = await healthyStore();
    const { objects, runtime } = store.scene;
    const room = await store.scene.open();
    await commit(await room.log(store.topicId, 1), ["before"]);
    const beside = watched(memoryStore(objects, runtime), async (count) => {
      calls = Math.max(calls, count);
      if (count !== at) return;
      room.crash();
      const next = await store.scene.open();
      await next.sweepLeftovers();
      await work(next, store);
      next.crash();
    });
    const report = await check(store, { store: beside, moving: true });
    assertEquals(report.findings.filter(isDamage), [], `replaced at call ${at}`);
  }
});

Deno.test("fsck() rides out a store that falters", async () => {
  const store = await healthyStore();
  const { scene } = store;
  const faults = { ...CALM, failBeforeChance: 0.2, throttleChance: 0.2, failAfterChance: 0.2 };
  const faltering = memoryStore(scene.objects, scene.runtime, faults);
  const report = await scene.until(check(store, { store: faltering, depth: "deep" }));
  assertEquals([report.verdict, report.looked.segments], ["clean", 3]);
});

Deno.test("fsck() has few calls under way, and none of more than 4 MiB", async () => {
  const store = await healthyStore();
  const { objects, runtime } = store.scene;
  const room = await store.scene.open();
  await room.sweepLeftovers();
  for (let at = 0; at < 60; at++) {
    const id = await room.topic(`t${at}`);
    await commit(await room.log(id), ["x".repeat(100 * at)]);
    await rewriteTail(await room.log(id), true);
  }
  const big = await room.topic("big");
  store.scene.settings.maxMessageBytes = 1 << 24;
  const last = commit(await room.log(big), ["x".repeat(9 << 20)]);
  await room.chain.flush();
  await last;
  await rewriteTail(await room.log(big), true);
  for (const partition of [0, 1]) await rewriteTail(await room.log(store.topicId, partition), true);
  await room.ledger.sweep();
  room.crash();
  const seen = { under: 0, most: 0, largest: 0, gets: 0 };
  const counting = watched(memoryStore(objects, runtime), async (_count, call) => {
    if (call === "list") return;
    seen.gets++;
    seen.under++;
    seen.most = Math.max(seen.most, seen.under);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }, (bytes) => {
    seen.under--;
    seen.largest = Math.max(seen.largest, bytes);
  });
  const { verdict, looked } = await check(store, { store: counting });
  assertEquals([verdict, looked.segments], ["clean", 66]);
  assert(seen.most > 4 && seen.most <= 16, `${seen.most} calls under way`);
  assertEquals(seen.largest, 4 << 20);
  // A body and an index for each segment, two more for the large one; a manifest for each
  // partition; the slots that are left, two former chains' seals among them.
  assertEquals(seen.gets, 66 * 2 + 2 + 63 + looked.slots + 2);
});

Deno.test("fsck() of damage beside a broker tells it all the same", async () => {
  const store = await healthyStore();
  const { objects, runtime } = store.scene;
  const room = await store.scene.open();
  await room.sweepLeftovers();
  const key = "ns/a/0/segment-00000000000000000004.kfs";
  objects.delete(key);
  const beside = watched(memoryStore(objects, runtime), async () => {
    // It waits for company, in time that only moves when it is told to.
    await store.scene.until(commit(await room.log(store.topicId, 1), ["more"]));
  });
  const report = await store.scene.until(check(store, { store: beside, moving: true }));
  assertEquals(found(report), [`segment-missing ${key}`]);
  room.crash();
});
