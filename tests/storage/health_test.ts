import { assert, assertEquals, assertRejects } from "@std/assert";
import { GuardedStore } from "../../core/storage/guarded_store.ts";
import { StoreError } from "../../core/storage/object_store.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";
import { WeatherStore } from "./weather_store.ts";

const SETTINGS = {
  windowMs: 60_000,
  latencyWarnMs: 500,
  latencyCritMs: 3_000,
  errorRateWarn: 0.2,
  errorRateCrit: 0.6,
};
const PROBE = "ns/.probe/4/health";

function scene() {
  const runtime = manualRuntime();
  const inner = new WeatherStore(runtime);
  const store = new GuardedStore({
    runtime,
    store: inner,
    namespace: "ns",
    brokerId: 4,
    health: SETTINGS,
  });
  const states: string[] = [];
  for (const level of ["info", "warn", "error"] as const) {
    const log = runtime.log[level];
    runtime.log[level] = (message, fields) => {
      states.push(/is (\w+)/.exec(message)![1]!);
      log(message, fields);
    };
  }
  let slot = 0;
  /** A commit as the chain makes it: tried again until it succeeds. */
  const commit = async () => {
    const key = `ns/.wal/${slot++}`;
    for (let attempt = 0;; attempt++) {
      try {
        return await store.patient.putIfAbsent(key, [new Uint8Array(9)], { attempt });
      } catch {
        await new Promise<void>((go) => runtime.timers.after(200, go));
      }
    }
  };
  const commits = async (count: number) => {
    for (let at = 0; at < count; at++) {
      const done = commit();
      await runtime.advance(100);
      await done;
    }
  };
  return { runtime, inner, store, states, commit, commits };
}

Deno.test("an idle store costs nothing: no timer, no probe", async () => {
  const { runtime, inner, store, commits } = scene();
  assertEquals(runtime.pendingTimers, 0);
  await commits(3);
  await runtime.advance(2_000);
  const calls = inner.calls;
  inner.weather = "hang";
  await runtime.advance(3_600_000);
  assertEquals([inner.calls, runtime.pendingTimers], [calls, 0]);
  assertEquals(store.health().state, "healthy");
  await store.stop();
});

Deno.test("a store that hangs is unavailable, and probes bring it back", async () => {
  const { runtime, inner, store, states, commit, commits } = scene();
  await commits(20);
  inner.weather = "hang";
  const waiting = commit();
  await runtime.advance(2_900);
  assertEquals(store.health().value, 0);
  await runtime.advance(600);
  const { value, writes, reads, reason, sinceMs } = store.health();
  assertEquals({ value, writes, reads }, { value: 2, writes: "unavailable", reads: "healthy" });
  assert(reason.startsWith("no answer for 3"), reason);
  assertEquals(sinceMs, runtime.clock.wallMs() - store.health().forMs);
  assert(store.gate.refusesWrites);
  // The probe reads, too; so reads are found out without a client's.
  await runtime.advance(4_000);
  assert(store.gate.refusesReads);
  await assertRejects(() => store.gated.get("x", undefined), StoreError, "unavailable");
  const probes = store.health().probes;
  await runtime.advance(60_000);
  const more = store.health().probes - probes;
  assert(more >= 6 && more <= 40, `${more} probes in a minute`);
  inner.weather = "fine";
  await runtime.advance(9_000);
  assertEquals(store.health().state, "degraded");
  assertEquals(await waiting, "created");
  // Idle, so it asks by itself until it is sure; then it is silent, and leaves nothing behind.
  await runtime.advance(30_000);
  assertEquals(store.health().state, "healthy");
  assertEquals(runtime.pendingTimers, 0);
  assert(!inner.objects.has(PROBE));
  assertEquals(states, ["unavailable", "degraded", "healthy"]);
  assertEquals(store.health().entered, { healthy: 1, degraded: 1, unavailable: 1 });
  await store.stop();
});

Deno.test("a store that refuses for a second is none the worse", async () => {
  const { runtime, inner, store, states, commit, commits } = scene();
  await commits(30);
  inner.weather = "retry";
  const waiting = [commit(), commit(), commit(), commit()];
  await runtime.advance(1_000);
  inner.weather = "fine";
  await runtime.advance(1_000);
  await Promise.all(waiting);
  assertEquals(states, []);
  await store.stop();
});

Deno.test("a single failed read of an idle broker is cleared up by one probe", async () => {
  const { runtime, inner, store, states } = scene();
  inner.reads.kind = "retry";
  const read = store.gated.get("x", undefined);
  read.catch(() => {});
  await runtime.advance(10);
  await assertRejects(() => read, StoreError);
  inner.reads.kind = "fine";
  await runtime.advance(10_000);
  assertEquals([store.health().probes, runtime.pendingTimers], [1, 0]);
  assertEquals(states, []);
  await store.stop();
});

Deno.test("a store that cannot be written still serves reads", async () => {
  const { runtime, inner, store, commit } = scene();
  inner.objects.set("x", new Uint8Array(5));
  inner.writes.kind = "fatal";
  commit();
  await runtime.advance(5_000);
  const { state, writes, reads } = store.health();
  assertEquals({ state, writes, reads }, {
    state: "unavailable",
    writes: "unavailable",
    reads: "healthy",
  });
  const read = store.gated.get("x", undefined);
  await runtime.advance(10);
  assertEquals((await read)?.length, 5);
  inner.writes.kind = "fine";
  await runtime.advance(10_000);
  await store.stop();
});

Deno.test("failing deletions say nothing about the store", async () => {
  const { runtime, inner, store, states, commits } = scene();
  inner.delete = () => Promise.reject(new StoreError("fatal", "no right to delete"));
  for (let at = 0; at < 50; at++) {
    await store.gated.delete(["x"]).catch(() => {});
    await commits(1);
  }
  await runtime.advance(5_000);
  assertEquals(states, []);
  await store.stop();
});

Deno.test("reads that wait when the store is lost fail at once", async () => {
  const { runtime, inner, store } = scene();
  inner.objects.set("x", new Uint8Array(5));
  inner.weather = "hang";
  const outcome = { gated: "", into: "", patient: "" };
  store.gated.get("x", undefined).catch((error) => outcome.gated = error.message);
  store.gated.list("x", undefined)[Symbol.asyncIterator]().next()
    .catch((error) => outcome.into = error.message);
  store.patient.get("x", undefined).then((found) => outcome.patient = `${found?.length} bytes`);
  await runtime.advance(3_600);
  const lost = "the object store is unavailable";
  assertEquals(outcome, { gated: lost, into: lost, patient: "" });
  inner.weather = "fine";
  await runtime.advance(5_000);
  assertEquals(outcome.patient, "5 bytes");
  await store.stop();
});

/** A connection that is dead without anybody's saying so: only an abort ends the call. */
function dead(_key: string, _body: unknown, options?: { signal?: AbortSignal }): Promise<void> {
  return new Promise((_, reject) => {
    options?.signal?.addEventListener("abort", () => reject(options.signal!.reason));
  });
}

Deno.test("a call on a dead connection is given up, though the store is well", async () => {
  const { runtime, inner, store, states, commits } = scene();
  const put = inner.put;
  inner.put = dead;
  let failure = "";
  let failedMs = 0;
  store.patient.put("ns/x", [new Uint8Array(10)]).catch((error) => {
    failure = error.message;
    failedMs = runtime.clock.monotonicMs();
  });
  inner.put = put;
  await commits(200);
  assertEquals(failure, "the object store did not answer for 15 s");
  assert(failedMs >= 15_000 && failedMs < 16_000, `${failedMs}`);
  assertEquals(states, []);
  assertEquals(store.figures.put.retry, 1);
  await store.stop();
});

Deno.test("a call that an outage left hanging is given up soon after it", async () => {
  const { runtime, inner, store, commit, commits } = scene();
  await commits(10);
  const put = inner.put;
  inner.put = dead;
  let failedMs = 0;
  store.patient.put("ns/x", [new Uint8Array(10)]).catch(() => {
    failedMs = runtime.clock.monotonicMs();
  });
  inner.put = put;
  inner.weather = "hang";
  commit();
  await runtime.advance(5_000);
  assertEquals(store.health().state, "unavailable");
  inner.weather = "fine";
  await runtime.advance(2_000);
  assertEquals(store.health().state, "degraded");
  const backMs = runtime.clock.monotonicMs() - store.health().forMs;
  await runtime.advance(4_000);
  assert(failedMs >= backMs + 3_000 && failedMs <= backMs + 3_600, `${failedMs - backMs}`);
  await runtime.advance(20_000);
  await store.stop();
});

Deno.test("stop() ends a probe that hangs, and leaves no timer", async () => {
  const { runtime, inner, store } = scene();
  inner.weather = "hang";
  const abort = new AbortController();
  store.patient.put("x", [], { signal: abort.signal }).catch(() => {});
  await runtime.advance(4_000);
  assert(store.health().probes > 0);
  abort.abort();
  await runtime.settle();
  await store.stop();
  assertEquals(runtime.pendingTimers, 0);
});
