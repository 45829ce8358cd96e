/** What a broker may say only while its chain is its own. */
import { assertEquals } from "@std/assert";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { type ObjectStore, StoreError } from "../../core/storage/object_store.ts";
import { WalChain } from "../../core/storage/wal/chain.ts";
import { sealChain } from "../../core/storage/wal/seal.ts";
import { Standing } from "../../core/storage/wal/sealed.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";
import { batchRow } from "./batch_row.ts";
import { chainOptions } from "./chain_options.ts";

const SPACING_MS = 250;

function setup() {
  const runtime = manualRuntime(1);
  const calls = { gets: 0, puts: 0, fail: false };
  const inner = memoryStore(new MemoryObjects(), runtime);
  const store: ObjectStore = {
    ...inner,
    get: (key, range, o) => {
      calls.gets++;
      if (calls.fail) return Promise.reject(new StoreError("retry", "away"));
      return inner.get(key, range, o);
    },
    putIfAbsent: (key, body, o) => {
      calls.puts++;
      return inner.putIfAbsent(key, body, o);
    },
  };
  const chain = new WalChain({ ...chainOptions(runtime, store), spacingMs: SPACING_MS });
  const sink = { topicId: "AAECAwQFBgcICQoLDA0ODw", partition: 0, committed: () => {} };
  const append = (offset: number) =>
    chain.append(sink, batchRow(offset), new Uint8Array(100), 0, 100).done.promise;
  const seal = () =>
    sealChain({
      runtime,
      store: inner,
      namespace: "ns",
      brokerId: 2,
      brokerEpoch: 1,
      signal: new AbortController().signal,
    }, { brokerId: 1, brokerEpoch: 4, lowWaterSlot: 0 });
  return { runtime, calls, chain, standing: new Standing(chain), append, seal };
}

Deno.test("prove() is 0 until others seal the chain, which it has not met itself", async () => {
  const { runtime, chain, standing, append, seal } = setup();
  assertEquals(await standing.prove(), 0);
  const committed = append(0);
  await runtime.advance(SPACING_MS);
  assertEquals(await committed, 0);
  assertEquals(await standing.prove(), 0);
  await seal();
  assertEquals(await standing.prove(), ErrorCode.NOT_LEADER_OR_FOLLOWER);
  assertEquals(chain.ended, 0);
  chain.close(ErrorCode.KAFKA_STORAGE_ERROR);
  assertEquals(await standing.prove(), ErrorCode.KAFKA_STORAGE_ERROR);
});

Deno.test("prove() waits for what was appended, and sends nothing early", async () => {
  const { runtime, calls, standing, append } = setup();
  const first = append(0);
  await runtime.advance(0);
  assertEquals(await first, 0);
  // The next one is not due before the spacing has passed.
  void append(1);
  let code: number | undefined;
  void standing.prove().then((proved) => code = proved);
  await runtime.advance(SPACING_MS / 2);
  assertEquals([code, calls.puts], [undefined, 1]);
  await runtime.advance(SPACING_MS);
  assertEquals([code, calls.puts], [0, 2]);
});

Deno.test("prove() looks once for all who ask while another look is under way", async () => {
  const { calls, standing, seal } = setup();
  const first = standing.prove();
  const others = Array.from({ length: 100 }, () => standing.prove());
  await seal();
  // Who asks before the seal may be told either; nobody who asks behind it.
  await first;
  await Promise.all(others);
  assertEquals(calls.gets, 2);
  assertEquals(await standing.prove(), ErrorCode.NOT_LEADER_OR_FOLLOWER);
  assertEquals(calls.gets, 3);
});

Deno.test("prove() is retriable where the store cannot be read, and looks again", async () => {
  const { calls, standing } = setup();
  calls.fail = true;
  assertEquals(await standing.prove(), ErrorCode.KAFKA_STORAGE_ERROR);
  calls.fail = false;
  assertEquals(await standing.prove(), 0);
});
