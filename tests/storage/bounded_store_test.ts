import { assertEquals, assertRejects } from "@std/assert";
import { BoundedStore } from "../../core/storage/bounded_store.ts";
import { type ObjectStore, StoreError } from "../../core/storage/object_store.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { objectStoreConformance } from "../conformance/object_store.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";
import { faultyMemory, MEMORY_LACKS, WeatherStore } from "./weather_store.ts";

const LIMITS = { stuckMs: 15_000, graceMs: 3_000, gate: true };
const HEALTHY = { refusesWrites: false, refusesReads: false, onChange: () => () => {} };

const system = systemRuntime(systemLog("error", false));
objectStoreConformance("memory, bounded", () => {
  const inner = memoryStore(new MemoryObjects(), system);
  const store = new BoundedStore({ runtime: system, store: inner, health: HEALTHY, ...LIMITS });
  return Promise.resolve({ store, dispose: () => Promise.resolve(store.stop()) });
}, {
  largeBytes: 2 << 20,
  skip: MEMORY_LACKS,
  openFaulty: faultyMemory(system, (inner) => {
    const short = { stuckMs: 400, graceMs: 400, gate: true };
    const store = new BoundedStore({ runtime: system, store: inner, health: HEALTHY, ...short });
    return { store, dispose: () => Promise.resolve(store.stop()) };
  }),
});

function bounded(inner: (runtime: ReturnType<typeof manualRuntime>) => ObjectStore) {
  const runtime = manualRuntime();
  const store = new BoundedStore({ runtime, store: inner(runtime), health: HEALTHY, ...LIMITS });
  return { runtime, store };
}

Deno.test("BoundedStore waits longer for what has more bytes", async () => {
  const { runtime, store } = bounded((runtime) => {
    const inner = new WeatherStore(runtime);
    inner.weather = "hang";
    return inner;
  });
  const ended: string[] = [];
  const note = (name: string) => () =>
    void ended.push(`${name} ${Math.floor(runtime.clock.monotonicMs() / 1_000)}`);
  store.put("a", [new Uint8Array(10)]).catch(note("small"));
  store.put("b", [new Uint8Array(8 << 20)]).catch(note("8 MiB"));
  store.get("c", { start: 0, end: 4 << 20 }).catch(note("range"));
  store.get("d", undefined).catch(note("whole"));
  store.list("e", undefined)[Symbol.asyncIterator]().next().catch(note("page"));
  await runtime.advance(120_000);
  assertEquals(ended.sort(), ["8 MiB 23", "page 15", "range 19", "small 15", "whole 81"]);
  assertEquals(runtime.pendingTimers, 0);
});

Deno.test("BoundedStore counts a listing's waits, and not what its reader takes", async () => {
  const { runtime, store } = bounded((runtime) => {
    const inner = new WeatherStore(runtime);
    for (let at = 0; at < 3; at++) inner.objects.set(`k${at}`, new Uint8Array(1));
    return inner;
  });
  const keys: string[] = [];
  const read = (async () => {
    for await (const { key } of store.list("k", undefined)) {
      keys.push(key);
      await new Promise<void>((go) => runtime.timers.after(60_000, go));
    }
  })();
  await runtime.advance(300_000);
  await read;
  assertEquals(keys, ["k0", "k1", "k2"]);
});

Deno.test("BoundedStore passes the caller's abort on", async () => {
  const { runtime, store } = bounded((runtime) => {
    const inner = new WeatherStore(runtime);
    inner.weather = "hang";
    return inner;
  });
  const abort = new AbortController();
  const call = store.get("a", undefined, { signal: abort.signal });
  call.catch(() => {});
  await runtime.advance(100);
  abort.abort(new Error("the reader has gone"));
  await runtime.settle();
  const error = await assertRejects(() => call, StoreError, "aborted");
  assertEquals((error.cause as Error).message, "the reader has gone");
  const aborted = AbortSignal.abort();
  await assertRejects(() => store.get("a", undefined, { signal: aborted }), StoreError);
  store.stop();
});
