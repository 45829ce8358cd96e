/** Memory for records is bounded as one, and reused: what is not leaves garbage to be found. */
import { assert, assertEquals } from "@std/assert";
import { SlowFall } from "../../core/runtime/slow_fall.ts";
import { BlockPool } from "../../core/storage/block_buffers.ts";
import type { CacheLease } from "../../core/storage/block_cache.ts";
import { recordMemory } from "../../core/storage/record_memory.ts";
import { SLAB_BYTES, SlabBuffer, SlabPool } from "../../core/storage/wal/slab_pool.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

const MIB = 1 << 20;

Deno.test("SlabPool gives the memory of slabs that are too many back at once", () => {
  const slabs = new SlabPool(2);
  const [a, b, c, forgotten] = Array.from({ length: 4 }, () => slabs.acquire());
  for (const slab of [a!, b!, c!]) slabs.release(slab);
  slabs.forget(forgotten!);
  assertEquals([a, b, c, forgotten].map((slab) => slab!.length / SLAB_BYTES), [1, 1, 0, 1]);
  assertEquals(slabs.relieve(-SLAB_BYTES, 1), 0);
  assertEquals([a!.length, b!.length, slabs.idleBytes], [SLAB_BYTES, 0, SLAB_BYTES]);
  assertEquals(slabs.acquire(), a);
});

Deno.test("BlockPool cuts slabs, and gives one back when all its blocks are back", () => {
  const slabs = new SlabPool(4);
  const pool = new BlockPool(slabs, SLAB_BYTES / 4);
  const blocks = Array.from({ length: 5 }, () => pool.acquire());
  assertEquals([slabs.outside, pool.idleBytes], [2, 3 * SLAB_BYTES / 4]);
  assertEquals(new Set(blocks.slice(0, 4).map((block) => block.buffer)).size, 1);
  for (const block of blocks.slice(0, 3)) pool.release(block);
  assertEquals(slabs.outside, 2);
  pool.release(blocks[3]!);
  assertEquals([slabs.outside, slabs.idleBytes], [1, SLAB_BYTES]);
  pool.release(blocks[4]!);
  assertEquals([slabs.outside, pool.idleBytes], [0, 0]);
});

Deno.test("BlockPool never gives a slab back that somebody may still write into", () => {
  const slabs = new SlabPool(4);
  const pool = new BlockPool(slabs, SLAB_BYTES / 2);
  const [written, other] = [pool.acquire(), pool.acquire()];
  pool.forget(written);
  pool.release(other);
  assertEquals([slabs.outside, slabs.idleBytes, pool.idleBytes], [0, 0, 0]);
  assert(pool.acquire().buffer !== written.buffer);
});

Deno.test("what fills a slab is read into one whole, and the slab comes back", async () => {
  const { cache, commits, seen, objects } = scene(16, SLAB_BYTES / 4);
  objects.set("long", new Uint8Array(2.5 * MIB));
  const lease = await cache.read("long", 2.5 * MIB, 0, 2.5 * MIB);
  assertEquals(lease!.parts.map((part) => part.length), [MIB, MIB, MIB / 4, MIB / 4]);
  assertEquals(seen.size, 3);
  lease!.release();
  cache.invalidate("long");
  assertEquals([commits.outside, commits.idleBytes], [0, 3 * SLAB_BYTES]);
});

/** Memory over a store in memory; `made` counts slabs that were made. */
function scene(capacityMib: number, rangeBytes = SLAB_BYTES) {
  const runtime = manualRuntime();
  const objects = new MemoryObjects();
  const inner = memoryStore(objects, runtime);
  const store = Object.assign(inner, { advice: { ...inner.advice, rangeBytes } });
  store.getInto = async (key, start, into) => {
    const bytes = await store.get(key, undefined);
    let at = start;
    for (const part of into) part.set(bytes!.subarray(at, at += part.length));
    return at - start;
  };
  let open: SlabBuffer | undefined;
  const frames = { bytes: 0 };
  const held = { bytes: 0 };
  const memory = recordMemory({
    runtime,
    store,
    capacityBytes: capacityMib * MIB,
    commitBytes: () => open?.bufferBytes ?? 0,
    frameBytes: () => frames.bytes,
    storeBytes: () => held.bytes,
  });
  const seen = new Set<ArrayBufferLike>();
  const { acquire } = memory.commits;
  memory.commits.acquire = () => {
    const slab = acquire.call(memory.commits);
    seen.add(slab.buffer);
    return slab;
  };
  let slot = 0;
  /** As the chain and keepForReads do it. */
  const commit = (mib: number) => {
    const buffer = open = new SlabBuffer(memory.commits);
    const bytes = new Uint8Array(mib * MIB);
    buffer.copyIn(bytes, 0, bytes.length);
    const key = `slot-${slot++}`;
    objects.set(key, bytes);
    open = undefined;
    memory.cache.insert(key, buffer.parts(), () => buffer.release());
    return key;
  };
  return { ...memory, runtime, frames, held, commit, seen, objects };
}

Deno.test("commits without end are written to the slabs of those before", () => {
  const { commit, seen, frames } = scene(16);
  for (let at = 0; at < 200; at++) {
    // Requests come and go meanwhile.
    frames.bytes = at % 2 * 3 * MIB;
    commit(4);
  }
  assert(seen.size <= 24, `${seen.size} slabs were made for 800 MiB in a cache of 16`);
});

Deno.test("what is read after much was written takes its memory over", async () => {
  const { cache, commit, seen, runtime } = scene(16);
  const keys = Array.from({ length: 20 }, () => commit(4));
  const before = seen.size;
  for (const key of keys) {
    const lease = await cache.read(key, 4 * MIB, 0, 4 * MIB);
    lease!.release();
    await runtime.settle();
  }
  assert(seen.size - before <= 4, `${seen.size - before} slabs were made to read 80 MiB`);
  assert(cache.stats.bytes <= 16 * MIB);
});

Deno.test("slabs that few blocks hold on to count whole", async () => {
  const { cache, commits, commit } = scene(16, 256 << 10);
  const keys = Array.from({ length: 8 }, () => commit(4));
  for (const key of keys) cache.invalidate(key);
  const leases: CacheLease[] = [];
  // By turns and backwards, a block at a time, so that each slab holds blocks of all four.
  for (let block = 15; block >= 0; block--) {
    for (const key of keys.slice(0, 4)) {
      const start = block * (256 << 10);
      const lease = (await cache.read(key, 4 * MIB, start, start + (256 << 10)))!;
      if (key === keys[3]) leases.push(lease);
      else lease.release();
    }
  }
  for (const key of keys.slice(0, 3)) cache.invalidate(key);
  for (let at = 0; at < 40; at++) {
    cache.insert(`small-${at}`, [new Uint8Array(256 << 10)], () => {});
  }
  for (let at = 0; at < 4; at++) commit(1);
  const bytes = commits.outside * SLAB_BYTES + commits.idleBytes;
  const small = cache.stats.bytes - 4 * MIB;
  assert(bytes + small <= 21 * MIB, `${bytes} bytes of slabs, ${small} of other buffers`);
  for (const lease of leases) lease.release();
});

Deno.test("what background work copies is taken from the cache, and comes back", () => {
  const { cache, commits, work, commit, seen } = scene(16);
  for (let at = 0; at < 8; at++) commit(4);
  const before = seen.size;
  for (let round = 0; round < 10; round++) {
    const copy = new SlabBuffer(work);
    copy.copyIn(new Uint8Array(6 * MIB), 0, 6 * MIB);
    assertEquals(work.outsideBytes, 6 * MIB);
    commit(4);
    assert(cache.stats.bytes + work.outsideBytes + commits.idleBytes <= 20 * MIB);
    copy.release();
  }
  assert(seen.size - before <= 8, `${seen.size - before} slabs were made`);
});

Deno.test("what the store keeps in memory of its own counts", () => {
  const { cache, commits, commit, held } = scene(16);
  for (let at = 0; at < 8; at++) commit(4);
  assertEquals(cache.stats.bytes, 16 * MIB);
  held.bytes = 6 * MIB;
  commit(4);
  assert(cache.stats.bytes + commits.idleBytes <= 10 * MIB);
});

Deno.test("the rests of objects are read into slabs, whatever else lives longer", async () => {
  const { cache, commits, seen, objects } = scene(16, 256 << 10);
  const size = (256 << 10) + 50_000;
  for (let round = 0; round < 2_000; round++) {
    // Fresh ones stay; as do few of those that are read.
    cache.insertCopy(`small-${round}`, [new Uint8Array(1_000)]);
    const key = `object-${round % 9 === 0 ? 0 : round}`;
    objects.set(key, new Uint8Array(size));
    const { parts, release } = (await cache.read(key, size, 0, size))!;
    assert(parts.every((part) => seen.has(part.buffer)), "a buffer is of no slab");
    release();
    objects.delete(key);
    assert(commits.outside * SLAB_BYTES + commits.idleBytes <= 17 * MIB);
  }
  assert(seen.size <= 20, `${seen.size} slabs were made to read 600 MiB`);
  assert(cache.stats.bytes >= 12 * MIB, `${cache.stats.bytes} bytes are cached`);
});

Deno.test("what is read drives out what was not read for longest, and no more", async () => {
  const { cache, commits, objects } = scene(16, 256 << 10);
  const read = async (at: number) => {
    objects.set(`${at}`, new Uint8Array(256 << 10));
    (await cache.read(`${at}`, 256 << 10, 0, 256 << 10))!.release();
  };
  let lost = 0;
  for (let at = 0; at < 2_000; at++) {
    await read(at);
    objects.delete(`${at}`);
    // Every tenth is read on and on for a while, and so holds on to its slab.
    for (let old = at - at % 10; old > Math.max(0, at - 150); old -= 10) {
      if (!cache.keep(`${old}`, 0, 1)) lost++;
    }
    // Each is read again a little later.
    if (at >= 20 && !cache.keep(`${at - 20}`, 0, 1)) lost++;
    assert(commits.outside * SLAB_BYTES + commits.idleBytes <= 17 * MIB);
  }
  assertEquals(lost, 0);
});

Deno.test("what is read goes to idle slabs, and drives none out", async () => {
  const { cache, commits, work, commit } = scene(16, 256 << 10);
  const keys = Array.from({ length: 8 }, () => commit(4));
  const slabs = () => commits.outside + commits.idleBytes / SLAB_BYTES;
  for (const key of keys.slice(0, 4)) {
    const copy = new SlabBuffer(work);
    copy.copyIn(new Uint8Array(6 * MIB), 0, 6 * MIB);
    copy.release();
    const before = slabs();
    assert(commits.idleBytes >= 6 * MIB);
    (await cache.read(key, 4 * MIB, 0, MIB))!.release();
    assertEquals(slabs(), before);
  }
});

Deno.test("SlowFall follows up at once, and down by its rate", async () => {
  const runtime = manualRuntime();
  const held = new SlowFall(runtime.clock, 2);
  assertEquals([held.of(100), held.of(0)], [100, 100]);
  await runtime.advance(30);
  assertEquals([held.of(0), held.of(90), held.of(50)], [40, 90, 90]);
  await runtime.advance(1_000);
  assertEquals(held.of(7), 7);
});
