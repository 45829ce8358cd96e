import { assert, assertEquals } from "@std/assert";
import { COMMITS_SAVED_MS } from "../../core/config/limits.ts";
import { Pace } from "../../core/storage/wal/pace.ts";
import { WalChain } from "../../core/storage/wal/chain.ts";
import { SlabPool } from "../../core/storage/wal/slab_pool.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";
import { batchRow } from "./batch_row.ts";

const SPACING_MS = 250;
const UPLOAD_MS = 30;

/** A chain on a store that takes `UPLOAD_MS` for each create; `sentMs` says when they came. */
function scene(spacingMs = SPACING_MS) {
  const runtime = manualRuntime();
  const store = memoryStore(new MemoryObjects(), runtime);
  const { putIfAbsent } = store;
  const sentMs: number[] = [];
  store.putIfAbsent = async (...args) => {
    sentMs.push(runtime.clock.monotonicMs());
    await new Promise<void>((resolve) => runtime.timers.after(UPLOAD_MS, resolve));
    return await putIfAbsent.apply(store, args);
  };
  const chain = new WalChain({
    runtime,
    store,
    namespace: "ns",
    brokerId: 1,
    brokerEpoch: 1,
    pool: new SlabPool(2),
    commitBytes: 1 << 20,
    parallel: 4,
    spacingMs,
    uncommittedBytesMax: 4 << 20,
    onCommitted: () => {},
    onFenced: () => {},
  });
  const sink = { topicId: "AAECAwQFBgcICQoLDA0ODw", partition: 0, committed: () => {} };
  let offset = 0;
  const append = () => {
    const row = batchRow(offset++);
    return chain.append(sink, row, new Uint8Array(100), 0, 100).done.promise;
  };
  return { runtime, chain, sentMs, append };
}

type Scene = ReturnType<typeof scene>;

/** A client that sends again half a millisecond after each answer, with `window` in flight. */
function closedLoop({ runtime, append }: Scene, window: number) {
  const client = { answered: 0, stopped: false };
  const lane = async () => {
    while (!client.stopped) {
      await append();
      client.answered++;
      await new Promise<void>((resolve) => runtime.timers.after(0.5, resolve));
    }
  };
  for (let at = 0; at < window; at++) {
    runtime.timers.after(at * 0.5, () => void lane());
  }
  return client;
}

function within(sentMs: readonly number[], fromMs: number, toMs: number): number {
  return sentMs.filter((ms) => ms >= fromMs && ms < toMs).length;
}

Deno.test("a commit goes without waiting for its spacing when its writers are quiet", async () => {
  const one = scene();
  await one.runtime.advance(10_000);
  const client = closedLoop(one, 5);
  await one.runtime.advance(1_000);
  client.stopped = true;
  // Some 35 ms each, of which the upload takes 30; with the spacing alone four commits would do 20.
  assert(client.answered > 100, `${client.answered} answers`);
  assert(within(one.sentMs, 10_000, 11_000) <= 34);
});

Deno.test("what is saved is spent once: then there is a commit a spacing", async () => {
  const one = scene();
  await one.runtime.advance(5_000);
  const client = closedLoop(one, 1);
  await one.runtime.advance(60_000);
  client.stopped = true;
  const saved = 5_000 / SPACING_MS;
  const all = within(one.sentMs, 0, Infinity);
  const spaced = 60_000 / SPACING_MS;
  assert(all >= spaced + saved - 1 && all <= spaced + saved + 1, `${all} commits`);
  const late = within(one.sentMs, 30_000, 60_000);
  assert(late >= 119 && late <= 121, `${late} commits in 30 s`);
});

Deno.test("a day of idleness saves no more than COMMITS_SAVED_MS of requests", async () => {
  const one = scene();
  await one.runtime.advance(86_400_000);
  const client = closedLoop(one, 1);
  await one.runtime.advance(60_000);
  client.stopped = true;
  const most = (60_000 + COMMITS_SAVED_MS) / SPACING_MS + 1;
  assert(one.sentMs.length <= most, `${one.sentMs.length} commits, at most ${most}`);
  assert(one.sentMs.length > most - 5);
});

Deno.test("a steady flow keeps to the spacing whatever was saved", async () => {
  const one = scene();
  await one.runtime.advance(30_000);
  one.sentMs.length = 0;
  for (let at = 0; at < 3_000; at++) {
    void one.append();
    await one.runtime.advance(10);
  }
  // 30 s at four a second; the first few gaps are not known as usual yet
  assert(one.sentMs.length <= 126, `${one.sentMs.length} commits`);
});

Deno.test("quiet follows the usual gap, also back from long ones to none", async () => {
  const one = scene();
  for (let at = 0; at < 200; at++) {
    void one.append();
    await one.runtime.advance(40);
  }
  await one.runtime.advance(20_000);
  const client = closedLoop(one, 1);
  await one.runtime.advance(2_000);
  client.stopped = true;
  assert(client.answered > 40, `${client.answered} answers`);
});

Deno.test("full commits neither wait for a token nor run into debt", async () => {
  const runtime = manualRuntime();
  let again = 0;
  const pace = new Pace(runtime, SPACING_MS, () => again++);
  assert(pace.due(true));
  for (let at = 0; at < 1_000; at++) pace.sent();
  pace.arrived(1_000, 1);
  assertEquals(pace.due(true), false);
  await runtime.advance(SPACING_MS);
  assertEquals([again, pace.due(true), runtime.pendingTimers], [1, true, 0]);
});

Deno.test("without a spacing nothing waits, and no timer is set", async () => {
  const one = scene(0);
  const client = closedLoop(one, 1);
  await one.runtime.advance(1_000);
  client.stopped = true;
  await one.runtime.advance(UPLOAD_MS + 1);
  assert(client.answered >= 32);
  assertEquals(one.runtime.pendingTimers, 0);
});

Deno.test("a client with five in flight has all of them in each commit", async () => {
  for (const spacingMs of [0, 5]) {
    const one = scene(spacingMs);
    const client = closedLoop(one, 5);
    await one.runtime.advance(2_000);
    client.stopped = true;
    // With two halves in turn it would be 64 commits for 160 answers.
    const perCommit = client.answered / one.sentMs.length;
    assert(perCommit > 4, `${perCommit} answers a commit`);
    assert(client.answered > 270, `${client.answered} answers`);
  }
});

Deno.test("close() leaves no timer behind", async () => {
  const one = scene();
  void one.append();
  await one.runtime.advance(UPLOAD_MS);
  void one.append();
  await one.runtime.settle();
  assertEquals(one.runtime.pendingTimers, 1);
  one.chain.close();
  assertEquals(one.runtime.pendingTimers, 0);
});
