import { assert, assertEquals } from "@std/assert";
import { concat } from "../../core/bytes/mod.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { WalGather } from "../../core/log/wal_gather.ts";
import { BlockCache } from "../../core/storage/block_cache.ts";
import { decodeSlotHeader } from "../../core/storage/wal/format.ts";
import { append, batchOf, commit, QUIET_MS, readAll, Scene } from "./scene.ts";

Deno.test("a tick ends although producers keep adding to what it rewrites", async () => {
  const scene = new Scene();
  scene.options.walBytes = 0;
  const room = await scene.open();
  const topic = await room.topic("a");
  const log = await room.log(topic);
  await commit(log, ["first"]);
  const { putIfAbsent } = room.store;
  let segments = 0;
  Object.assign(room.store, {
    putIfAbsent: async (...args: Parameters<typeof putIfAbsent>) => {
      if (args[0].endsWith(".kfs") && ++segments < 1_000) {
        await append(log, batchOf(["another"])).committed;
      }
      return await putIfAbsent(...args);
    },
  });
  await scene.runtime.advance(QUIET_MS);
  assertEquals(segments, 1);
});

Deno.test("a partition that cannot be rewritten doesn't keep the others from it", async () => {
  const scene = new Scene();
  scene.options.walBytes = 0;
  const room = await scene.open();
  const topic = await room.topic("a", 2);
  for (const partition of [0, 1]) await commit(await room.log(topic, partition), ["x"]);
  const { putIfAbsent } = room.store;
  Object.assign(room.store, {
    putIfAbsent: (...args: Parameters<typeof putIfAbsent>) =>
      args[0].startsWith("ns/a/0/") ? Promise.reject(new Error("broken")) : putIfAbsent(...args),
  });
  await scene.runtime.advance(QUIET_MS);
  assertEquals((await room.log(topic, 1)).tail.length, 0);
  assertEquals((await room.log(topic, 0)).tail.length, 1);
  assert(room.housekeeping.stats.failures > 0);
});

Deno.test("rewriteAll() rewrites partitions that nobody has opened yet", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const topic = await first.topic("a", 2);
  for (const partition of [0, 1]) await commit(await first.log(topic, partition), ["x"]);
  first.crash();
  const second = await scene.open();
  await second.housekeeping.rewriteAll();
  await second.sweepLeftovers();
  assertEquals(second.ledger.objects, 0);
  const kinds = scene.keys("ns/.wal").map((key) => decodeSlotHeader(scene.objects.get(key)!).kind);
  assertEquals(kinds, ["seal"]);
});

Deno.test("stop() in the middle of a rewrite loses nothing and leaves no timer", async () => {
  const scene = new Scene();
  scene.options.walBytes = 0;
  const room = await scene.open();
  const topic = await room.topic("a");
  await commit(await room.log(topic), ["x"]);
  await commit(await room.log(topic), ["y"]);
  const { putIfAbsent } = room.store;
  let begun = false;
  Object.assign(room.store, {
    putIfAbsent: (...[key, body, o]: Parameters<typeof putIfAbsent>) =>
      !key.endsWith(".kfs") ? putIfAbsent(key, body, o) : new Promise((_, reject) => {
        begun = true;
        o!.signal!.addEventListener("abort", () => reject(o!.signal!.reason));
      }),
  });
  await scene.runtime.advance(QUIET_MS + 500);
  assert(begun);
  await room.stop();
  assertEquals(scene.runtime.pendingTimers, 0);
  const again = await (await scene.open()).log(topic);
  assertEquals(await readAll(again), [[0, "x"], [1, "y"]]);
  assertEquals(await rewriteTail(again, true) > 0, true);
});

Deno.test("deletions go on with the other topics when one fails, and come back to it", async () => {
  const scene = new Scene();
  const room = await scene.open();
  for (const name of ["a", "b"]) {
    const log = await room.log(await room.topic(name));
    await commit(log, [name]);
    await rewriteTail(log, true);
  }
  const { list } = room.store;
  let broken = true;
  Object.assign(room.store, {
    list: (...args: Parameters<typeof list>) => {
      if (broken && args[0] === "ns/a/") throw new Error("broken");
      return list(...args);
    },
  });
  await room.topics.delete([{ name: "a" }, { name: "b" }]);
  await scene.runtime.advance(3_000);
  assertEquals(scene.keys("ns/b"), []);
  assert(scene.keys("ns/a").length > 0);
  broken = false;
  await scene.runtime.advance(3_000);
  assertEquals(scene.keys("ns/a"), []);
  assertEquals(room.topics.pendingDeletions(), []);
});

Deno.test("partitions that get little are rewritten when the WAL took as much", async () => {
  const scene = new Scene();
  const room = await scene.open();
  const topic = await room.topic("a", 300);
  const logs = await Promise.all(Array.from({ length: 300 }, (_, at) => room.log(topic, at)));
  for (const log of logs) append(log, batchOf(["x"]));
  while (room.ledger.objects < 1_190) await commit(logs[0]!, ["y"]);
  await scene.runtime.advance(QUIET_MS);
  assertEquals(room.housekeeping.stats.rewrites, 0);
  while (room.ledger.objects <= 1_200) await commit(logs[0]!, ["y"]);
  await scene.runtime.advance(2_000);
  assert(room.housekeeping.stats.rewrites >= 300);
  assert(room.ledger.objects < 10);
});

/** Partitions with an old entry each, and clients that read so much a second. */
async function besideReaders(count: number, bytesPerSecond: number) {
  const scene = new Scene(1, "faults");
  scene.options.walAgeMs = 1_000;
  const room = await scene.until(scene.open());
  const topic = await scene.until(room.topic("a", count));
  for (let at = 0; at < count; at++) {
    const log = await scene.until(room.log(topic, at));
    await scene.until(commit(log, ["x"]));
  }
  const { traffic } = (await room.log(topic)).context;
  let bytes = bytesPerSecond;
  const read = () => {
    traffic.readBytes += bytes / 10;
    scene.runtime.timers.after(100, read);
  };
  read();
  return { scene, room, change: (to: number) => void (bytes = to) };
}

Deno.test("rewriting goes on beside clients that do a little, however long it takes", async () => {
  const { scene, room } = await besideReaders(10, 4 << 20);
  // Each call of the store takes so long that more than a burst is read during each rewrite.
  Object.assign(scene.faults!, { latencyMinMs: 400, latencyMaxMs: 400 });
  await scene.runtime.advance(100_000);
  assertEquals(room.housekeeping.stats.rewrites, 10);
});

Deno.test("rewriting waits while clients do a lot, and for five quiet seconds", async () => {
  const { scene, room, change } = await besideReaders(3, 20 << 20);
  await scene.runtime.advance(60_000);
  assertEquals(room.housekeeping.stats.rewrites, 0);
  change(1 << 20);
  await scene.runtime.advance(4_000);
  assertEquals(room.housekeeping.stats.rewrites, 0);
  await scene.runtime.advance(6_000);
  assertEquals(room.housekeeping.stats.rewrites, 3);
});

Deno.test("a broker that has just started leaves clients alone for ten seconds", async () => {
  const scene = new Scene();
  scene.options.walBytes = 0;
  const first = await scene.open();
  const topic = await first.topic("a");
  await commit(await first.log(topic), ["x"]);
  first.crash();
  const room = await scene.open();
  await scene.runtime.advance(QUIET_MS - 500);
  assertEquals(room.housekeeping.stats.rewrites, 0);
  await scene.runtime.advance(1_000);
  assertEquals(room.housekeeping.stats.rewrites, 1);
});

Deno.test("WalGather reads each WAL object once, whatever the cache holds", async () => {
  const scene = new Scene();
  const room = await scene.open();
  const topic = await room.topic("a", 8);
  const logs = await Promise.all(Array.from({ length: 8 }, (_, at) => room.log(topic, at)));
  for (let round = 0; round < 20; round++) {
    const appended = logs.map((log) => append(log, batchOf([`${round}`])).committed);
    await Promise.all(appended);
  }
  const cache = new BlockCache({ store: room.store, capacityBytes: 0, blockBytes: 1 << 20 });
  const gather = new WalGather({ ...logs[0]!.context, cache });
  await gather.read(logs);
  assertEquals(cache.stats.loads, room.ledger.objects);
  for (const log of logs) {
    for (const { row, object } of log.tail.entries) {
      const wanted = scene.objects.get(object.key)!;
      const { position, length } = row;
      assertEquals(concat(gather.find(row)!), wanted.slice(position, position + length));
    }
  }
  gather.release();
  assertEquals(gather.find(logs[0]!.tail.first!.row), undefined);
});
