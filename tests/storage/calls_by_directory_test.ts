import { assertEquals } from "@std/assert";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { CallsByDirectory } from "../../core/storage/calls_by_directory.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";

const runtime = systemRuntime(systemLog("error", false));

Deno.test("CallsByDirectory counts by the part behind the namespace", async () => {
  const store = new CallsByDirectory(memoryStore(new MemoryObjects(), runtime), "a/b");
  await store.putIfAbsent("a/b/t/0/x", [new Uint8Array(1)]);
  await store.putIfAbsent("a/b/t/0/x", [new Uint8Array(1)]);
  await store.put("a/b/.wal/0/y", [new Uint8Array(1)]);
  await store.get("a/b/t/1/none", undefined);
  await Array.fromAsync(store.list("a/b/t", undefined));
  await store.delete(["a/b/t/0/x", "a/b/u/0/x"]);
  assertEquals(store.find("t"), { puts: 2, gets: 1, lists: 1, deletes: 1 });
  assertEquals(store.find(".wal"), { puts: 1, gets: 0, lists: 0, deletes: 0 });
  assertEquals(store.find("u"), undefined);
});

Deno.test("CallsByDirectory forgets topics that are gone when there are many", async () => {
  const store = new CallsByDirectory(memoryStore(new MemoryObjects(), runtime), "ns");
  for (let topic = 0; topic < 1_003; topic++) await store.get(`ns/t${topic}/0/x`, undefined);
  await store.get("ns/.wal/0/x", undefined);
  const topics = (directories: readonly string[]) => ({
    topicCount: directories.length,
    all: () => directories.map((directory) => ({ directory })),
  });
  store.trim(topics(["t1", "t2"]));
  assertEquals(store.find("t0"), { puts: 0, gets: 1, lists: 0, deletes: 0 });
  store.trim(topics(["t1"]));
  const left = ["t0", "t1", "t2", ".wal"].filter((directory) =>
    store.find(directory) !== undefined
  );
  assertEquals(left, ["t1", ".wal"]);
});
