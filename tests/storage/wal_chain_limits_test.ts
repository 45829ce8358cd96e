import { assert, assertEquals } from "@std/assert";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { slotKey } from "../../core/storage/keys.ts";
import { StoreError } from "../../core/storage/object_store.ts";
import { WalChain } from "../../core/storage/wal/chain.ts";
import type { ChainOptions } from "../../core/storage/wal/chain_options.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";
import { batchRow } from "./batch_row.ts";
import { chainOptions } from "./chain_options.ts";

const SINK = { topicId: "AAECAwQFBgcICQoLDA0ODw", partition: 0, committed: () => {} };

function setup(overrides: Partial<ChainOptions> = {}) {
  const runtime = manualRuntime();
  const objects = new MemoryObjects();
  const store = memoryStore(objects, runtime);
  const chain = new WalChain({
    ...chainOptions(runtime, store),
    commitBytes: 1_000,
    uncommittedBytesMax: 2_000,
    ...overrides,
  });
  let offset = 0;
  const append = (bytes = 100) => {
    const row = batchRow(offset++);
    return chain.append(SINK, row, new Uint8Array(bytes), 0, bytes).done.promise;
  };
  return { runtime, objects, store, chain, append };
}

Deno.test("room() ends with its time, and keeps nothing of those who left", async () => {
  const { runtime, store, chain, append } = setup();
  store.putIfAbsent = () => new Promise(() => {});
  void append(2_000);
  let done = false;
  const room = chain.room(500).then(() => done = true);
  await runtime.advance(499);
  assertEquals(done, false);
  await runtime.advance(1);
  await room;
  assertEquals(runtime.pendingTimers, 0);
});

Deno.test("flush() waits for what was appended before it, and no more", async () => {
  const { runtime, objects, store, chain, append } = setup({ parallel: 1 });
  const { putIfAbsent } = store;
  const gates: (() => void)[] = [];
  store.putIfAbsent = async (...args) => {
    await new Promise<void>((resolve) => gates.push(resolve));
    return await putIfAbsent.apply(store, args);
  };
  void append();
  let flushed = false;
  const flush = chain.flush().then(() => flushed = true);
  await runtime.settle();
  void append();
  await runtime.settle();
  assertEquals(flushed, false);
  gates.shift()!();
  await flush;
  assertEquals(objects.size, 1);
});

Deno.test("flush() sends at once what the spacing still holds back", async () => {
  const { runtime, objects, chain, append } = setup({ spacingMs: 250 });
  void append();
  await runtime.settle();
  void append();
  await runtime.settle();
  assertEquals(objects.size, 1);
  await chain.flush();
  assertEquals(objects.size, 2);
});

Deno.test("commits that are not full are sent once per spacing while more arrives", async () => {
  const { runtime, objects, append } = setup({ spacingMs: 250 });
  for (let at = 0; at < 10; at++) {
    void append(10);
    await runtime.advance(50);
  }
  // at 0, 250 and 500 ms
  assertEquals(objects.size, 3);
  await runtime.advance(1_000);
  assertEquals(objects.size, 3);
});

Deno.test("whatever lies in our slot and isn't ours fences", async () => {
  const { runtime, objects, chain, append } = setup();
  objects.set(slotKey("ns", 1, 4, 0), new TextEncoder().encode("no slot at all"));
  assertEquals(await append(), ErrorCode.NOT_LEADER_OR_FOLLOWER);
  assertEquals(chain.ended, ErrorCode.NOT_LEADER_OR_FOLLOWER);
  await runtime.settle();
});

Deno.test("an object that is gone again when its slot is looked into is no fence", async () => {
  const { objects, store, chain, append } = setup();
  const { putIfAbsent } = store;
  let first = true;
  store.putIfAbsent = (...args) => {
    if (!first) return putIfAbsent.apply(store, args);
    first = false;
    return Promise.resolve("exists");
  };
  assertEquals(await append(), 0);
  assertEquals([objects.size, chain.ended], [1, 0]);
});

Deno.test("a fence ends the uploads behind it, which would be tried for ever", async () => {
  const { runtime, objects, store, append } = setup({ commitBytes: 100 });
  objects.set(slotKey("ns", 1, 4, 0), new Uint8Array(16));
  const { putIfAbsent } = store;
  let tries = 0;
  store.putIfAbsent = (...args) => {
    if (args[0] === slotKey("ns", 1, 4, 0)) return putIfAbsent.apply(store, args);
    tries++;
    return Promise.reject(new StoreError("retry", "slow down"));
  };
  const lost = ErrorCode.NOT_LEADER_OR_FOLLOWER;
  assertEquals(await Promise.all([append(), append(), append()]), [lost, lost, lost]);
  const before = tries;
  await runtime.advance(60_000);
  assert(tries === before && runtime.pendingTimers === 0);
});
