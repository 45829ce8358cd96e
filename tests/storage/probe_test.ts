/** The probe finds what is wrong: for each promise there is a store that breaks it. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { type CallOptions, StoreError } from "../../core/storage/object_store.ts";
import {
  examine,
  type Finding,
  measure,
  type OtherStore,
  PROMISES,
  removeAll,
} from "../../core/storage/probe/mod.ts";
import { type Body, Refused, Sound, SPOILED, type StoreKind } from "./spoiled_stores.ts";

const runtime = systemRuntime(systemLog("error", false));
const SIZES = { largeBytes: 2 * 1024 * 1024, listKeys: 100 };
/** Its timers take a hundredth of their time. */
const hurried = {
  ...runtime,
  timers: {
    ...runtime.timers,
    after: (ms: number, run: () => void) => runtime.timers.after(ms / 100, run),
  },
};
const never = new AbortController().signal;

async function findings(
  names: readonly string[],
  kind: StoreKind,
  others: StoreKind = Refused,
): Promise<Finding[]> {
  const openOther = (which: OtherStore) =>
    Promise.resolve(which === "again" ? new kind() : new others());
  const context = { store: new kind(), runtime, prefix: "run/", sizes: SIZES, openOther };
  const chosen = PROMISES.filter(({ name }) => names.includes(name));
  const found = await Promise.all(chosen.map((one) => examine(one, context, never)));
  await lateWrites();
  return found;
}

/** What a store still does after its calls were given up. */
function lateWrites(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

const ALL = PROMISES.map(({ name }) => name);

Deno.test("a sound store keeps every promise", async () => {
  const found = await findings(ALL, Sound);
  assertEquals(found.filter(({ outcome }) => outcome !== "kept"), []);
  assertEquals(found.length, ALL.length);
});

for (const [what, [kind, ...names]] of Object.entries(SPOILED)) {
  Deno.test(`a store that ${what} breaks ${names.join(", ")}`, async () => {
    const found = await findings(names, kind);
    assertEquals(found.length, names.length);
    for (const { name, outcome, detail } of found) {
      assertEquals(outcome, "broken", name);
      assertMatch(detail!, /\w+.*[^.]$/);
    }
  });
}

Deno.test("a store that takes any credentials, or makes buckets, breaks two promises", async () => {
  const found = await findings(["wrong-credentials", "missing-bucket"], Sound, Sound);
  assertEquals(found.map(({ outcome }) => outcome), ["broken", "broken"]);
});

Deno.test("every promise has its own name, a sentence, and a store that breaks it", () => {
  const broken = new Set(Object.values(SPOILED).flatMap(([, ...names]) => names));
  assertEquals(ALL.filter((name) => !broken.has(name)), ["wrong-credentials", "missing-bucket"]);
  assertEquals(new Set(ALL).size, ALL.length);
  for (const { promise } of PROMISES) assertMatch(promise, /^[A-Z].*\.$/);
});

Deno.test("examine() starts over after passing faults, and says when they don't pass", async () => {
  let left = 3;
  class Busy extends Sound {
    override async put(key: string, body: Body, o?: CallOptions) {
      await this.inner.put(key, body, o);
      if (left-- > 0) throw new StoreError("throttled", "slow down");
    }
  }
  const store = new Busy();
  const openOther = () => Promise.resolve(undefined);
  const context = { store, runtime: hurried, prefix: "run/", sizes: SIZES, openOther };
  const one = PROMISES.find(({ name }) => name === "put-replaces")!;
  assertEquals((await examine(one, context, never)).outcome, "kept");
  assertEquals([...store.objects.page("run/", undefined, 9)].map(({ key }) => key), [
    "run/put-replaces-2/p",
    "run/put-replaces-3/p",
    "run/put-replaces-4/p",
    "run/put-replaces/p",
  ]);
  left = Infinity;
  const unclear = await examine(one, context, never);
  assertEquals(unclear.outcome, "not tested");
  assertMatch(unclear.detail!, /^5 times over the store did not answer: slow down/);
  const abort = new AbortController();
  const running = examine(one, context, abort.signal);
  abort.abort(new Error("enough"));
  await assertRejects(() => running, Error, "enough");
  await lateWrites();
});

Deno.test("measure() counts what it asked for, and failures apart", async () => {
  let failures = 2;
  class Busy extends Sound {
    override async putIfAbsent(key: string, body: Body, o?: CallOptions) {
      if (failures-- > 0) throw new StoreError("throttled", "slow down");
      return await this.inner.putIfAbsent(key, body, o);
    }
  }
  const store = new Busy();
  const keys: string[] = [];
  const o = {
    store,
    runtime: hurried,
    prefix: "run/",
    keys,
    bytes: 5000,
    durationMs: 300,
    signal: never,
  };
  const creates = (await measure({ ...o, operation: "create", parallel: 3 }))!;
  assertEquals(creates.failures, 2);
  assertEquals(creates.requests, store.objects.size);
  assertEquals(keys.length, creates.requests);
  // three tries by each that asks at the least, however slow the machine is
  assert(creates.requests >= 7);
  assert(creates.p50Ms >= 0.5 && creates.p50Ms <= creates.p99Ms && creates.p99Ms <= creates.maxMs);
  assert(creates.bytesPerSecond <= creates.requests * 5000 / 0.3);
  const gets = (await measure({ ...o, operation: "get", parallel: 1 }))!;
  assertEquals([gets.operation, gets.failures, gets.bytes], ["get", 0, 5000]);
  assert(gets.requests >= 3);
  failures = Infinity;
  assertEquals(await measure({ ...o, operation: "create", parallel: 8, durationMs: 0 }), undefined);
});

Deno.test("removeAll() removes what is below a prefix, late writes too", async () => {
  const store = new Sound();
  for (let at = 0; at < 50; at++) await store.put(`run/${at % 3}/${at}`, [new Uint8Array(1)]);
  await store.put("other", [new Uint8Array(1)]);
  const late = setTimeout(() => store.objects.set("run/late", new Uint8Array(1)), 300);
  assertEquals(await removeAll({ store, runtime, signal: never }, "run/"), 0);
  clearTimeout(late);
  assertEquals([...store.objects.page("", undefined, 9)].map(({ key }) => key), ["other"]);
});
