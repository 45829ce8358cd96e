import { assertEquals } from "@std/assert";
import { Follower } from "../../core/metadata/follower.ts";
import type { MetadataStore, WatchBatch } from "../../core/metadata/metadata_store.ts";
import { deferred } from "../../core/runtime/deferred.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

const put = (store: MetadataStore, key: string) =>
  store.commit({ if: [], then: [{ put: key, value: new Uint8Array([1]) }] });

Deno.test("Follower keeps what it was told while a listing was on its way", async () => {
  const runtime = manualRuntime(1);
  const view = new MemoryMetadata(runtime).connect();
  const keys = new Set<string>();
  const answer = deferred<void>();
  const { list, watch } = { list: view.list.bind(view), watch: view.watch.bind(view) };
  let lists = 0;
  let watches = 0;
  const store: MetadataStore = Object.assign(view, {
    list: async (prefix: string) => {
      const listing = await list(prefix);
      if (++lists === 2) await answer.promise;
      return listing;
    },
    async *watch(...args: Parameters<typeof watch>): AsyncIterable<WatchBatch> {
      if (++watches === 1) yield { compacted: true };
      else yield* watch(...args);
    },
  });
  const follower = new Follower({
    runtime,
    store,
    prefix: "a/",
    what: "entries",
    load: (entries) => {
      keys.clear();
      for (const { key } of entries) keys.add(key);
    },
    apply: (events) => {
      for (const event of events) keys.add(event.type === "put" ? event.entry.key : event.key);
    },
  });
  await put(store, "a/1");
  await follower.start();
  await runtime.settle();
  assertEquals([lists, watches], [2, 1], "it lists again, since history was compacted");
  await put(store, "a/2");
  await follower.refresh();
  assertEquals([...keys], ["a/1", "a/2"]);
  // What was listed before that arrives now.
  answer.resolve();
  await runtime.settle();
  await put(store, "a/3");
  await runtime.settle();
  assertEquals([...keys], ["a/1", "a/2", "a/3"]);
  await follower.stop();
});
