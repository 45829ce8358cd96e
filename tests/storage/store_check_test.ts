import { assert, assertEquals, assertRejects } from "@std/assert";
import { StoreError } from "../../core/storage/object_store.ts";
import { checkReadable, checkStore, UnfitStoreError } from "../../core/storage/store_check.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";
import { WeatherStore } from "./weather_store.ts";

function scene() {
  const runtime = manualRuntime();
  const store = new WeatherStore(runtime);
  const abort = new AbortController();
  /** What the check says, and after how many seconds. */
  const check = async (limitMs = 20_000) => {
    let endedMs = -1;
    const call = checkStore(runtime, store, "ns", 1, abort.signal)
      .finally(() => endedMs = runtime.clock.monotonicMs());
    call.catch(() => {});
    await runtime.advance(limitMs);
    assert(endedMs >= 0, "it is still at it");
    assertEquals(runtime.pendingTimers, 0);
    return { call, seconds: Math.round(endedMs / 1_000) };
  };
  return { runtime, store, abort, check };
}

Deno.test("checkStore() passes a store that works, and leaves nothing in it", async () => {
  const { store, check } = scene();
  const { call, seconds } = await check();
  await call;
  assertEquals([seconds, store.objects.size], [0, 0]);
});

Deno.test("checkReadable() lists and reads, and writes nothing", async () => {
  const runtime = manualRuntime();
  const objects = new MemoryObjects();
  const store = memoryStore(objects, runtime);
  const { signal } = new AbortController();
  await checkReadable(runtime, store, "ns", signal);
  objects.set("ns/.wal/1/0000000001/00000000000000000000.wal", new Uint8Array(8));
  await checkReadable(runtime, store, "ns", signal);
  assertEquals(store.calls, { putIfAbsent: 0, put: 0, get: 1, list: 2, delete: 0 });
  store.get = () => Promise.reject(new StoreError("fatal", "denied"));
  await assertRejects(
    () => checkReadable(runtime, store, "ns", signal),
    UnfitStoreError,
    "the object store cannot be read: denied",
  );
});

Deno.test("checkStore() waits for a store that is starting", async () => {
  const { runtime, store, check } = scene();
  store.weather = "retry";
  runtime.timers.after(9_000, () => store.weather = "fine");
  const { call, seconds } = await check();
  await call;
  assert(seconds >= 9 && seconds < 15, `${seconds} s`);
});

Deno.test("checkStore() wants each call to come through once, not all in a row", async () => {
  const { store, check } = scene();
  let calls = 0;
  const inBadWeather = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => (...args: A) =>
    ++calls % 3 === 0 ? call(...args) : Promise.reject(new StoreError("retry", "lost"));
  store.putIfAbsent = inBadWeather(store.putIfAbsent.bind(store));
  store.get = inBadWeather(store.get.bind(store));
  store.delete = inBadWeather(store.delete.bind(store));
  await (await check()).call;
  assertEquals(calls, 12);
});

Deno.test("checkStore() gives a store that cannot be reached 15 seconds", async () => {
  const { store, check } = scene();
  for (const kind of ["retry", "hang", "throttled"] as const) {
    const { runtime, store, check } = scene();
    store.weather = kind;
    const { call, seconds } = await check();
    const error = await assertRejects(() => call, UnfitStoreError);
    const heard = kind === "hang" ? "it does not answer" : `the weather is ${kind}`;
    const message = `the object store cannot be written within 15 s: ${heard}`;
    assertEquals(error.message, message);
    assert(seconds >= 14 && seconds <= 15, `${kind}: ${seconds} s`);
    await runtime.settle();
  }
  store.reads.kind = "hang";
  await assertRejects(async () => await (await check()).call, UnfitStoreError);
});

Deno.test("checkStore() refuses at once what cannot get better", async () => {
  const { store, check } = scene();
  store.weather = "fatal";
  const { call, seconds } = await check();
  const error = await assertRejects(() => call, UnfitStoreError);
  assertEquals(error.message, "the object store cannot be written: the weather is fatal");
  assertEquals(seconds, 0);
});

Deno.test("checkStore() refuses a store whose conditional writes replace", async () => {
  const { store, check } = scene();
  store.putIfAbsent = async (key, body) => {
    await store.put(key, body);
    return "created" as const;
  };
  const { call } = await check();
  await assertRejects(() => call, UnfitStoreError, "lacks working conditional writes");
});

Deno.test("checkStore() ends with the broker's own end", async () => {
  const { runtime, store, abort, check } = scene();
  store.weather = "hang";
  runtime.timers.after(2_000, () => abort.abort());
  const { call, seconds } = await check();
  await assertRejects(() => call, UnfitStoreError);
  assertEquals(seconds, 2);
});
