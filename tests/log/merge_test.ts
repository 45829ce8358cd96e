/** Small segments become one: the policy, the object, a crash before any of the store's calls. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { mergeSegments } from "../../core/log/merge.ts";
import { planMerge } from "../../core/log/merge_plan.ts";
import type { PartitionLogState } from "../../core/log/partition_log.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { deleteRemoved } from "../../core/log/retention.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { MERGE_PARTS_MAX, SEGMENT_BUILD_BYTES_MAX } from "../../core/config/limits.ts";
import { indexKey, segmentKey } from "../../core/storage/keys.ts";
import type { SegmentInfo } from "../../core/storage/manifest.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { decodeIndex, decodeSegment } from "../../core/storage/segment/mod.ts";
import { commit, QUIET_MS, readAll, type Room, Scene } from "./scene.ts";

function segments(sizes: readonly number[], merged: readonly number[] = []): SegmentInfo[] {
  return sizes.map((bytes, at) => ({
    baseOffset: at * 10,
    lastOffset: at * 10 + 9,
    bytes,
    maxTimestampMs: 1,
    merged: merged.includes(at),
  }));
}

const plan = (sizes: readonly number[], merged?: readonly number[]) =>
  planMerge(segments(sizes, merged), { segmentBytes: 1_000 });

Deno.test("planMerge() takes the first run of small segments that fills one", () => {
  assertEquals(plan([]), undefined);
  assertEquals(plan([300, 300, 300]), undefined);
  assertEquals(plan([300, 300, 300, 300]), { firstBase: 0, lastBase: 20 });
  assertEquals(plan([900, 300, 300, 300, 300]), { firstBase: 10, lastBase: 30 });
  assertEquals(plan([300, 900, 300, 300]), undefined);
});

Deno.test("planMerge() never starts with a merged segment, nor goes over one", () => {
  assertEquals(plan([300, 300, 300, 300], [0]), undefined);
  assertEquals(plan([300, 300, 300, 300, 300], [0]), { firstBase: 10, lastBase: 30 });
  assertEquals(plan([300, 300, 300, 300], [2]), undefined);
});

Deno.test("planMerge() merges many tiny ones, and none larger than memory allows", () => {
  const tiny = Array.from({ length: MERGE_PARTS_MAX }, () => 60);
  assertEquals(planMerge(segments(tiny.slice(1)), { segmentBytes: 1e6 }), undefined);
  assertEquals(planMerge(segments(tiny), { segmentBytes: 1e6 })?.lastBase, 630);
  const third = SEGMENT_BUILD_BYTES_MAX / 3 + 100;
  const large = segments([third, third, third]);
  assertEquals(planMerge(large, { segmentBytes: 2 ** 30 }), { firstBase: 0, lastBase: 10 });
});

Deno.test("planMerge() takes no segments that don't follow each other", () => {
  const [a, b, c, d] = segments([300, 300, 300, 300]);
  assertEquals(
    planMerge([a!, b!, d!, { ...c!, baseOffset: 40 }], { segmentBytes: 1_000 }),
    undefined,
  );
});

/** A partition with `count` segments of one record each, of which the last one plans a merge. */
async function smallSegments(
  count = 5,
): Promise<{ scene: Scene; room: Room; topic: string; log: PartitionLogState }> {
  const scene = new Scene();
  Object.assign(scene.settings, { segmentBytes: 360, indexIntervalBytes: 1, fileDeleteDelayMs: 0 });
  const room = await scene.open();
  const topic = await room.topic("a");
  const log = await room.log(topic);
  for (let at = 0; at < count; at++) {
    await commit(log, [`value ${at}`], { baseTimestampMs: 1_000 + at });
    await rewriteTail(log, true);
  }
  return { scene, room, topic, log };
}

const VALUES = (count: number) => Array.from({ length: count }, (_, at) => [at, `value ${at}`]);

Deno.test("mergeSegments() puts one segment with its index in the place of several", async () => {
  const { scene, log } = await smallSegments();
  const before = log.checkpoint.segments;
  const first = decodeSegment(scene.objects.get(segmentKey(log.prefix, 0))!);
  assertEquals(log.checkpoint.merge, { firstBase: 0, lastBase: 3 });
  const keys = scene.keys(log.prefix).length;
  assertEquals(await mergeSegments(log), 4);
  const [merged, rest] = log.checkpoint.segments;
  assertEquals([merged!.baseOffset, merged!.lastOffset, merged!.merged], [0, 3, true]);
  assertEquals([merged!.maxTimestampMs, rest], [1_003, before[4]]);
  const object = scene.objects.get(segmentKey(log.prefix, 0))!;
  assertEquals(object.length, merged!.bytes);
  assertEquals(decodeSegment(object), { ...first, lastOffset: 3, recordCount: 4 });
  const index = decodeIndex(scene.objects.get(indexKey(log.prefix, 0))!);
  assertEquals([...index.baseOffsets], [0, 1, 2, 3]);
  assertEquals(await readAll(log), VALUES(5));
  await deleteRemoved(log);
  assertEquals(scene.keys(log.prefix).length, keys - 6);
  assertEquals(await readAll(log), VALUES(5));
  assertEquals(await mergeSegments(log), 0);
});

Deno.test("a reader that holds the former manifest reads on after a merge", async () => {
  const { scene, room, topic, log } = await smallSegments();
  await room.stop();
  const rooms = [await scene.open(), await scene.open()];
  const [old, next] = await Promise.all(rooms.map((each) => each.log(topic)));
  assertEquals(await readAll(old!), VALUES(5));
  assertEquals(await mergeSegments(next!), 4);
  // The first segment's object is another one now; it is read by its old size, cached or not.
  assertEquals(old!.checkpoint.segments.length, 5);
  assertEquals(await readAll(old!), VALUES(5));
  rooms[0]!.cache.invalidate(segmentKey(log.prefix, 0));
  assertEquals(await readAll(old!), VALUES(5));
  await deleteRemoved(next!);
  for (let base = 1; base < 4; base++) rooms[0]!.cache.invalidate(segmentKey(log.prefix, base));
  assertEquals(await readAll(old!), VALUES(5));
  assertEquals(old!.checkpoint.segments, next!.checkpoint.segments);
  assertEquals(await readAll(next!), VALUES(5));
});

Deno.test("an executor that is late writes the same bytes, and its manifest loses", async () => {
  const { scene, room, topic, log } = await smallSegments();
  await room.stop();
  const [late, next] = [await scene.open(), await scene.open()];
  const log1 = await late.log(topic);
  const log2 = await next.log(topic);
  const held: (() => Promise<void>)[] = [];
  const { put } = late.store;
  Object.assign(late.store, {
    put: (...args: Parameters<typeof put>) =>
      new Promise<void>((resolve, reject) =>
        held.push(() => {
          const done = put(...args);
          done.then(resolve, reject);
          return done;
        })
      ),
  });
  const merging = mergeSegments(log1);
  await scene.runtime.settle();
  assertEquals(held.length, 1);
  assertEquals(await mergeSegments(log2), 4);
  const bytes = scene.objects.get(segmentKey(log.prefix, 0))!;
  // More is written, and merged; the successor's coverage goes on.
  for (let at = 5; at < 12; at++) {
    await commit(log2, [`value ${at}`], { baseTimestampMs: 1_000 + at });
    await rewriteTail(log2, true);
    await mergeSegments(log2);
    await deleteRemoved(log2);
  }
  while (held.length > 0) {
    await held.shift()!();
    await scene.runtime.settle();
  }
  assertEquals(await merging, 0);
  assertEquals(scene.objects.get(segmentKey(log.prefix, 0)), bytes);
  assertEquals(await readAll(log2), VALUES(12));
  // It has met the newer manifest, so it knows that it was replaced.
  assertEquals(late.logs.open(topic, 0), ErrorCode.NOT_LEADER_OR_FOLLOWER);
  assertEquals(log1.closed, ErrorCode.NOT_LEADER_OR_FOLLOWER);
});

Deno.test("retention that takes the first planned segment takes the plan with it", async () => {
  const { scene, log } = await smallSegments(8);
  assertEquals(log.checkpoint.merge, { firstBase: 0, lastBase: 3 });
  await log.deleteRecords(1);
  assertEquals(log.checkpoint.merge, { firstBase: 1, lastBase: 4 });
  // A cut inside of what is planned leaves the plan.
  assertEquals(await mergeSegments(log), 4);
  await deleteRemoved(log);
  assertEquals(await readAll(log), VALUES(8).slice(1));
  assertEquals(scene.keys(segmentKey(log.prefix, 0)), []);
});

Deno.test("a damaged part is not merged, and stays readable up to the damage", async () => {
  const { scene, room, topic, log } = await smallSegments();
  const key = segmentKey(log.prefix, 2);
  const bytes = scene.objects.get(key)!.slice();
  bytes[bytes.length - 20]! ^= 1;
  await room.stop();
  scene.objects.set(key, bytes);
  const again = await scene.open();
  await scene.runtime.advance(QUIET_MS + 2_000);
  const after = await again.log(topic);
  await scene.runtime.advance(1_000);
  assertEquals(after.checkpoint.segments.length, 5);
  assertEquals(again.housekeeping.stats.failures, 1);
  assertNotEquals(after.checkpoint.merge, undefined);
});

/** Calls `crash` instead of the `at`-th call of the store, counted from 1. */
function crashAt(store: ObjectStore, at: number, crash: () => void): { calls: number } {
  const count = { calls: 0 };
  const before = () => {
    if (++count.calls === at) crash();
  };
  const { putIfAbsent, put, get, delete: remove, list } = store;
  Object.assign(store, {
    putIfAbsent: (...args: Parameters<typeof putIfAbsent>) => (before(), putIfAbsent(...args)),
    put: (...args: Parameters<typeof put>) => (before(), put(...args)),
    get: (...args: Parameters<typeof get>) => (before(), get(...args)),
    delete: (...args: Parameters<typeof remove>) => (before(), remove(...args)),
    list: (...args: Parameters<typeof list>) => (before(), list(...args)),
  });
  return count;
}

Deno.test("a crash before any call of a merge leaves its plan to the next owner", async () => {
  let crashes = 0;
  for (let at = 1;; at++) {
    const { scene, room, topic, log } = await smallSegments();
    let dead = false;
    crashAt(room.store, at, () => {
      dead = true;
      room.crash();
    });
    const work = async () => {
      await mergeSegments(log);
      await deleteRemoved(log);
    };
    work().catch(() => assert(dead, "it failed without a crash"));
    await scene.runtime.advance(1_000);
    if (!dead) break;
    crashes++;
    const next = await scene.open();
    const log2 = await next.log(topic);
    assertEquals(await readAll(log2), VALUES(5));
    scene.options.orphanSweepMs = 1e12;
    await scene.runtime.advance(QUIET_MS + 1_000);
    await deleteRemoved(log2);
    assertEquals(log2.checkpoint.segments.map((each) => each.merged), [true, false], `call ${at}`);
    assertEquals(await readAll(log2), VALUES(5));
    const left = scene.keys(log2.prefix).filter((key) => key.includes("segment"));
    assertEquals(left.length, 4, `call ${at}: ${left}`);
    next.crash();
  }
  assert(crashes > 8, `${crashes}`);
});
