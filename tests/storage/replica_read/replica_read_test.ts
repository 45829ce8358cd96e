import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ObjectStore, StoreError } from "../../../core/storage/object_store.ts";
import { replicaReadStore } from "../../../drivers/storage/replica_read/driver.ts";
import { manualRuntime } from "../../runtime/manual_runtime.ts";
import { WeatherStore } from "../weather_store.ts";

const STALE_OK = { staleOk: true };

function scene() {
  const runtime = manualRuntime();
  const primary = new WeatherStore(runtime);
  const replica = new WeatherStore(runtime);
  const store = replicaReadStore({ runtime, primary, replica });
  const run = async <T>(call: Promise<T>, ms = 5_000): Promise<T> => {
    call.catch(() => {});
    await runtime.advance(ms);
    return await call;
  };
  const read = (key = "a", end = 4) => run(store.get(key, { start: 0, end }, STALE_OK));
  const counts = () => {
    const { reads, fallbacks, misses, failures, skipped } = store.replica!;
    return { reads, fallbacks, misses, failures, skipped };
  };
  return { runtime, primary, replica, store, run, read, counts };
}

const bytes = (...values: number[]) => new Uint8Array(values);

Deno.test("replica_read asks the replica first where the caller can do with it", async () => {
  const { primary, replica, read, counts } = scene();
  primary.objects.set("a", bytes(1, 2, 3, 4));
  replica.objects.set("a", bytes(1, 2, 3, 4));
  assertEquals(await read(), bytes(1, 2, 3, 4));
  assertEquals([primary.calls, replica.calls], [0, 1]);
  assertEquals(counts(), { reads: 1, fallbacks: 0, misses: 0, failures: 0, skipped: 0 });
});

Deno.test("replica_read asks the primary alone for everything else", async () => {
  const { primary, replica, store, run } = scene();
  replica.objects.set("a", bytes(9));
  assertEquals(await run(store.putIfAbsent("a", [bytes(1)])), "created");
  await run(store.put("b", [bytes(2)]));
  assertEquals(await run(store.get("a", undefined)), bytes(1));
  const keys = await run((async () => {
    const found: string[] = [];
    for await (const { key } of store.list("", undefined)) found.push(key);
    return found;
  })());
  assertEquals(keys, ["a", "b"]);
  await run(store.delete(["a"]));
  assert(replica.objects.has("a"));
  assertEquals(replica.calls, 0);
  assertEquals(primary.calls, 5);
});

Deno.test("replica_read falls back where the replica is behind", async () => {
  const { primary, replica, store, read, run, counts } = scene();
  primary.objects.set("a", bytes(1, 2, 3, 4));
  assertEquals(await read(), bytes(1, 2, 3, 4));
  // An older version that is shorter.
  replica.objects.set("a", bytes(1, 2));
  assertEquals(await read(), bytes(1, 2, 3, 4));
  assertEquals(await run(store.get("none", undefined, STALE_OK)), undefined);
  assertEquals(counts(), { reads: 3, fallbacks: 3, misses: 3, failures: 0, skipped: 0 });
});

Deno.test("replica_read gives a range that is cut at the object's end by the primary", async () => {
  const { primary, replica, read } = scene();
  primary.objects.set("a", bytes(1, 2, 3));
  replica.objects.set("a", bytes(1, 2, 3));
  assertEquals(await read("a", 10), bytes(1, 2, 3));
  assertEquals(primary.calls, 1);
});

Deno.test("replica_read leaves a failing replica alone, and goes back to it", async () => {
  const { runtime, primary, replica, store, read, counts } = scene();
  primary.objects.set("a", bytes(1, 2, 3, 4));
  replica.objects.set("a", bytes(1, 2, 3, 4));
  replica.weather = "fatal";
  for (let at = 0; at < 3; at++) assertEquals((await read())?.length, 4);
  const asked = replica.calls;
  assertEquals(counts(), { reads: 3, fallbacks: 3, misses: 0, failures: 3, skipped: 0 });
  const quick = store.get("a", { start: 0, end: 4 }, STALE_OK);
  await runtime.advance(2);
  assertEquals((await quick)?.length, 4);
  // The third read let five seconds pass: this one is the trial.
  assertEquals(replica.calls, asked + 1);
  const resting = Array.from({ length: 20 }, () => store.get("a", { start: 0, end: 4 }, STALE_OK));
  await runtime.advance(2);
  await Promise.all(resting);
  assertEquals(replica.calls, asked + 1);
  // An hour of reads, one a second: the longer it fails, the less it is asked.
  for (let second = 0; second < 3_600; second++) {
    const call = store.get("a", { start: 0, end: 4 }, STALE_OK);
    await runtime.advance(1_000);
    await call;
  }
  const trials = replica.calls - asked;
  assert(trials > 55 && trials < 140, `${trials} trials in an hour`);
  replica.weather = "fine";
  await runtime.advance(61_000);
  await read();
  const before = replica.calls;
  await read();
  assertEquals(replica.calls, before + 1);
  const lines = runtime.lines.map(({ level, message }) => `${level} ${message}`);
  assertEquals(lines.length, 2, lines.join("\n"));
});

Deno.test("replica_read does not wait for a replica that hangs", async () => {
  const { runtime, primary, replica, store, run } = scene();
  primary.objects.set("a", new Uint8Array(4 << 20));
  replica.weather = "hang";
  const small = store.get("a", { start: 0, end: 4 }, STALE_OK);
  await runtime.advance(1_050);
  assertEquals((await small)?.length, 4);
  const large = store.get("a", { start: 0, end: 4 << 20 }, STALE_OK);
  let done = false;
  large.then(() => done = true);
  await runtime.advance(1_900);
  assert(!done, "4 MiB may take a second more");
  await runtime.advance(150);
  assert(done);
  assertEquals(store.replica!.failures, 2);
  await run(large);
});

Deno.test("replica_read passes the caller's abort on and falls back to nobody", async () => {
  const { runtime, primary, replica, store, counts } = scene();
  replica.weather = "hang";
  const abort = new AbortController();
  const call = store.get("a", { start: 0, end: 4 }, { ...STALE_OK, signal: abort.signal });
  call.catch(() => {});
  await runtime.advance(10);
  abort.abort();
  await runtime.settle();
  await assertRejects(() => call, StoreError);
  assertEquals([primary.calls, counts().failures], [0, 0]);
});

Deno.test("a trial that its reader gives up is made by the next reader", async () => {
  const { runtime, primary, replica, store, read } = scene();
  primary.objects.set("a", bytes(1, 2, 3, 4));
  replica.weather = "fatal";
  for (let at = 0; at < 3; at++) await read();
  await runtime.advance(60_000);
  replica.weather = "hang";
  const abort = new AbortController();
  const trial = store.get("a", { start: 0, end: 4 }, { ...STALE_OK, signal: abort.signal });
  trial.catch(() => {});
  await runtime.advance(5);
  abort.abort();
  await runtime.settle();
  replica.weather = "fine";
  replica.objects.set("a", bytes(1, 2, 3, 4));
  const asked = replica.calls;
  await read();
  assertEquals(replica.calls, asked + 1);
});

/** Adds a getInto() that fails in the midst of writing where `get` would fail. */
function withInto(store: WeatherStore): ObjectStore {
  const full: ObjectStore = store;
  full.getInto = async (key, start, into, options) => {
    const wanted = into.reduce((sum, part) => sum + part.length, 0);
    try {
      const found = await store.get(key, { start, end: start + wanted }, options);
      if (found === undefined) return undefined;
      let at = 0;
      for (const part of into) {
        part.set(found.subarray(at, at + part.length));
        at += part.length;
      }
      return found.length;
    } catch (error) {
      for (const part of into) part.fill(0xee);
      // And goes on writing when it has long been given up.
      store.runtime.timers.after(10_000, () => into.forEach((part) => part.fill(0xdd)));
      throw error;
    }
  };
  return full;
}

for (const how of ["getInto()", "get()"] as const) {
  Deno.test(`replica_read fills buffers with whole answers only (${how})`, async () => {
    const runtime = manualRuntime();
    const primary = new WeatherStore(runtime);
    const replica = new WeatherStore(runtime);
    const store = replicaReadStore({
      runtime,
      primary: withInto(primary),
      replica: how === "get()" ? replica : withInto(replica),
    });
    const into = () => [new Uint8Array(3), new Uint8Array(2)];
    const read = async () => {
      const buffers = into();
      const call = store.getInto!("a", 1, buffers, STALE_OK);
      call.catch(() => {});
      await runtime.advance(5_000);
      return [await call, ...buffers];
    };
    primary.objects.set("a", bytes(0, 1, 2, 3, 4, 5));
    const right = [5, bytes(1, 2, 3), bytes(4, 5)];
    assertEquals(await read(), right);
    replica.objects.set("a", bytes(0, 1, 2));
    assertEquals(await read(), right);
    replica.objects.set("a", bytes(0, 1, 2, 3, 4, 5));
    const before = primary.calls;
    assertEquals(await read(), right);
    assertEquals(primary.calls, before);
    replica.weather = "retry";
    const buffers = into();
    const call = store.getInto!("a", 1, buffers, STALE_OK);
    await runtime.advance(60_000);
    assertEquals([await call, ...buffers], right, "what fails late writes into nobody's buffers");
  });
}
