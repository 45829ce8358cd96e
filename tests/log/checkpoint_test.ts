import { assertEquals, assertRejects } from "@std/assert";
import { Checkpoint } from "../../core/log/checkpoint.ts";
import { StoreError } from "../../core/storage/object_store.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { type ManualRuntime, manualRuntime } from "../runtime/manual_runtime.ts";

function checkpoint(
  runtime: ManualRuntime,
  objects: MemoryObjects,
  trouble: { put?: number; delete?: boolean } = {},
): Checkpoint {
  const store = memoryStore(objects, runtime);
  const { putIfAbsent, delete: remove } = store;
  store.putIfAbsent = (...args) => {
    if ((trouble.put ?? 0) <= 0) return putIfAbsent.apply(store, args);
    trouble.put!--;
    return Promise.reject(new StoreError("retry", "slow down"));
  };
  store.delete = (...args) =>
    trouble.delete
      ? Promise.reject(new StoreError("retry", "slow down"))
      : remove.apply(store, args);
  return new Checkpoint({
    runtime,
    store,
    prefix: "ns/a/0/",
    topicId: "AAECAwQFBgcICQoLDA0ODw",
    partition: 0,
    signal: new AbortController().signal,
  });
}

const cover = (offset: number) => () => Promise.resolve({ change: { coveredOffset: offset } });

Deno.test("update() runs one change at a time, each on the one before", async () => {
  const one = checkpoint(manualRuntime(), new MemoryObjects());
  const seen: number[] = [];
  const add = () => {
    seen.push(one.coveredOffset);
    return Promise.resolve({ change: { coveredOffset: one.coveredOffset + 1 } });
  };
  await Promise.all([one.update(add), one.update(add), one.update(add)]);
  assertEquals([seen, one.sequence], [[0, 1, 2], 2]);
});

Deno.test("update() that loses the race goes on from the rival's manifest", async () => {
  const runtime = manualRuntime();
  const objects = new MemoryObjects();
  const [one, two] = [checkpoint(runtime, objects), checkpoint(runtime, objects)];
  assertEquals(await two.update(cover(9)), true);
  assertEquals(await one.update(cover(5)), false);
  assertEquals([one.coveredOffset, one.sequence], [9, 0]);
  assertEquals(await one.update(cover(12)), true);
  assertEquals(one.sequence, 1);
});

Deno.test("update() that fails leaves the checkpoint as it was", async () => {
  const one = checkpoint(manualRuntime(), new MemoryObjects());
  await assertRejects(() => one.update(() => Promise.reject(new Error("broken"))), Error, "broken");
  assertEquals(await one.update(cover(1)), true);
});

Deno.test("update() rides out passing faults of the store", async () => {
  const runtime = manualRuntime();
  const one = checkpoint(runtime, new MemoryObjects(), { put: 3 });
  const updated = one.update(cover(1));
  await runtime.advance(10_000);
  assertEquals(await updated, true);
});

Deno.test("load() works though old manifests cannot be deleted", async () => {
  const runtime = manualRuntime();
  const objects = new MemoryObjects();
  const trouble = { delete: true };
  const one = checkpoint(runtime, objects, trouble);
  for (const offset of [1, 2, 3]) await one.update(cover(offset));
  const two = checkpoint(runtime, objects, trouble);
  await two.load();
  assertEquals([two.coveredOffset, objects.size], [3, 3]);
  trouble.delete = false;
  await two.load();
  assertEquals(objects.size, 2);
});
