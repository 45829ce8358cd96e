import { assert, assertEquals, assertRejects } from "@std/assert";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { slotKey } from "../../core/storage/keys.ts";
import { type ObjectStore, StoreError } from "../../core/storage/object_store.ts";
import type { RowSink, WalObject } from "../../core/storage/wal/commit.ts";
import { WalChain } from "../../core/storage/wal/chain.ts";
import type { BatchRow } from "../../core/storage/wal/format.ts";
import { sealChain, startBehindLostMark } from "../../core/storage/wal/seal.ts";
import { SLAB_BYTES } from "../../core/storage/wal/slab_pool.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { batchRow } from "./batch_row.ts";
import { chainOptions } from "./chain_options.ts";

const runtime = systemRuntime(systemLog("error", true));
const TOPIC = "AAECAwQFBgcICQoLDA0ODw";

class Sink implements RowSink {
  readonly topicId = TOPIC;
  readonly rows: BatchRow[] = [];
  constructor(readonly partition: number) {}
  committed(rows: readonly BatchRow[], _object: WalObject): void {
    this.rows.push(...rows);
  }
}

/** A store whose conditional creates are decided by the test. */
function gated(inner: ObjectStore) {
  const pending: { key: string; go: (fate?: "lose" | "fail") => Promise<void> }[] = [];
  const store: ObjectStore = {
    ...inner,
    advice: inner.advice,
    get: (key, range, o) => inner.get(key, range, o),
    put: (key, body, o) => inner.put(key, body, o),
    list: (prefix, after, o) => inner.list(prefix, after, o),
    delete: (keys, o) => inner.delete(keys, o),
    close: () => inner.close(),
    putIfAbsent: (key, body, o) =>
      new Promise((resolve, reject) => {
        pending.push({
          key,
          go: async (fate) => {
            if (fate === "fail") return reject(new StoreError("retry", "no effect"));
            const outcome = await inner.putIfAbsent(key, body, o);
            if (fate === "lose") reject(new StoreError("retry", "reply lost"));
            else resolve(outcome);
          },
        });
      }),
  };
  return { store, pending };
}

interface Setup {
  objects: MemoryObjects;
  chain: WalChain;
  pending: ReturnType<typeof gated>["pending"];
  committed: WalObject[];
  fenced: () => boolean;
}

function setup(overrides: Partial<{ commitBytes: number; parallel: number }> = {}): Setup {
  const objects = new MemoryObjects();
  const { store, pending } = gated(memoryStore(objects, runtime));
  const committed: WalObject[] = [];
  let fenced = false;
  const chain = new WalChain({
    ...chainOptions(runtime, store),
    onCommitted: (object) => void committed.push(object),
    onFenced: () => {
      fenced = true;
    },
    ...overrides,
  });
  return { objects, chain, pending, committed, fenced: () => fenced };
}

function append(chain: WalChain, sink: Sink, baseOffset: number, bytes: Uint8Array) {
  const row = batchRow(baseOffset);
  return { row, commit: chain.append(sink, row, bytes, 0, bytes.length) };
}

const bytesOf = (length: number, fill: number) => new Uint8Array(length).fill(fill);
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

/** Until so many uploads have been asked for, however busy the machine is. */
async function sent(pending: Setup["pending"], count: number) {
  do await turn(); while (pending.length < count);
}

async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(() => done = true);
  await turn();
  return done;
}

Deno.test("append() makes one object of all that arrives in a turn", async () => {
  const { chain, pending, objects, committed } = setup();
  const sinks = [new Sink(0), new Sink(1)];
  append(chain, sinks[0]!, 0, bytesOf(100, 1));
  const last = append(chain, sinks[1]!, 0, bytesOf(50, 2));
  await sent(pending, 1);
  assertEquals(pending.length, 1);
  assertEquals(await settled(last.commit.done.promise), false);
  await pending[0]!.go();
  assertEquals(await last.commit.done.promise, 0);
  assertEquals(sinks.map((sink) => sink.rows.length), [1, 1]);
  assertEquals(committed[0]!.live, 2);
  const stored = objects.get(slotKey("ns", 1, 4, 0))!;
  assertEquals(
    stored.slice(last.row.position, last.row.position + last.row.length),
    bytesOf(50, 2),
  );
});

Deno.test("commits are acknowledged strictly in slot order", async () => {
  const { chain, pending } = setup({ commitBytes: 1000 });
  const sink = new Sink(0);
  const first = append(chain, sink, 0, bytesOf(1000, 1)).commit;
  const second = append(chain, sink, 1, bytesOf(1000, 2)).commit;
  await sent(pending, 2);
  assertEquals(pending.map(({ key }) => key), [slotKey("ns", 1, 4, 0), slotKey("ns", 1, 4, 1)]);
  await pending[1]!.go();
  assertEquals(await settled(second.done.promise), false);
  await pending[0]!.go();
  assertEquals(await Promise.all([first.done.promise, second.done.promise]), [0, 0]);
  assertEquals(sink.rows.map((row) => row.baseOffset), [0, 1]);
});

Deno.test("no more than `parallel` uploads are in flight", async () => {
  const { chain, pending } = setup({ commitBytes: 1000 });
  const sink = new Sink(0);
  for (let offset = 0; offset < 5; offset++) append(chain, sink, offset, bytesOf(1000, offset));
  await sent(pending, 2);
  assertEquals(pending.length, 2);
  for (let at = 0; at < 5; at++) {
    await pending[at]!.go();
    await turn();
  }
  assertEquals(sink.rows.length, 5);
});

Deno.test("a lost reply is resolved by the nonce in the slot", async () => {
  const { chain, pending, fenced } = setup();
  const { commit } = append(chain, new Sink(0), 0, bytesOf(10, 1));
  await sent(pending, 1);
  await pending[0]!.go("lose");
  await sent(pending, 2);
  await pending[1]!.go();
  assertEquals(await commit.done.promise, 0);
  assertEquals(fenced(), false);
});

Deno.test("a failed upload is tried again until it is stored", async () => {
  const { chain, pending } = setup();
  const { commit } = append(chain, new Sink(0), 0, bytesOf(10, 1));
  for (let attempt = 0; attempt < 3; attempt++) {
    await sent(pending, attempt + 1);
    await pending[attempt]!.go(attempt < 2 ? "fail" : undefined);
  }
  assertEquals(await commit.done.promise, 0);
});

Deno.test("stats tell sizes, spacing and waits of commits, and what is queued", async () => {
  const { chain, pending, committed } = setup({ commitBytes: 1000, parallel: 1 });
  const commits = [0, 1, 2].map((at) => append(chain, new Sink(0), at, bytesOf(1000, at)).commit);
  await turn();
  assertEquals([chain.queuedCommits, chain.commitsInFlight, chain.stats.commits], [1, 1, 0]);
  for (const [at, commit] of commits.entries()) {
    await pending[at]!.go();
    await commit.done.promise;
    await turn();
  }
  const { stats } = chain;
  assertEquals([chain.queuedCommits, chain.commitsInFlight, stats.commits], [0, 0, 3]);
  assertEquals(stats.commitBytes.sum, committed.reduce((sum, { size }) => sum + size, 0));
  const counts = [stats.commitBytes, stats.commitMs, stats.uploadMs, stats.spacingMs];
  assertEquals(counts.map(({ count }) => count), [3, 3, 3, 2]);
  assert(stats.commitMs.max >= 5, "the last commit waited for the two before it");
});

Deno.test("a foreign object in a slot fences it and all behind it", async () => {
  const { chain, pending, objects, fenced } = setup({ commitBytes: 1000, parallel: 3 });
  const sink = new Sink(0);
  const commits = [0, 1, 2, 3].map((at) => append(chain, sink, at, bytesOf(1000, at)).commit);
  await turn();
  objects.set(slotKey("ns", 1, 4, 1), bytesOf(40, 0));
  const header = new Uint8Array([75, 87, 65, 76, 0, 1, 0, 2, 9, 9, 9, 9, 9, 9, 9, 9]);
  objects.set(slotKey("ns", 1, 4, 1), header);
  await pending[2]!.go();
  await pending[1]!.go();
  assertEquals(fenced(), false);
  await pending[0]!.go();
  const codes = await Promise.all(commits.map((commit) => commit.done.promise));
  const lost = ErrorCode.NOT_LEADER_OR_FOLLOWER;
  assertEquals(codes, [0, lost, lost, lost]);
  assertEquals(sink.rows.length, 1);
  assert(fenced());
  assertEquals(chain.ended, lost);
});

Deno.test("room() waits while too much is uncommitted", async () => {
  const { chain, pending } = setup({ commitBytes: 8 << 20 });
  append(chain, new Sink(0), 0, bytesOf(8 << 20, 1));
  assertEquals(chain.hasRoom, false);
  const room = chain.room(60_000);
  assertEquals(await settled(room), false);
  await pending[0]!.go();
  await room;
  assert(chain.hasRoom);
});

Deno.test("a batch that straddles slabs is stored whole", async () => {
  const { chain, pending, objects } = setup({ commitBytes: 4 << 20 });
  const sink = new Sink(0);
  const big = new Uint8Array(SLAB_BYTES + 12_345);
  for (let at = 0; at < big.length; at++) big[at] = at * 7;
  append(chain, sink, 0, bytesOf(777, 3));
  const { row, commit } = append(chain, sink, 1, big);
  await sent(pending, 1);
  await pending[0]!.go();
  await commit.done.promise;
  const stored = objects.get(slotKey("ns", 1, 4, 0))!;
  assertEquals(stored.slice(row.position, row.position + row.length), big);
});

Deno.test("close() fails every waiter", async () => {
  const { chain } = setup();
  const { commit } = append(chain, new Sink(0), 0, bytesOf(10, 1));
  chain.close();
  assertEquals(await commit.done.promise, ErrorCode.NOT_LEADER_OR_FOLLOWER);
});

function sealer(objects: MemoryObjects) {
  return {
    runtime,
    store: memoryStore(objects, runtime),
    namespace: "ns",
    brokerId: 1,
    brokerEpoch: 5,
    signal: new AbortController().signal,
  };
}

Deno.test("sealChain() returns the committed slots and fences their owner", async () => {
  const { chain, pending, objects, fenced } = setup({ commitBytes: 1000 });
  const sink = new Sink(3);
  for (let offset = 0; offset < 3; offset++) {
    const { commit } = append(chain, sink, offset, bytesOf(1000, offset));
    await sent(pending, offset + 1);
    await pending[offset]!.go();
    await commit.done.promise;
  }
  const id = { brokerId: 1, brokerEpoch: 4, lowWaterSlot: 0 };
  const slots = await sealChain(sealer(objects), id);
  assertEquals(slots.map((slot) => slot.footer.slot), [0, 1, 2]);
  assertEquals(slots[2]!.footer.partitions[0]!.rows[0]!.baseOffset, 2);
  const late = append(chain, sink, 3, bytesOf(1000, 9)).commit;
  await sent(pending, 4);
  await pending[3]!.go();
  assertEquals(await late.done.promise, ErrorCode.NOT_LEADER_OR_FOLLOWER);
  assert(fenced());
  assertEquals((await sealChain(sealer(objects), id)).length, 3, "sealing again changes nothing");
});

/** A chain of `slots` slots and its owner, which is first in the free slot `ahead` times. */
async function busyOwner(slots: number, ahead: number) {
  const { chain, pending, objects, fenced } = setup({ commitBytes: 1000 });
  const sink = new Sink(3);
  let offset = 0;
  const go = async () => {
    const { commit } = append(chain, sink, offset, bytesOf(1000, offset));
    await sent(pending, offset + 1);
    await pending[offset++]!.go();
    return await commit.done.promise;
  };
  while (offset < slots) await go();
  const options = sealer(objects);
  const { store } = options;
  const create = store.putIfAbsent.bind(store);
  const calls = { lists: 0, listed: 0, reads: new Map<string, number>(), seals: 0 };
  const list = store.list.bind(store);
  const get = store.get.bind(store);
  Object.assign(store, {
    async *list(...args: Parameters<typeof list>) {
      calls.lists++;
      for await (const info of list(...args)) {
        calls.listed++;
        yield info;
      }
    },
    get(...args: Parameters<typeof get>) {
      calls.reads.set(args[0], (calls.reads.get(args[0]) ?? 0) + 1);
      return get(...args);
    },
    async putIfAbsent(...args: Parameters<typeof create>) {
      if (calls.seals++ < ahead) await go();
      return await create(...args);
    },
  });
  return { options, objects, calls, go, fenced };
}

const CHAIN = { brokerId: 1, brokerEpoch: 4, lowWaterSlot: 0 };

Deno.test("sealChain() reads each slot once, however often its owner is first", async () => {
  const { options, calls, go, fenced } = await busyOwner(50, 10);
  const slots = await sealChain(options, CHAIN);
  assertEquals(slots.map(({ footer }) => footer.slot), [...Array(60).keys()]);
  assertEquals([calls.lists, calls.seals, calls.listed], [11, 11, 60]);
  assertEquals(calls.reads.size, 60);
  // A footer takes up to two reads, of what is known to be its end and of what that says.
  assert([...calls.reads.values()].every((reads) => reads <= 2), "a slot was read again");
  assertEquals(await go(), ErrorCode.NOT_LEADER_OR_FOLLOWER);
  assert(fenced());
});

Deno.test("sealChain() keeps what it has read when the low-water mark rises below it", async () => {
  const { options, objects, calls } = await busyOwner(20, 0);
  const slots = await sealChain({ ...options, lowWaterSlot: () => Promise.resolve(5) }, CHAIN);
  assertEquals(slots.map(({ footer }) => footer.slot), [...Array(20).keys()].slice(5));
  assertEquals([calls.lists, calls.listed, calls.seals], [1, 20, 1]);
  assert(objects.get(slotKey("ns", 1, 4, 20)) !== undefined, "the seal");
});

Deno.test("sealChain() starts anew where the mark is above all that it has read", async () => {
  const { options, objects, calls, go, fenced } = await busyOwner(3, 0);
  // Before its seal is written, the owner goes on and deletes all but its newest two slots.
  const create = options.store.putIfAbsent.bind(options.store);
  let mark = 0;
  options.store.putIfAbsent = async (...args) => {
    while (mark < 5) {
      if (mark === 0) { for (let more = 0; more < 4; more++) await go(); }
      objects.delete(slotKey("ns", 1, 4, mark++));
    }
    return await create(...args);
  };
  const slots = await sealChain({ ...options, lowWaterSlot: () => Promise.resolve(mark) }, CHAIN);
  assertEquals(slots.map(({ footer }) => footer.slot), [5, 6]);
  assertEquals(calls.seals, 2, "the seal in a slot that was deleted fences nobody");
  assertEquals(await go(), ErrorCode.NOT_LEADER_OR_FOLLOWER);
  assert(fenced());
});

Deno.test("sealChain() leaves an owner alone that is back and at work", async () => {
  const { chain, pending, objects, fenced } = setup({ commitBytes: 1000 });
  const sink = new Sink(3);
  const go = async (offset: number) => {
    const { commit } = append(chain, sink, offset, bytesOf(1000, offset));
    await sent(pending, offset + 1);
    await pending[offset]!.go();
    await commit.done.promise;
  };
  await go(0);
  const options = sealer(objects);
  const create = options.store.putIfAbsent.bind(options.store);
  let offset = 1;
  options.store.putIfAbsent = async (...args) => {
    // its owner is always first
    await go(offset++);
    return await create(...args);
  };
  let asked = 0;
  const isBack = () => Promise.resolve(++asked === 3);
  const id = { brokerId: 1, brokerEpoch: 4, lowWaterSlot: 0 };
  const call = sealChain({ ...options, isBack }, id);
  await assertRejects(() => call, StoreError, "the chain's broker is back");
  assertEquals([asked, offset, fenced()], [3, 4, false]);
});

Deno.test("sealChain() ends the chain at its first gap", async () => {
  const { chain, pending, objects } = setup({ commitBytes: 1000, parallel: 3 });
  const sink = new Sink(0);
  const commits = [0, 1, 2].map((at) => append(chain, sink, at, bytesOf(1000, at)).commit);
  await sent(pending, 1);
  await pending[0]!.go();
  await pending[2]!.go();
  const id = { brokerId: 1, brokerEpoch: 4, lowWaterSlot: 0 };
  const slots = await sealChain(sealer(objects), id);
  assertEquals(slots.map((slot) => slot.footer.slot), [0]);
  await pending[1]!.go();
  const lost = ErrorCode.NOT_LEADER_OR_FOLLOWER;
  assertEquals(await Promise.all(commits.map((c) => c.done.promise)), [0, lost, lost]);
});

Deno.test("sealChain() never looks below the low-water mark", async () => {
  const { chain, pending, objects } = setup({ commitBytes: 1000 });
  for (let offset = 0; offset < 3; offset++) {
    const { commit } = append(chain, new Sink(0), offset, bytesOf(1000, offset));
    await sent(pending, offset + 1);
    await pending[offset]!.go();
    await commit.done.promise;
  }
  objects.delete(slotKey("ns", 1, 4, 0));
  const slots = await sealChain(sealer(objects), {
    brokerId: 1,
    brokerEpoch: 4,
    lowWaterSlot: 1,
  });
  assertEquals(slots.map((slot) => slot.footer.slot), [1, 2]);
});

Deno.test("startBehindLostMark() tells a lost low-water mark from commits in flight", () => {
  const range = (from: number, to: number) => [...Array(to - from).keys()].map((at) => from + at);
  assertEquals(startBehindLostMark(0, []), undefined);
  assertEquals(startBehindLostMark(5, range(5, 500)), undefined);
  assertEquals(startBehindLostMark(5, [6, 8, 68]), undefined, "all in flight with slot 5");
  assertEquals(startBehindLostMark(5, [69]), 69);
  assertEquals(startBehindLostMark(5, range(100, 200)), 100);
  assertEquals(startBehindLostMark(5, [...range(100, 200), 202, 205]), 100, "void ones behind");
  assertEquals(startBehindLostMark(5, [17, ...range(100, 300)]), 100, "17 was put back late");
});
