/**
 * What a start after kill -9 asks of the store, until it has served a fetch and a produce: as many
 * calls with 5,000 segments as with 500, and never the data.
 */
import { assert, assertEquals } from "@std/assert";
import { configOf, firstUse, type KilledOptions, leaveKilled } from "../../bench/killed_broker.ts";
import { createBroker } from "../../core/broker.ts";
import { fsck } from "../../core/fsck/mod.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { openData, openMetadata, openStore } from "../../drivers/mod.ts";
import { haveMinio, Minio } from "../services/minio.ts";

const PARTITIONS = 100;
/** From here on background work begins, whose calls are not the start's. */
const FIRST_TICK_MS = 900;
const READY_MS = 2_000;
const TRIES = 3;

interface Calls {
  put: number;
  create: number;
  get: number;
  list: number;
  listedKeys: number;
  delete: number;
}

/** `store`, with its calls counted. */
function counted(store: ObjectStore): { store: ObjectStore; calls: Calls } {
  const calls: Calls = { put: 0, create: 0, get: 0, list: 0, listedKeys: 0, delete: 0 };
  const { getInto } = store;
  return {
    calls,
    store: {
      advice: store.advice,
      putIfAbsent: (key, body, o) => (calls.create++, store.putIfAbsent(key, body, o)),
      put: (key, body, o) => (calls.put++, store.put(key, body, o)),
      get: (key, range, o) => (calls.get++, store.get(key, range, o)),
      ...(getInto === undefined ? {} : {
        getInto: (key, start, into, o) => (calls.get++, store.getInto!(key, start, into, o)),
      }),
      async *list(prefix, after, o) {
        calls.list++;
        for await (const info of store.list(prefix, after, o)) {
          calls.listedKeys++;
          yield info;
        }
      },
      delete: (keys, o) => (calls.delete++, store.delete(keys, o)),
      close: () => store.close(),
    },
  };
}

interface Start {
  readonly calls: Calls;
  /** Until a fetch and a produce were served. */
  readonly ms: number;
  /** Whether all of it was over before background work could begin. */
  readonly alone: boolean;
}

/** Starts on the data of a killed broker. */
async function start(o: KilledOptions): Promise<Start> {
  const config = configOf(o);
  const runtime = systemRuntime(systemLog("error", true));
  const started = performance.now();
  const metadata = await openMetadata({ config, runtime });
  const raw = await openStore({ config, runtime });
  const { store, calls } = counted(raw);
  const broker = await createBroker({ config, runtime, store, metadata });
  try {
    const served = performance.now();
    await firstUse(broker.port, 57, o.segments / o.partitions * o.batches);
    const now = performance.now();
    return { calls: { ...calls }, ms: now - started, alone: now - served < FIRST_TICK_MS };
  } finally {
    await broker.stop();
    await raw.close();
    await metadata.close();
  }
}

/** The calls of a start that was fast enough; a machine that others use gets another try. */
async function measured(place: () => Promise<Place>, segments: number): Promise<Calls> {
  const times: number[] = [];
  for (let attempt = 0; attempt < TRIES; attempt++) {
    await using where = await place();
    const { dataDir, env } = where;
    const size = { partitions: PARTITIONS, segments, batches: 2, recordBytes: 100 };
    const options = { dataDir, env: { ...env, KAFSCALE_BROKER_ADDR: "127.0.0.1:0" }, ...size };
    await leaveKilled({ dataDir, env, ...size });
    await assertSound(options);
    const { calls, ms, alone } = await start(options);
    console.log(`${segments} segments: ${Math.round(ms)} ms, ${JSON.stringify(calls)}`);
    times.push(Math.round(ms));
    if (alone && ms < READY_MS) return calls;
  }
  throw new Error(`starts took ${times.join(", ")} ms; ${READY_MS} are allowed`);
}

async function assertBound(place: () => Promise<Place>): Promise<void> {
  const few = await measured(place, 500);
  const many = await measured(place, 5_000);
  assertEquals(many, few);
  const { put, create, get, list, listedKeys, delete: deleted } = many;
  assert(put + create + get + list + deleted < 40, JSON.stringify(many));
  assert(listedKeys < 40, `${listedKeys} keys were listed`);
}

/** Where a broker keeps its data; what it takes goes when it is disposed of. */
interface Place extends AsyncDisposable {
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string>>;
}

async function directory(env: Readonly<Record<string, string>> = {}): Promise<Place> {
  const dataDir = await Deno.makeTempDir({ prefix: "kafscale-recovery-" });
  const dispose = () => Deno.remove(dataDir, { recursive: true });
  return { dataDir, env, [Symbol.asyncDispose]: dispose };
}

/** What was written without a broker is what a broker would have written. */
async function assertSound(o: KilledOptions): Promise<void> {
  const config = configOf(o);
  const runtime = systemRuntime(systemLog("error", true));
  const data = await openData({ config, runtime, readOnly: true });
  const report = await fsck({
    ...data,
    runtime,
    config,
    depth: "quick",
    moving: false,
    signal: new AbortController().signal,
  });
  await data.close();
  assertEquals([report.findings, report.looked.segments], [[], o.segments]);
}

const options = { sanitizeOps: false, sanitizeResources: false };

Deno.test({
  ...options,
  name: "a start asks a directory no more with 5,000 segments than with 500",
  fn: () => assertBound(() => directory()),
});

if (await haveMinio("calls of a start")) {
  Deno.test({
    ...options,
    name: "a start asks MinIO no more with 5,000 segments than with 500",
    fn: async () => {
      await using minio = await Minio.start();
      await assertBound(async () => {
        const bucket = await minio.bucket();
        return await directory({ ...minio.settings(bucket), KAFSCALE_STORAGE: "minio" });
      });
    },
  });
}
