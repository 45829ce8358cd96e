/** What is swept, and what must not be. */
import { assertEquals } from "@std/assert";
import { sweepPartition } from "../../core/log/orphans.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { indexKey, manifestKey, segmentKey } from "../../core/storage/keys.ts";
import { append, batchOf, commit, readAll, Scene } from "./scene.ts";

async function covered() {
  const scene = new Scene();
  const room = await scene.open();
  const topic = await room.topic("a");
  const log = await room.log(topic);
  for (const values of [["a", "b"], ["c", "d"]]) {
    await commit(log, values);
    await rewriteTail(log, true);
  }
  return { scene, room, topic, log, some: scene.objects.get(segmentKey(log.prefix, 0))! };
}

Deno.test("sweepPartition() deletes what starts below the covered offset, unnamed", async () => {
  const { scene, log, some } = await covered();
  const named = scene.keys(log.prefix);
  const dead = [segmentKey(log.prefix, 1), indexKey(log.prefix, 1), indexKey(log.prefix, 3)];
  // The next rewriting takes this over, so it stays.
  const next = segmentKey(log.prefix, 4);
  const strange = `${log.prefix}segment-of-somebody`;
  for (const key of [...dead, next, strange]) scene.objects.set(key, some);
  assertEquals(await sweepPartition(log), 3);
  assertEquals(scene.keys(log.prefix), [...named, next, strange].sort());
  assertEquals((await readAll(log)).length, 4);
});

Deno.test("sweepPartition() deletes manifests behind the newest two", async () => {
  const { scene, log, some } = await covered();
  await log.deleteRecords(1);
  scene.objects.set(manifestKey(log.prefix, 0), some);
  assertEquals(log.checkpoint.sequence, 2);
  assertEquals(await sweepPartition(log), 1);
  assertEquals(scene.keys(`${log.prefix}manifest`).length, 2);
});

Deno.test("sweepPartition() leaves removed segments to their grace period", async () => {
  const { scene, log } = await covered();
  await log.deleteRecords(2);
  const before = scene.keys(log.prefix);
  assertEquals(await sweepPartition(log), 0);
  assertEquals(scene.keys(log.prefix), before);
});

Deno.test("sweepPartition() leaves the segment of a batch that DeleteRecords cut", async () => {
  const { scene, room, topic, log } = await covered();
  await append(log, batchOf(["e", "f", "g"])).committed;
  await log.deleteRecords(5);
  const { store } = room;
  const { putIfAbsent } = store;
  // The broker dies behind the segment, before the manifest.
  Object.assign(store, {
    putIfAbsent: (...args: Parameters<typeof putIfAbsent>) =>
      args[0].includes("manifest") ? new Promise(() => {}) : putIfAbsent(...args),
  });
  void rewriteTail(log, true);
  await scene.runtime.settle();
  room.crash();
  const key = segmentKey(log.prefix, 4);
  assertEquals(scene.objects.has(key), true);
  const next = await (await scene.open()).log(topic);
  assertEquals([next.checkpoint.coveredOffset, next.logStartOffset], [5, 5]);
  assertEquals(await sweepPartition(next), 0);
  assertEquals(scene.objects.has(key), true);
  // Once records behind it are deleted too, it is dead.
  await next.deleteRecords(7);
  assertEquals(await sweepPartition(next), 2);
  assertEquals(scene.objects.has(key), false);
});
