import { assertEquals, assertRejects } from "@std/assert";
import { type ObjectStore, StoreError } from "../../core/storage/object_store.ts";
import { ObservedStore } from "../../core/storage/observed_store.ts";
import { memoryStore } from "../../drivers/storage/memory/driver.ts";
import { MemoryObjects } from "../../drivers/storage/memory/driver.ts";
import { objectStoreConformance } from "../conformance/object_store.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { faultyMemory, MEMORY_LACKS, UNBOUNDED, WeatherStore } from "./weather_store.ts";

const system = systemRuntime(systemLog("error", false));
objectStoreConformance("memory, observed", () => {
  const store = memoryStore(new MemoryObjects(), system);
  return Promise.resolve({ store: new ObservedStore(store, system.clock) });
}, {
  largeBytes: 2 << 20,
  skip: { ...MEMORY_LACKS, ...UNBOUNDED },
  openFaulty: faultyMemory(system, (inner) => ({ store: new ObservedStore(inner, system.clock) })),
});

function scene() {
  const runtime = manualRuntime();
  const inner = new WeatherStore(runtime);
  const store = new ObservedStore(inner, runtime.clock);
  const run = async <T>(call: Promise<T>): Promise<T> => {
    call.catch(() => {});
    await runtime.advance(1_000);
    return await call;
  };
  return { runtime, inner, store, run, figures: store.figures };
}

const body = (bytes: number) => [new Uint8Array(bytes)];

Deno.test("ObservedStore counts calls, bytes and latency of each operation", async () => {
  const { inner, store, run, figures } = scene();
  inner.writes.latencyMs = 30;
  inner.reads.latencyMs = 4;
  await run(store.putIfAbsent("a", body(100)));
  await run(store.putIfAbsent("a", body(100)));
  await run(store.put("b", body(7)));
  await run(store.get("a", { start: 0, end: 10 }));
  await run(store.get("none", undefined));
  await run(store.delete(["a", "b", "c"]));
  const { putIfAbsent, put, get } = figures;
  assertEquals([putIfAbsent.ok, putIfAbsent.bytes, put.ok, put.bytes], [2, 200, 1, 7]);
  assertEquals([get.ok, get.bytes, get.latency.sum], [2, 10, 8]);
  assertEquals([figures.delete.ok, figures.delete.keys], [1, 3]);
  assertEquals([putIfAbsent.latency.count, putIfAbsent.latency.max], [2, 30]);
  assertEquals(putIfAbsent.latency.quantile(0.5), 30);
});

Deno.test("ObservedStore tells failures by outcome, and aborts from failures", async () => {
  const { runtime, inner, store, run, figures } = scene();
  for (const outcome of ["retry", "throttled", "fatal"] as const) {
    inner.reads.kind = outcome;
    await assertRejects(() => run(store.get("a", undefined, { attempt: 1 })), StoreError);
  }
  inner.reads.kind = "hang";
  const abort = new AbortController();
  const hanging = store.get("a", undefined, { signal: abort.signal });
  hanging.catch(() => {});
  await runtime.advance(500);
  assertEquals(figures.get.inFlight, 1);
  abort.abort();
  await assertRejects(() => run(hanging), StoreError);
  const ours = new AbortController();
  const given = store.get("a", undefined, { signal: ours.signal });
  given.catch(() => {});
  ours.abort(new StoreError("retry", "it took too long"));
  await assertRejects(() => run(given), StoreError);
  const { ok, retry, throttled, fatal, aborted, retries, inFlight, latency } = figures.get;
  assertEquals({ ok, retry, throttled, fatal, aborted, retries, inFlight }, {
    ok: 0,
    retry: 2,
    throttled: 1,
    fatal: 1,
    aborted: 1,
    retries: 3,
    inFlight: 0,
  });
  assertEquals(latency.count, 0);
});

Deno.test("ObservedStore knows since when the oldest call is due", async () => {
  const { runtime, inner, store, figures } = scene();
  inner.weather = "hang";
  assertEquals(figures.put.oldestDueMs, Infinity);
  const abort = new AbortController();
  const { signal } = abort;
  const calls: Promise<unknown>[] = [store.put("large", body(8 << 20), { signal })];
  await runtime.advance(100);
  calls.push(store.put("small", [], { signal }));
  await runtime.advance(100);
  calls.push(store.put("smaller", [], { signal }));
  // 8 MiB may take two seconds.
  assertEquals(figures.put.oldestDueMs, 100);
  assertEquals(figures.put.inFlight, 3);
  abort.abort();
  await Promise.allSettled(calls);
  assertEquals(figures.put.oldestDueMs, Infinity);
});

Deno.test("ObservedStore counts a listing once, with its longest wait", async () => {
  const { runtime, figures, store } = scene();
  let returned = false;
  const pages: ObjectStore["list"] = async function* () {
    try {
      for (let at = 0; at < 5; at++) {
        if (at === 2) await new Promise<void>((go) => runtime.timers.after(70, go));
        yield { key: `k${at}`, size: 1 };
      }
    } finally {
      returned = true;
    }
  };
  (store.inner as WeatherStore).list = pages as WeatherStore["list"];
  const read = async () => {
    for await (const { key } of store.list("k", undefined)) {
      // The caller's own time is not the store's.
      await new Promise<void>((go) => runtime.timers.after(1_000, go));
      if (key === "k3") break;
    }
  };
  const done = read();
  await runtime.advance(10_000);
  await done;
  const { ok, keys, inFlight, latency } = figures.list;
  assertEquals({ ok, keys, inFlight, longest: latency.max, returned }, {
    ok: 1,
    keys: 4,
    inFlight: 0,
    longest: 70,
    returned: true,
  });
});

Deno.test("ObservedStore has getInto() only where the inner store has", async () => {
  const { store, runtime } = scene();
  assertEquals(store.getInto, undefined);
  const inner: ObjectStore = new WeatherStore(runtime);
  inner.getInto = (_key, _start, into) => Promise.resolve(into[0]!.length);
  const observed = new ObservedStore(inner, runtime.clock);
  assertEquals(await observed.getInto!("a", 0, body(12)), 12);
  assertEquals([observed.figures.get.ok, observed.figures.get.bytes], [1, 12]);
});
