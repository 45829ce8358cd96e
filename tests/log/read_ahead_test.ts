/** What readers who catch up have brought into memory, and in how many GETs. */
import { assert, assertEquals } from "@std/assert";
import { ReadAhead } from "../../core/storage/read_ahead.ts";
import { READS_AHEAD_MAX } from "../../core/config/limits.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { segmentKey } from "../../core/storage/keys.ts";
import { append, batchOf, commit, readAll, readFrom, type Room, Scene } from "./scene.ts";

const KIB = 1 << 10;

/** Commits of one batch to each partition. */
async function commits(room: Room, partitions: number, count: number, batchBytes: number) {
  const topic = await room.topic("a", partitions);
  const logs = await Promise.all(
    Array.from({ length: partitions }, (_, at) => room.log(topic, at)),
  );
  for (let at = 0; at < count; at++) {
    const value = "x".repeat(batchBytes);
    await Promise.all(logs.map((log) => append(log, batchOf([value])).committed));
  }
  return logs;
}

Deno.test("who reads all partitions from the start takes a GET for each WAL object", async () => {
  const scene = new Scene();
  scene.options.commitBytes = 1 << 20;
  const room = await scene.open();
  const logs = await commits(room, 8, 30, 4 * KIB);
  assertEquals(room.ledger.objects, 30);
  for (let offset = 0; offset < 30;) {
    const reads = await Promise.all(logs.map((log) => readFrom(log, offset, 10 * KIB)));
    for (const { records } of reads) assertEquals(records.map((each) => each.offset)[0], offset);
    offset = reads[0]!.records.at(-1)!.offset + 1;
  }
  assertEquals(room.cache.stats.loads, 30);
});

Deno.test("who reads one partition of many gets its bytes, and not those of all", async () => {
  const scene = new Scene();
  scene.options.commitBytes = 1 << 20;
  const room = await scene.open();
  const [log] = await commits(room, 100, 5, KIB / 2);
  assertEquals((await readAll(log!)).length, 5);
  const { loadedBytes } = room.cache.stats;
  // A batch may lie across the border of two blocks of 4 KiB.
  assert(loadedBytes <= 5 * 8 * KIB, `${loadedBytes} bytes`);
});

Deno.test("on a store whose calls cost little a partition's bytes are brought alone", async () => {
  const scene = new Scene();
  Object.assign(scene.options, { commitBytes: 1 << 20, readAheadBytes: 64 * KIB });
  const room = await scene.open();
  const [log] = await commits(room, 8, 30, 4 * KIB);
  assertEquals((await readAll(log!)).length, 30);
  const { loadedBytes } = room.cache.stats;
  assert(loadedBytes <= 30 * 12 * KIB, `${loadedBytes} bytes`);
});

for (const [calls, readAheadBytes] of [["dear", 4096 * KIB], ["cheap", 64 * KIB]] as const) {
  Deno.test(`what comes next is brought in time, where calls are ${calls}`, async () => {
    const scene = new Scene();
    Object.assign(scene.options, { commitBytes: 1 << 20, readAheadBytes });
    const room = await scene.open();
    const [log] = await commits(room, 1, 30, 4 * KIB);
    assertEquals(room.cache.callsAreDear, calls === "dear");
    const loads = () => room.cache.stats.loads;
    for (const gone of [false, true]) {
      const before = loads();
      const reader = new AbortController();
      const result = await log!.read(gone ? 20 : 0, 1, "read_uncommitted", true, reader.signal);
      const whileSent = loads() - before;
      if (gone) reader.abort();
      result.release();
      // A disk brings it once the answer is on its way, and for nobody who has left.
      if (calls === "cheap") assertEquals([whileSent, loads() - before > 1], [gone ? 0 : 1, !gone]);
      else assertEquals(loads() - before, whileSent);
      await scene.runtime.settle();
    }
    const before = loads();
    assertEquals((await readFrom(log!, 1, 10 * KIB)).records[0]!.offset, 1);
    assertEquals(loads() - before, 0, "it was there");
  });
}

Deno.test("what two readers want ahead is loaded once, and counts once", async () => {
  const scene = new Scene(1, "faults");
  const room = await scene.until(scene.open());
  await scene.until(commits(room, 1, 1, 8 * KIB));
  Object.assign(scene.faults!, { latencyMinMs: 50, latencyMaxMs: 50 });
  const [key] = scene.keys("ns/.wal").slice(-1);
  const size = scene.objects.get(key!)!.length;
  const ahead = new ReadAhead(room.cache);
  const { signal } = new AbortController();
  for (let reader = 0; reader < 40; reader++) ahead.start(key!, size, 0, size, signal, {});
  assertEquals(room.cache.stats.loads, 1);
  await scene.runtime.advance(100);
  assertEquals(room.cache.stats.misses, 3);
});

for (const readaheadSegments of [1, 3]) {
  Deno.test(`a reader that ends a segment has the next ${readaheadSegments} ahead`, async () => {
    const scene = new Scene();
    scene.options.readaheadSegments = readaheadSegments;
    const room = await scene.open();
    const log = await room.log(await room.topic("a"));
    for (const value of ["a", "b", "c", "d", "e", "f"]) {
      await commit(log, [value.repeat(2 * KIB)]);
      await rewriteTail(log, true);
    }
    const { loads } = room.cache.stats;
    assertEquals(log.segments.length, 6);
    for (let offset = 0; offset < 6; offset++) {
      assertEquals((await readFrom(log, offset)).records.length, 1);
      await scene.runtime.settle();
      const brought = room.cache.stats.loads - loads;
      assertEquals(brought, Math.min(6, offset + 1 + readaheadSegments), `at ${offset}`);
    }
  });
}

Deno.test("who reads segments in order has the next bytes there, over their ends", async () => {
  const scene = new Scene();
  Object.assign(scene.options, { readAheadBytes: 16 * KIB, readaheadSegments: 1 });
  const room = await scene.open();
  const log = await room.log(await room.topic("a"));
  for (const value of ["a", "b"]) {
    for (let batch = 0; batch < 10; batch++) await commit(log, [value.repeat(4 * KIB)]);
    await rewriteTail(log, true);
  }
  assertEquals(log.segments.length, 2);
  for (const { baseOffset } of log.segments) {
    room.cache.invalidate(segmentKey(log.prefix, baseOffset));
  }
  let waits = 0;
  for (let offset = 0; offset < 20;) {
    const { misses } = room.cache.stats;
    const reading = readFrom(log, offset, 10 * KIB);
    // What is brought ahead counts as missed, too: only what is missed at once is waited for.
    if (room.cache.stats.misses > misses) waits++;
    const { records } = await reading;
    assertEquals(records.map((each) => each.offset)[0], offset);
    offset = records.at(-1)!.offset + 1;
    await scene.runtime.settle();
  }
  assertEquals(waits, 1);
});

Deno.test("ReadAhead admits some readers, and in time another for one that has left", async () => {
  const ahead = new ReadAhead((await new Scene().open()).cache);
  for (let reader = 0; reader < READS_AHEAD_MAX; reader++) assert(ahead.admits(`reader ${reader}`));
  let asked = 1;
  for (; !ahead.admits("late"); asked++) assert(ahead.admits("reader 1"));
  assertEquals(asked, READS_AHEAD_MAX);
  assert(ahead.admits("late"));
  assert(!ahead.admits("reader 0"));
  assert(ahead.admits("reader 1"));
});

/** Logs of one topic, each with so many segments of 60 KiB, and nothing of them in memory. */
async function inSegments(room: Room, partitions: number, segments: number) {
  const topic = await room.topic("a", partitions);
  const logs = await Promise.all(
    Array.from({ length: partitions }, (_, at) => room.log(topic, at)),
  );
  for (const log of logs) {
    for (let at = 0; at < segments; at++) {
      for (let batch = 0; batch < 4; batch++) await commit(log, ["x".repeat(15 * KIB)]);
      await rewriteTail(log, true);
    }
    for (const { baseOffset } of log.segments) {
      room.cache.invalidate(segmentKey(log.prefix, baseOffset));
    }
  }
  return logs;
}

/** Reads all of the logs beside each other; how often a read had to wait for the store. */
async function readBeside(scene: Scene, room: Room, logs: Awaited<ReturnType<typeof inSegments>>) {
  let waits = 0;
  for (let offset = 0; offset < logs[0]!.highWatermark; offset++) {
    for (const log of logs) {
      const { misses } = room.cache.stats;
      const reading = readFrom(log, offset, 16 * KIB);
      if (room.cache.stats.misses > misses) waits++;
      assertEquals((await reading).records.map((each) => each.offset), [offset]);
    }
    await scene.runtime.settle();
  }
  return waits;
}

Deno.test("what readers of many segments have ahead does not drive itself out", async () => {
  const scene = new Scene();
  Object.assign(scene.options, { commitBytes: 1 << 20, readaheadSegments: 2 });
  const room = await scene.open();
  const logs = await inSegments(room, 8, 8);
  const { loadedBytes } = room.cache.stats;
  // 60 KiB for each reader now, and 120 KiB ahead, would be half as much again as the cache has.
  const waits = await readBeside(scene, room, logs);
  const all = logs.flatMap((log) => log.segments).reduce((sum, { bytes }) => sum + bytes, 0);
  const loaded = room.cache.stats.loadedBytes - loadedBytes;
  assert(loaded <= all, `${loaded} bytes for ${all}`);
  assert(waits < 8 * 8, `${waits} waits`);
});

Deno.test("where calls are dear the next window of a segment is there in time, too", async () => {
  const scene = new Scene();
  Object.assign(scene.options, { commitBytes: 1 << 20 });
  const room = await scene.open();
  const [log] = await inSegments(room, 1, 1);
  for (let batch = 0; batch < 40; batch++) await commit(log!, ["x".repeat(15 * KIB)]);
  await rewriteTail(log!, true);
  room.cache.invalidate(segmentKey(log!.prefix, log!.segments[1]!.baseOffset));
  const { loads } = room.cache.stats;
  // The first read of all, which comes from nowhere, and the second, which shows that it goes on.
  assert(await readBeside(scene, room, [log!]) <= 2);
  // Two for each segment's front, then one for each 64 KiB.
  const calls = room.cache.stats.loads - loads;
  assert(calls <= 14, `${calls} calls`);
});

Deno.test("bytes ahead count as such until they are read or driven out", async () => {
  const scene = new Scene();
  const room = await scene.open();
  const { cache, scene: { objects } } = room;
  const ahead = new ReadAhead(cache);
  const { signal } = new AbortController();
  const window = 64 * KIB;
  for (let at = 0; at < 6; at++) objects.set(`object ${at}`, new Uint8Array(window));
  const bring = async (at: number, times?: number) => {
    const { loads } = cache.stats;
    ahead.start(`object ${at}`, window, 0, window, signal, {}, times);
    await scene.runtime.settle();
    return cache.stats.loads > loads;
  };
  // A quarter of 1 MiB.
  assertEquals(cache.aheadRoom, 4 * window);
  assert(await bring(0));
  assert(!await bring(0));
  assert(await bring(1) && await bring(2));
  assert(!await bring(3, 2), "the second after a reader's wants room for two");
  assert(await bring(3));
  assert(!await bring(4));
  (await cache.read("object 0", window, 0, 10))!.release();
  assert(await bring(4));
  cache.invalidate("object 1");
  assert(await bring(5));
  assertEquals(cache.aheadRoom, 0);
});
