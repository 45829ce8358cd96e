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

Deno.test("what two readers want ahead is loaded once, and counts once", async () => {
  const scene = new Scene(1, "faults");
  const room = await scene.until(scene.open());
  await scene.until(commits(room, 1, 1, 8 * KIB));
  Object.assign(scene.faults!, { latencyMinMs: 50, latencyMaxMs: 50 });
  const [key] = scene.keys("ns/.wal").slice(-1);
  const size = scene.objects.get(key!)!.length;
  const ahead = new ReadAhead(room.cache);
  const { signal } = new AbortController();
  for (let reader = 0; reader < 40; reader++) ahead.start(key!, size, 0, size, signal, false);
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
