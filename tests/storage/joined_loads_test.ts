import { assert, assertEquals, assertRejects } from "@std/assert";
import { concat } from "../../core/bytes/mod.ts";
import { BlockPool } from "../../core/storage/block_buffers.ts";
import { JoinedLoads } from "../../core/storage/joined_loads.ts";
import type { CallOptions, ObjectStore } from "../../core/storage/object_store.ts";
import type { Slabs } from "../../core/storage/wal/slab_pool.ts";
import { SLAB_BYTES } from "../../core/storage/wal/slab_pool.ts";

const BLOCK = 64 << 10;

/** A store of one kind of object, whose bytes tell where they are; its calls are written down. */
function world(sizes: Readonly<Record<string, number>>, bytesMax = 4 << 20) {
  const calls: { key: string; start: number; end: number; signal: AbortSignal | undefined }[] = [];
  const slabs = { out: 0, lost: 0 };
  const pool: Slabs = {
    acquire: () => (slabs.out++, new Uint8Array(SLAB_BYTES)),
    release: () => slabs.out--,
    forget: () => (slabs.out--, slabs.lost++),
  };
  const world = { calls, slabs, taking: [] as number[], taken: 0, gate: Promise.resolve() };
  const getInto = async (
    key: string,
    start: number,
    into: readonly Uint8Array[],
    options?: CallOptions,
  ) => {
    const length = into.reduce((sum, part) => sum + part.length, 0);
    calls.push({ key, start, end: start + length, signal: options?.signal });
    await world.gate;
    const size = sizes[key];
    if (size === undefined) return undefined;
    let at = start;
    for (const part of into) for (let i = 0; i < part.length && at < size; i++) part[i] = at++ >> 8;
    return Math.max(0, at - start);
  };
  const store = { getInto } as Partial<ObjectStore> as ObjectStore;
  const onTaking = (bytes: number) => void world.taking.push(bytes / BLOCK);
  const onTaken = () => void world.taken++;
  const buffers = new BlockPool(pool, BLOCK);
  const loads = new JoinedLoads({ store, buffers, bytesMax, onTaking, onTaken });
  const load = (key: string, from: number, to: number, more: { staleOk?: boolean } = {}) => {
    const abort = new AbortController();
    const wanted = { key, start: from * BLOCK, end: to * BLOCK, staleOk: true, ...more };
    return { abort, run: loads.load({ ...wanted, signal: abort.signal }) };
  };
  const ranges = () => calls.map(({ key, start, end }) => [key, start / BLOCK, end / BLOCK]);
  return Object.assign(world, { load, ranges });
}

const expected = (from: number, to: number) =>
  Uint8Array.from({ length: (to - from) * BLOCK }, (_, at) => (from * BLOCK + at) >> 8);

Deno.test("loads of one turn that lie side by side are one call", async () => {
  const here = world({ a: 20 * BLOCK, b: 20 * BLOCK });
  const wanted = [["a", 3, 5], ["b", 0, 1], ["a", 0, 3], ["a", 6, 7], ["a", 5, 6]] as const;
  const runs = await Promise.all(wanted.map(([key, from, to]) => here.load(key, from, to).run));
  assertEquals(here.ranges(), [["a", 0, 7], ["b", 0, 1]]);
  assertEquals([here.taking, here.taken], [[3, 2, 1, 1, 1], 1]);
  for (const [at, [, from, to]] of wanted.entries()) {
    assertEquals(concat(runs[at]!.parts), expected(from, to));
  }
  for (const run of runs) run!.giveBack!();
  assertEquals(here.slabs, { out: 0, lost: 0 });
});

Deno.test("loads with a gap, too many bytes or other demands are not joined", async () => {
  const here = world({ a: 40 * BLOCK }, 4 * BLOCK);
  const runs = [
    here.load("a", 0, 2),
    here.load("a", 3, 5),
    here.load("a", 5, 8),
    here.load("a", 8, 14),
    here.load("a", 14, 15, { staleOk: false }),
  ];
  for (const { run } of runs) (await run)!.giveBack!();
  assertEquals(here.ranges(), [["a", 0, 2], ["a", 3, 5], ["a", 5, 8], ["a", 8, 14], ["a", 14, 15]]);
  const next = here.load("a", 2, 3);
  (await next.run)!.giveBack!();
  assertEquals(here.ranges().at(-1), ["a", 2, 3], "a later turn has a call of its own");
});

Deno.test("what an object lacks is told to those alone who asked for it", async () => {
  const here = world({ a: 3 * BLOCK });
  const [whole, short, none] = [
    here.load("a", 0, 2),
    here.load("a", 2, 4),
    here.load("gone", 0, 1),
  ];
  const found = (await whole.run)!;
  assertEquals(concat(found.parts), expected(0, 2));
  assertEquals(await short.run, { parts: [], giveBack: undefined });
  assertEquals(await none.run, undefined);
  found.giveBack!();
  assertEquals(here.slabs, { out: 0, lost: 0 });
});

Deno.test("a call that fails is the end of all its loads and buffers", async () => {
  const here = world({ a: 4 * BLOCK });
  here.gate = Promise.reject(new Error("cut"));
  const runs = [here.load("a", 0, 1), here.load("a", 1, 2)];
  for (const { run } of runs) await assertRejects(() => run, Error, "cut");
  assertEquals(here.slabs, { out: 0, lost: 1 });
});

Deno.test("a joined call is given up when all of its loads are", async () => {
  const here = world({ a: 4 * BLOCK });
  const { promise, resolve } = Promise.withResolvers<void>();
  here.gate = promise;
  const [first, second] = [here.load("a", 0, 1), here.load("a", 1, 2)];
  await Promise.resolve();
  const [call] = here.calls;
  first.abort.abort();
  assert(!call!.signal!.aborted);
  second.abort.abort();
  assert(call!.signal!.aborted);
  resolve();
  for (const { run } of [first, second]) (await run)!.giveBack!();
  assertEquals(here.slabs, { out: 0, lost: 0 });
});
