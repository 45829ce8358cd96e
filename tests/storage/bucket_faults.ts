/**
 * A driver in front of a real MinIO with a proxy between that hurts single requests: what the
 * contract says of failed calls, for each kind of failure that the conformance suite does not know.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Runtime } from "../../core/runtime/mod.ts";
import {
  type ObjectStore,
  StoreError,
  type StoreOutcome,
} from "../../core/storage/object_store.ts";
import { persist } from "../../core/storage/retry.ts";
import type { Fault, Rule, S3ErrorCode } from "../services/fault_program.ts";
import { FaultProxy } from "../services/fault_proxy.ts";
import type { Minio } from "../services/minio.ts";
import { send } from "../services/signed_request.ts";
import { bucketOn, DRIVERS, runtime, skewClock } from "./bucket_stores.ts";

/** Short, so that tests of them are. */
const TIMEOUT_MS = 400;
/** For a loaded machine, on top of what a call may take. */
const SLACK_MS = 1_500;
const MIB = 1 << 20;
/** Tries again for ever. */
const PATIENT = { runtime, signal: new AbortController().signal };

/** One store behind one proxy. */
class Scene implements AsyncDisposable {
  private constructor(
    readonly minio: Minio,
    readonly bucket: string,
    readonly proxy: FaultProxy,
    readonly store: ObjectStore,
  ) {}

  static async open(
    minio: Minio,
    driver: keyof typeof DRIVERS,
    options: { readonly concurrency?: number; readonly runtime?: Runtime } = {},
  ): Promise<Scene> {
    const proxy = new FaultProxy({ port: minio.port, seed: driver });
    const bucket = await minio.bucket();
    const { endpoint } = proxy;
    const times = { timeoutMs: TIMEOUT_MS, connectTimeoutMs: TIMEOUT_MS };
    const given = { ...bucketOn({ ...minio, endpoint }, bucket), ...times, ...options };
    return new Scene(minio, bucket, proxy, await DRIVERS[driver](given));
  }

  strike(fault: Fault, rule: Omit<Rule, "fault"> = {}) {
    return this.proxy.add({ fault, ...rule });
  }

  /** What is in the bucket, past driver and proxy. */
  async stored(key: string): Promise<Uint8Array | undefined> {
    const response = await send(this.minio, { method: "GET", path: `/${this.bucket}/${key}` });
    const bytes = await response.bytes();
    return response.ok ? bytes : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    await this.proxy.close();
  }
}

const bodyOf = (bytes: number, fill = 7) => [new Uint8Array(bytes).fill(fill)];

/** Every kind of call, on the object "there". */
const CALLS: Readonly<Record<string, (store: ObjectStore) => Promise<unknown>>> = {
  create: (store) => store.putIfAbsent("new", bodyOf(10)),
  write: (store) => store.put("there", bodyOf(10)),
  read: (store) => store.get("there", undefined),
  "read of a range": (store) => store.get("there", { start: 2, end: 5 }),
  "read into buffers": (store) => store.getInto!("there", 0, bodyOf(4)),
  listing: (store) => Array.fromAsync(store.list("", undefined)),
  "delete of one": (store) => store.delete(["gone"]),
  "delete of some": (store) => store.delete(["gone", "gone too"]),
};

async function failure(call: Promise<unknown>): Promise<StoreError> {
  return await assertRejects(() => call, StoreError);
}

/** Every kind of call fails so while the rule is in force, and succeeds afterwards. */
async function allFail(scene: Scene, fault: Fault, outcome: StoreOutcome): Promise<StoreError[]> {
  await scene.store.put("there", bodyOf(10));
  const errors: StoreError[] = [];
  for (const [name, call] of Object.entries(CALLS)) {
    const rule = scene.strike(fault);
    const error = await failure(call(scene.store));
    rule.remove();
    assertEquals([name, error.outcome], [name, outcome], error.message);
    assert(!error.message.includes("\n"), error.message);
    errors.push(error);
    await call(scene.store);
    await scene.store.delete(["new"]);
  }
  return errors;
}

const LOST: Readonly<Record<string, Fault>> = {
  "a connection that is cut before the request": { kind: "cutBefore" },
  "a reply that is lost": { kind: "loseReply" },
  "a reply that is cut in its head": { kind: "cutReply", afterBytes: 40 },
};

const REFUSALS: Readonly<Record<string, readonly [S3ErrorCode, StoreOutcome]>> = {
  "503 ServiceUnavailable": ["ServiceUnavailable", "throttled"],
  "500 InternalError": ["InternalError", "retry"],
  "409 OperationAborted": ["OperationAborted", "retry"],
  "403 InvalidAccessKeyId": ["InvalidAccessKeyId", "fatal"],
  "404 NoSuchBucket": ["NoSuchBucket", "fatal"],
};

export function bucketFaults(minio: Minio, driver: keyof typeof DRIVERS): void {
  const test = (
    name: string,
    run: (scene: Scene) => Promise<void>,
    options: Parameters<typeof Scene.open>[2] = {},
  ) => {
    Deno.test(`${driver} under faults: ${name}`, async () => {
      await using scene = await Scene.open(minio, driver, options);
      await run(scene);
    });
  };

  for (const [name, fault] of Object.entries(LOST)) {
    test(`${name} leaves the result open ("retry")`, async (scene) => {
      await allFail(scene, fault, "retry");
    });
  }
  for (const [name, [code, outcome]] of Object.entries(REFUSALS)) {
    test(`${name} is "${outcome}", said in one sentence`, async (scene) => {
      const errors = await allFail(scene, { kind: "refuse", code }, outcome);
      for (const { message } of errors) assertStringIncludes(message, code);
    });
  }
  test("calls that time out or are aborted hold nothing up afterwards", async (scene) => {
    const rule = scene.strike({ kind: "blackhole" });
    const calls = Array.from({ length: 12 }, (_, at) => {
      const signal = at % 2 === 0 ? AbortSignal.timeout(50) : undefined;
      const options = signal === undefined ? {} : { signal };
      return failure(scene.store.putIfAbsent(`${at}`, bodyOf(MIB), options));
    });
    for (const error of await Promise.all(calls)) assertEquals(error.outcome, "retry");
    rule.remove();
    for (let at = 0; at < 12; at++) {
      assertEquals(await scene.store.putIfAbsent(`${at}`, bodyOf(100)), "created");
    }
  }, { concurrency: 4 });
  createTests(test);
  deniedTests(test);
  readTests(test);
  pacingTests(test);
  clockTests(minio, driver);
}

type Test = (name: string, run: (scene: Scene) => Promise<void>) => void;

function createTests(test: Test): void {
  for (const bytes of [10, 3 * MIB]) {
    test(`a lost reply to a create of ${bytes} bytes is told by reading back`, async (scene) => {
      const { store, proxy } = scene;
      const mine = bodyOf(bytes, 1);
      scene.strike({ kind: "loseReply" }, { on: "PUT", times: 1 });
      assertEquals((await failure(store.putIfAbsent("slot", mine))).outcome, "retry");
      assertEquals(proxy.requests.PUT, 1, "a create is never sent twice");
      assertEquals(await store.putIfAbsent("slot", bodyOf(bytes, 2)), "exists");
      assertEquals(await store.get("slot", undefined), mine[0]);
    });
  }
  test("a create that was cut within its body leaves nothing", async (scene) => {
    scene.strike({ kind: "cutRequest", afterBytes: 2 * MIB }, { on: "PUT", times: 1 });
    assertEquals(
      (await failure(scene.store.putIfAbsent("slot", bodyOf(3 * MIB)))).outcome,
      "retry",
    );
    assertEquals(await scene.stored("slot"), undefined);
    assertEquals(await scene.store.putIfAbsent("slot", bodyOf(5)), "created");
  });
  test("a create that takes effect late replaces nothing", async (scene) => {
    scene.strike({ kind: "late", ms: 150 }, { on: "PUT", times: 1 });
    assertEquals((await failure(scene.store.putIfAbsent("slot", bodyOf(20, 1)))).outcome, "retry");
    assertEquals(await scene.store.putIfAbsent("slot", bodyOf(30, 2)), "created");
    await new Promise((resolve) => setTimeout(resolve, 500));
    assertEquals(await scene.stored("slot"), bodyOf(30, 2)[0]);
  });
  test("a kept connection that ended is no failure of the next read", async (scene) => {
    await scene.store.put("there", bodyOf(10));
    scene.proxy.sever();
    scene.proxy.mend();
    assertEquals((await scene.store.get("there", undefined))?.length, 10);
  });
}

function deniedTests(test: Test): void {
  const denied: Fault = { kind: "refuse", code: "AccessDenied" };
  const writes = ["create", "write"];
  test("403 AccessDenied is fatal to whoever has not written yet", async (scene) => {
    scene.strike(denied);
    for (const [name, call] of Object.entries(CALLS)) {
      const { outcome, message } = await failure(call(scene.store));
      assertEquals([name, outcome], [name, "fatal"], message);
      assertStringIncludes(message, "access denied: allow s3:");
    }
  });
  test("403 AccessDenied to a first write is asked about twice", async (scene) => {
    scene.strike(denied, { on: "PUT", times: 2 });
    assertEquals(await scene.store.putIfAbsent("slot", bodyOf(10, 1)), "created");
    assertEquals([scene.proxy.requests.PUT, await scene.stored("slot")], [3, bodyOf(10, 1)[0]]);
  });
  test("403 AccessDenied to a write after others went through may pass", async (scene) => {
    await scene.store.put("there", bodyOf(10));
    scene.strike(denied);
    for (const [name, call] of Object.entries(CALLS)) {
      const { outcome } = await failure(call(scene.store));
      assertEquals([name, outcome], [name, writes.includes(name) ? "retry" : "fatal"]);
    }
  });
}

function readTests(test: Test): void {
  test("what was cut is never taken for the whole", async ({ store, proxy }) => {
    await store.put("there", bodyOf(MIB));
    for (const afterBytes of [600, 5_000, 500_000, MIB]) {
      const rule = proxy.add({ fault: { kind: "cutReply", afterBytes }, on: "GET" });
      const into = [new Uint8Array(MIB)];
      const reads = [
        store.get("there", undefined),
        store.get("there", { start: 0, end: 2 * MIB }),
        store.getInto!("there", 0, into),
      ].map(failure);
      for (const error of await Promise.all(reads)) assertEquals(error.outcome, "retry");
      rule.remove();
    }
    assertEquals((await store.get("there", undefined))?.length, MIB);
  });
  test("a listing that was cut fails, in its first page and in the next", async (scene) => {
    const { store, proxy } = scene;
    const keys = Array.from({ length: 1_100 }, (_, at) => `k/${String(at).padStart(5, "0")}`);
    for (let at = 0; at < keys.length; at += 50) {
      const some = keys.slice(at, at + 50);
      await Promise.all(some.map((key) => persist(PATIENT, () => store.put(key, bodyOf(1)))));
    }
    for (const [skip, seen] of [[0, 0], [1, 1_000]] as const) {
      const fault = { kind: "cutReply", afterBytes: 9_000 } as const;
      const rule = proxy.add({ fault, on: "LIST", skip });
      const listed: string[] = [];
      const error = await failure((async () => {
        for await (const { key } of store.list("k/", undefined)) listed.push(key);
      })());
      rule.remove();
      assertEquals([error.outcome, listed], ["retry", keys.slice(0, seen)]);
    }
  });
}

function pacingTests(test: Test): void {
  test("a reply in drips is a time-out, a slow one that flows is not", async (scene) => {
    const { store } = scene;
    await store.put("there", bodyOf(MIB));
    const drips = scene.strike({ kind: "throttle", bytesPerSecond: 100_000 }, { on: "GET" });
    const started = performance.now();
    assertEquals((await failure(store.get("there", undefined))).outcome, "retry");
    const took = performance.now() - started;
    // a second more for every MiB
    assert(took < TIMEOUT_MS + 1_000 + SLACK_MS, `${took} ms`);
    drips.remove();
    scene.strike({ kind: "throttle", bytesPerSecond: 2 * MIB });
    assertEquals((await store.get("there", undefined))?.length, MIB);
    await store.put("slow", bodyOf(MIB));
    assertEquals((await scene.stored("slow"))?.length, MIB);
  });
}

/** Our clock is wrong by `offMs`; MinIO's is right, and refuses what is off by 15 minutes. */
function clockTests(minio: Minio, driver: keyof typeof DRIVERS): void {
  const HOUR_MS = 3_600_000;
  for (const offMs of [-HOUR_MS, HOUR_MS]) {
    const name = `a clock that is ${offMs < 0 ? "slow" : "fast"} by an hour, and then is set`;
    Deno.test(`${driver} under faults: ${name}, fails no call`, async () => {
      const warnings: string[] = [];
      const log = { ...runtime.log, warn: (message: string) => void warnings.push(message) };
      await using scene = await Scene.open(minio, driver, { runtime: { ...runtime, log } });
      const set = skewClock(offMs);
      try {
        await scene.store.put("there", bodyOf(10));
        for (const call of Object.values(CALLS)) await call(scene.store);
      } finally {
        set();
      }
      assertEquals(warnings.length, 1);
      assertStringIncludes(warnings[0]!, "clock");
      await scene.store.delete(["new"]);
      for (const call of Object.values(CALLS)) await call(scene.store);
    });
  }
  Deno.test(`${driver} under faults: a store that takes no date of ours is fatal`, async () => {
    await using scene = await Scene.open(minio, driver);
    const errors = await allFail(scene, { kind: "refuse", code: "RequestTimeTooSkewed" }, "fatal");
    for (const { message } of errors) assertStringIncludes(message, "clock");
  });
}
