import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { concat, MalformedError } from "../../core/bytes/mod.ts";
import { InvariantError, type Runtime } from "../../core/runtime/mod.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { BlockCache, type CacheLease } from "../../core/storage/block_cache.ts";
import { type ObjectStore, StoreError } from "../../core/storage/object_store.ts";
import { CALM, MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";

const system = systemRuntime(systemLog("error", false));

/** Timers that fire after as many turns of the event loop as they have milliseconds: quick. */
const runtime: Runtime = {
  ...system,
  timers: {
    soon: system.timers.soon,
    after: (delayMs, run) => {
      let turns = Math.ceil(delayMs);
      let live = true;
      const turn = () => live && (turns-- > 0 ? system.timers.soon(turn) : run());
      system.timers.soon(turn);
      return { cancel: () => live = false };
    },
  },
};

function bytesOf(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8) + seed) & 0xff);
}

function world(
  capacityBytes: number,
  blockBytes: number,
  latencyMaxMs = 0,
  failBeforeChance = 0,
) {
  const objects = new MemoryObjects();
  const faults = latencyMaxMs + failBeforeChance > 0;
  const store = memoryStore(
    objects,
    runtime,
    faults ? { ...CALM, latencyMaxMs, failBeforeChance } : undefined,
  );
  return { objects, store, cache: new BlockCache({ store, capacityBytes, blockBytes }) };
}

/** The same with buffers that are reused, and scribbled over as soon as they are handed back. */
function pooledWorld(
  capacityBytes: number,
  blockBytes: number,
  latencyMaxMs: number,
  failBeforeChance: number,
) {
  const { objects, store } = world(capacityBytes, blockBytes, latencyMaxMs, failBeforeChance);
  const out = new Set<Uint8Array>();
  const lend = (buffer: Uint8Array) => {
    out.add(buffer);
    return buffer;
  };
  const back = (buffer: Uint8Array) => {
    assert(out.delete(buffer), "a buffer was handed back twice");
    return buffer.fill(0xee);
  };
  const blocksOf = (bytes: number) => {
    const free: Uint8Array[] = [];
    const pool = {
      blockBytes: bytes,
      idleBytes: 0,
      get free() {
        return free.length;
      },
      onEmpty: undefined as (() => void) | undefined,
      acquire: () => {
        if (free.length === 0) pool.onEmpty?.();
        return lend(free.pop() ?? new Uint8Array(bytes));
      },
      release: (buffer: Uint8Array) => free.push(back(buffer)),
      forget: (buffer: Uint8Array) => assert(out.delete(buffer)),
    };
    return pool;
  };
  const buffers = Object.assign(blocksOf(blockBytes), { rests: blocksOf(7) });
  const reading: ObjectStore = Object.assign(Object.create(store), {
    get: store.get.bind(store),
    getInto: async (key: string, start: number, into: readonly Uint8Array[], o: object) => {
      let length = 0;
      for (const part of into) {
        const at = start + length;
        const bytes = await store.get(key, { start: at, end: at + part.length }, o);
        if (bytes === undefined) return undefined;
        part.set(bytes);
        length += bytes.length;
      }
      return length;
    },
  });
  return {
    objects,
    out,
    cache: new BlockCache({ store: reading, capacityBytes, blockBytes, buffers }),
  };
}

function contentOf(lease: CacheLease | undefined): Uint8Array {
  assert(lease !== undefined);
  return concat(lease.parts).slice();
}

Deno.test("read() gives the range, cut at the object's end, from few GETs", async () => {
  const { objects, store, cache } = world(10_000, 100);
  const body = bytesOf(1050);
  objects.set("k", body);
  const lease = await cache.read("k", 1050, 130, 970);
  assertEquals(contentOf(lease), body.slice(130, 970));
  assertEquals(store.calls.get, 1, "one GET for consecutive blocks");
  lease!.release();
  const tail = await cache.read("k", 1050, 900, 5000);
  assertEquals(contentOf(tail), body.slice(900));
  assertEquals(store.calls.get, 2);
  tail!.release();
  assertEquals(contentOf(cache.tryRead("k", 100, 1050)), body.slice(100));
  assertEquals(cache.tryRead("k", 0, 10), undefined);
  assertEquals((await cache.read("k", 1050, 2000, 3000))?.parts, []);
});

Deno.test("read() of an absent object is undefined, and asked again the next time", async () => {
  const { objects, store, cache } = world(10_000, 100);
  assertEquals(await cache.read("k", 100, 0, 50), undefined);
  objects.set("k", bytesOf(100));
  assertEquals(contentOf(await cache.read("k", 100, 0, 50)), bytesOf(50));
  assertEquals(store.calls.get, 2);
});

Deno.test("read() of an object that is shorter than recorded fails", async () => {
  const { objects, cache } = world(10_000, 100);
  objects.set("k", bytesOf(60));
  await assertRejects(() => cache.read("k", 100, 0, 50), MalformedError);
  assertEquals(cache.stats.bytes, 0);
});

Deno.test("read() by another size forgets what was cached of the object before", async () => {
  const { objects, cache } = world(1 << 20, 64);
  const [old, merged] = [bytesOf(150), bytesOf(400)];
  merged.set(bytesOf(50, 9), 134);
  for (const first of [150, 400]) {
    objects.set("k", old);
    cache.invalidate("k");
    const held = await cache.read("k", 150, 0, 150);
    objects.set("k", merged);
    // A reader that still knows the former size is served from what it holds, or from its front.
    if (first === 150) (await cache.read("k", 150, 0, 134))!.release();
    assertEquals(contentOf(await cache.read("k", 400, 100, 400)), merged.slice(100));
    const again = await cache.read("k", 150, 0, 134);
    assertEquals(contentOf(again), old.slice(0, 134));
    assertEquals(contentOf(await cache.read("k", 400, 0, 400)), merged);
    assertEquals(contentOf(held), old);
  }
});

Deno.test("read() shares one GET among concurrent readers, whoever gives up", async () => {
  const { objects, store, cache } = world(10_000, 100, 5);
  objects.set("k", bytesOf(300));
  const abort = new AbortController();
  const first = cache.read("k", 300, 0, 100, abort.signal);
  const others = Array.from({ length: 20 }, () => cache.read("k", 300, 10, 90));
  abort.abort(new Error("gave up"));
  await assertRejects(() => first, Error, "gave up");
  for (const lease of await Promise.all(others)) {
    assertEquals(contentOf(lease), bytesOf(300).slice(10, 90));
    lease!.release();
  }
  assertEquals(store.calls.get, 1);
  assertEquals(cache.stats.leasedBytes, 0);
});

Deno.test("read() gives the GET up when all its readers have", async () => {
  let aborted = false;
  const store = {
    get: (_key: string, _range: unknown, options: { signal: AbortSignal }) =>
      new Promise((_, reject) => {
        options.signal.addEventListener("abort", () => {
          aborted = true;
          reject(new StoreError("retry", "aborted"));
        });
      }),
  } as unknown as ObjectStore;
  const cache = new BlockCache({ store, capacityBytes: 1000, blockBytes: 100 });
  const aborts = [new AbortController(), new AbortController()];
  const reads = aborts.map(({ signal }) => cache.read("k", 100, 0, 10, signal));
  aborts[0]!.abort(new Error("first"));
  await assertRejects(() => reads[0]!, Error, "first");
  assertEquals(aborted, false);
  aborts[1]!.abort(new Error("second"));
  await assertRejects(() => reads[1]!, Error, "second");
  assertEquals(aborted, true);
  assertEquals(cache.stats, { ...cache.stats, bytes: 0, leasedBytes: 0 });
});

Deno.test("read() passes a StoreError to all who wait, and the next read tries again", async () => {
  const objects = new MemoryObjects();
  const faults = { ...CALM, latencyMaxMs: 2, failBeforeChance: 1 };
  const store = memoryStore(objects, runtime, faults);
  const cache = new BlockCache({ store, capacityBytes: 1000, blockBytes: 100 });
  objects.set("k", bytesOf(250));
  const reads = [cache.read("k", 250, 0, 10), cache.read("k", 250, 5, 250)];
  const outcomes = await Promise.allSettled(reads);
  assertEquals(outcomes.map((outcome) => outcome.status), ["rejected", "rejected"]);
  faults.failBeforeChance = 0;
  assertEquals(contentOf(await cache.read("k", 250, 0, 250)), bytesOf(250));
});

Deno.test("read() fails when a later part fails before an earlier one has come", async () => {
  let gets = 0;
  const store = {
    get: (_key: string, range: { start: number; end: number }) => {
      const bytes = bytesOf(300).slice(range.start, range.end);
      if (++gets === 1) return Promise.resolve(bytes);
      if (gets === 2) return new Promise((resolve) => setTimeout(() => resolve(bytes), 5));
      return Promise.reject(new StoreError("retry", "failed"));
    },
  } as unknown as ObjectStore;
  const cache = new BlockCache({ store, capacityBytes: 1000, blockBytes: 100 });
  (await cache.read("k", 300, 100, 200))!.release();
  await assertRejects(() => cache.read("k", 300, 0, 300), StoreError, "failed");
  assertEquals(gets, 3);
  assertEquals(cache.stats.leasedBytes, 0);
});

Deno.test("a sequential reader costs one GET per 4 MiB", async () => {
  const MiB = 1024 * 1024;
  const { objects, store, cache } = world(64 * MiB, MiB);
  const size = 33 * MiB;
  objects.set("k", new Uint8Array(size));
  for (let at = 0; at < size; at += 300_000) {
    (await cache.read("k", size, at, at + 300_000))!.release();
  }
  assert(store.calls.get <= 10, `${store.calls.get} GETs`);
});

Deno.test("more than was asked for may be loaded while loads take less than half", async () => {
  const { objects, cache } = world(64 * 16, 16, 20);
  objects.set("a", bytesOf(64 * 16));
  const first = cache.read("a", 64 * 16, 0, 28 * 16);
  assertEquals(cache.mayWiden, true);
  const second = cache.read("a", 64 * 16, 0, 29 * 16);
  assertEquals(cache.mayWiden, false);
  (await first)!.release();
  (await second)!.release();
  assertEquals(cache.mayWiden, true);
  const failing = cache.read("none", 64 * 16, 0, 64 * 16);
  assertEquals(cache.mayWiden, false);
  assertEquals(await failing, undefined);
  assertEquals(cache.mayWiden, true);
});

Deno.test("the cache stays within its capacity and evicts the least recently used", async () => {
  const { objects, store, cache } = world(1000, 100);
  for (let at = 0; at < 30; at++) objects.set(`k${at}`, bytesOf(100, at));
  for (let at = 0; at < 30; at++) {
    (await cache.read(`k${at}`, 100, 0, 100))!.release();
    (await cache.read("k0", 100, 0, 100))!.release();
    assert(cache.stats.bytes <= 1000);
  }
  assertEquals(store.calls.get, 30, "k0 was used all the time and stayed");
  assertEquals(cache.tryRead("k20", 0, 100), undefined);
});

Deno.test("keep() tells what is there, and holds off its eviction", async () => {
  const { objects, cache } = world(1000, 100);
  for (let at = 0; at < 30; at++) {
    objects.set(`k${at}`, bytesOf(100, at));
    (await cache.read(`k${at}`, 100, 0, 100))!.release();
    assert(cache.keep("k0", 0, 100));
  }
  assertEquals(["k19", "k20", "k29"].map((key) => cache.keep(key, 0, 100)), [false, false, true]);
  assertEquals(cache.stats.leasedBytes, 0);
});

Deno.test("an object larger than the cache is read all the same", async () => {
  const { objects, cache } = world(300, 100);
  objects.set("k", bytesOf(5000));
  const lease = await cache.read("k", 5000, 0, 5000);
  assertEquals(contentOf(lease), bytesOf(5000));
  lease!.release();
  assert(cache.stats.bytes <= 300);
});

Deno.test("insert() serves reads until evicted; onEvict comes once, never under a reader", () => {
  const { store, cache } = world(1000, 100);
  const evicted: string[] = [];
  const parts = [bytesOf(300, 1), bytesOf(0), bytesOf(200, 2)];
  cache.insert("a", parts, () => evicted.push("a"));
  const lease = cache.tryRead("a", 250, 350)!;
  assertEquals(contentOf(lease), concat(parts).slice(250, 350));
  cache.insert("b", [bytesOf(600)], () => evicted.push("b"));
  assertEquals(evicted, ["b"], "a is held, so b has to go");
  cache.insert("c", [bytesOf(400)], () => evicted.push("c"));
  assertEquals(evicted, ["b"]);
  cache.invalidate("a");
  assertEquals(cache.tryRead("a", 0, 10), undefined);
  assertEquals(evicted, ["b"], "the reader still holds a");
  assertEquals(contentOf(lease), concat(parts).slice(250, 350));
  lease.release();
  assertEquals(evicted, ["b", "a"]);
  assertThrows(() => lease.release(), InvariantError);
  cache.insert("d", [bytesOf(5000)], () => evicted.push("d"));
  assertEquals(evicted, ["b", "a", "c", "d"]);
  assertEquals(cache.stats.bytes, 0);
  assertEquals(store.calls.get, 0);
});

Deno.test("insert() stays for readers at the tail, whatever those who catch up hold", async () => {
  const { objects, cache } = world(1000, 100);
  objects.set("old", bytesOf(3000));
  const held: CacheLease[] = [];
  for (let at = 0; at < 3000; at += 100) held.push((await cache.read("old", 3000, at, at + 100))!);
  assertEquals(cache.stats.leasedBytes, 3000);
  for (const key of ["a", "b", "c"]) cache.insert(key, [bytesOf(60)], () => {});
  const found = ["a", "b", "c"].filter((key) => cache.tryRead(key, 0, 60) !== undefined);
  assertEquals(found, ["b", "c"]);
  assertEquals(cache.stats.bytes, 3120, "an eighth of the capacity, and no more");
  for (const lease of held) lease.release();
});

Deno.test("insert() counts the whole slabs behind small views", () => {
  const { cache } = world(1000, 100);
  const slab = new Uint8Array(700);
  cache.insert("a", [slab.subarray(0, 10), slab.subarray(10, 20)], () => {});
  assertEquals(cache.stats.bytes, 700);
});

Deno.test("invalidate() during a load serves only those who wait already", async () => {
  const { objects, store, cache } = world(1000, 100, 5);
  objects.set("k", bytesOf(100));
  const read = cache.read("k", 100, 0, 100);
  cache.invalidate("k");
  const lease = await read;
  assertEquals(contentOf(lease), bytesOf(100));
  assertEquals(cache.tryRead("k", 0, 100), undefined);
  lease!.release();
  assertEquals([cache.stats.bytes, cache.stats.leasedBytes], [0, 0]);
  (await cache.read("k", 100, 0, 100))!.release();
  assertEquals(store.calls.get, 2);
});

Deno.test("any run of operations reads what a map would, and leaks nothing", async () => {
  for (let seed = 1; seed <= 40; seed++) await propertyRun(seed, world);
});

Deno.test("any run of operations with reused buffers reads what a map would", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    let out: Set<Uint8Array> | undefined;
    await propertyRun(seed, (...args) => {
      const made = pooledWorld(...args);
      out = made.out;
      return made;
    });
    assertEquals(out?.size, 0, "a buffer was never handed back");
  }
});

async function propertyRun(
  seed: number,
  open: (
    capacityBytes: number,
    blockBytes: number,
    latencyMaxMs: number,
    failBeforeChance: number,
  ) => { objects: MemoryObjects; cache: BlockCache },
): Promise<void> {
  let state = seed;
  const next = (limit: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % limit;
  };
  const capacity = 200 + next(3000);
  const { objects, cache } = open(capacity, 32 + next(100), next(8), next(3) / 10);
  const model = new Map<string, Uint8Array>();
  const keys: string[] = [];
  const outside = new Set<number>();
  const held: { lease: CacheLease; wanted: Uint8Array }[] = [];
  const pending: Promise<void>[] = [];
  let version = 0;
  const drop = () => {
    const { lease, wanted } = held.splice(next(held.length), 1)[0]!;
    assertEquals(contentOf(lease), wanted, "bytes changed while they were held");
    lease.release();
  };
  for (let step = 0; step < 150; step++) {
    // A key is never given to other bytes, as in the bucket.
    const name = next(6);
    const key = keys[name] ??= `k${name}-${version}`;
    const body = model.get(key);
    const choice = next(10);
    if (body === undefined) {
      const fresh = bytesOf(1 + next(900), version++);
      model.set(key, fresh);
      objects.set(key, fresh);
      const way = next(4);
      if (way === 0) cache.insertCopy(key, [fresh.slice(0, 1), fresh.slice(1)]);
      else if (way === 1) {
        const slab = fresh.slice();
        const id = version;
        outside.add(id);
        const cut = next(slab.length);
        cache.insert(key, [slab.subarray(0, cut), slab.subarray(cut)], () => {
          assert(outside.delete(id), "evicted twice");
          slab.fill(0xee);
        });
      }
    } else if (choice === 0) {
      model.delete(key);
      delete keys[name];
      objects.delete(key);
      cache.invalidate(key);
    } else if (choice < 3 && held.length > 0) drop();
    else {
      const start = next(body.length);
      const end = start + 1 + next(400);
      const wanted = body.slice(start, end);
      const abort = new AbortController();
      const read = cache.read(key, body.length, start, end, abort.signal).then((lease) => {
        if (lease === undefined) assert(model.get(key) !== body, "a present object was not found");
        else held.push({ lease, wanted });
      }, (error) => assert(abort.signal.aborted || error instanceof StoreError, String(error)));
      if (choice === 9) abort.abort();
      if (choice < 7) await read;
      else pending.push(read);
    }
    while (held.length > 4) drop();
    const { bytes, leasedBytes } = cache.stats;
    const bound = Math.max(capacity, leasedBytes + capacity / 8);
    if (pending.length === 0) assert(bytes <= bound, "over the bound");
    if (step % 10 === 0) await Promise.all(pending.splice(0));
  }
  await Promise.all(pending);
  while (held.length > 0) drop();
  assert(cache.stats.bytes <= capacity);
  assertEquals(cache.stats.leasedBytes, 0);
  for (const key of model.keys()) cache.invalidate(key);
  assertEquals(cache.stats.bytes, 0);
  assertEquals(outside.size, 0, "an inserted object was never handed back");
}
