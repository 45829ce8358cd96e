import { assert, assertEquals } from "@std/assert";
import {
  COMMIT_PAID_BYTES,
  COMMIT_UNPAID_BYTES,
  COMMITS_SAVED_MS,
} from "../../core/config/limits.ts";
import { Pace } from "../../core/storage/wal/pace.ts";
import { WalChain } from "../../core/storage/wal/chain.ts";
import { NO_MARK } from "../../core/storage/wal/format.ts";
import { SlabPool } from "../../core/storage/wal/slab_pool.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";
import { batchRow } from "./batch_row.ts";

const SPACING_MS = 250;
const UPLOAD_MS = 30;
const COMMIT_BYTES = 4 << 20;

/** A chain on a store that takes `UPLOAD_MS` for each create; `sentMs` says when they came. */
function scene(spacingMs = SPACING_MS, batchBytes = 100) {
  const runtime = manualRuntime();
  const store = memoryStore(new MemoryObjects(), runtime);
  const { putIfAbsent } = store;
  const sentMs: number[] = [];
  const sizes: number[] = [];
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
    metadataMark: () => NO_MARK,
    pool: new SlabPool(2),
    commitBytes: COMMIT_BYTES,
    parallel: 4,
    spacingMs,
    uncommittedBytesMax: 4 * COMMIT_BYTES,
    onCommitted: (_object, commit) => {
      sizes.push(commit.bytes);
      commit.release();
    },
    onFenced: () => {},
  });
  const sink = { topicId: "AAECAwQFBgcICQoLDA0ODw", partition: 0, committed: () => {} };
  const batch = new Uint8Array(batchBytes);
  let offset = 0;
  const append = () => {
    const row = batchRow(offset++);
    return chain.append(sink, row, batch, 0, batch.length).done.promise;
  };
  return { runtime, chain, sentMs, sizes, append };
}

type Scene = ReturnType<typeof scene>;

/**
 * A client with `window` in flight that sends again half a millisecond after an answer, the second
 * of them `apartMs` later than the first, and so on.
 */
function closedLoop({ runtime, append }: Scene, window: number, apartMs = 0) {
  const client = { answered: 0, stopped: false };
  const lane = async (at: number) => {
    while (!client.stopped) {
      await append();
      client.answered++;
      await new Promise<void>((resolve) => runtime.timers.after(0.5 + at * apartMs, resolve));
    }
  };
  for (let at = 0; at < window; at++) {
    runtime.timers.after(at * 0.5, () => void lane(at));
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

/** Commits of five in flight that have so many bytes together; nothing is saved before. */
async function run(windowBytes: number, ms: number, apartMs = 0) {
  const one = scene(SPACING_MS, windowBytes / 5);
  const client = closedLoop(one, 5, apartMs);
  await one.runtime.advance(ms);
  client.stopped = true;
  const bytes = one.sizes.reduce((sum, size) => sum + size, 0);
  const most = (ms + COMMITS_SAVED_MS) / SPACING_MS + bytes / COMMIT_PAID_BYTES + 1;
  assert(one.sentMs.length <= most, `${one.sentMs.length} commits, at most ${most}`);
  return { commits: one.sentMs.length, bytes };
}

Deno.test("commits of COMMIT_PAID_BYTES pay for themselves", async () => {
  const { commits, bytes } = await run(COMMIT_PAID_BYTES, 10_000);
  // 30 ms of upload, and a moment until all have come back
  assert(commits > 230, `${commits} commits`);
  assert(bytes / commits > 0.9 * COMMIT_PAID_BYTES, `${bytes / commits} bytes each`);
});

Deno.test("no silence is waited for when all who were answered are back", async () => {
  const { commits } = await run(COMMIT_PAID_BYTES, 10_000, 1.5);
  // 36.5 ms each; three usual gaps of silence would make it 41
  assert(commits > 265, `${commits} commits`);
});

Deno.test("smaller commits pay for a part of the next one", async () => {
  const spaced = 60_000 / SPACING_MS;
  for (const part of [2, 4]) {
    const { commits } = await run(COMMIT_PAID_BYTES / part, 60_000);
    const paid = COMMIT_PAID_BYTES / part - COMMIT_UNPAID_BYTES;
    const expected = spaced / (1 - paid / (COMMIT_PAID_BYTES - COMMIT_UNPAID_BYTES));
    assert(Math.abs(commits - expected) < 0.05 * expected, `${commits}, expected ${expected}`);
  }
});

Deno.test("small commits, however many, earn nothing: the spacing bounds the bill", async () => {
  const { commits } = await run(COMMIT_UNPAID_BYTES - 1_000, 60_000);
  assert(commits <= 60_000 / SPACING_MS + 1, `${commits} commits`);
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
  assert(pace.due(100, true));
  for (let at = 0; at < 1_000; at++) pace.sent(100);
  pace.arrived(1_000, 1);
  assertEquals(pace.due(100, true), false);
  await runtime.advance(SPACING_MS);
  assertEquals([again, pace.due(100, true), runtime.pendingTimers], [1, true, 0]);
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
