/** What a call's end means: aborted, refused for good, asked to come back later. */
import { sleep } from "../../runtime/sleep.ts";
import { type ObjectStore, StoreError } from "../object_store.ts";
import {
  all,
  atOnce,
  check,
  checkFails,
  checkSame,
  collect,
  createPatiently,
  pattern,
  readText,
  text,
} from "./check.ts";
import {
  NotTestedError,
  type OtherStore,
  type ProbeContext,
  type StorePromise,
} from "./promise.ts";

const MIB = 1024 * 1024;
/** A call that was aborted must have ended by then. */
const ABORT_MS_MAX = 2_000;
const BURST = 200;

export const CALLS: readonly StorePromise[] = [
  {
    name: "aborted-before",
    promise: "A call that was aborted before it began fails as passing, and does nothing.",
    severity: "required",
    run: async ({ store, prefix }) => {
      const key = `${prefix}aborted`;
      const options = { signal: AbortSignal.abort(new Error("enough")) };
      const calls: Record<string, () => Promise<unknown>> = {
        create: () => store.putIfAbsent(key, text("x"), options),
        write: () => store.put(key, text("x"), options),
        read: () => store.get(key, undefined, options),
        delete: () => store.delete([key], options),
        listing: () => collect(store.list(prefix, undefined, options)),
      };
      for (const [name, call] of Object.entries(calls)) await checkFails(call, "retry", name);
      checkSame(await readText(store, key), undefined, "the object");
    },
  },
  {
    name: "aborted-midway",
    promise: "A call that is aborted on its way ends soon, and leaves all of an object or nothing.",
    severity: "required",
    run: async ({ store, runtime, prefix }) => {
      const body = [pattern(MIB, 3)];
      const started = runtime.clock.monotonicMs();
      await store.put(`${prefix}whole`, body);
      const tookMs = runtime.clock.monotonicMs() - started;
      await atOnce(Array.from({ length: 20 }), 4, async (_, round) => {
        const key = `${prefix}${round}`;
        const abort = new AbortController();
        const calls = [
          store.putIfAbsent(key, body, abort),
          store.get(`${prefix}whole`, undefined, abort),
          collect(store.list(prefix, undefined, abort)),
        ].map((call) => call.catch(passing));
        if (round < 10) { for (let turn = 0; turn < round; turn++) await Promise.resolve(); }
        else await sleep(runtime.timers, tookMs * (round - 10) / 10);
        const abortedMs = runtime.clock.monotonicMs();
        abort.abort();
        await all<unknown>(calls);
        const waitedMs = Math.round(runtime.clock.monotonicMs() - abortedMs);
        check(waitedMs < ABORT_MS_MAX, `calls ended ${waitedMs} ms after they were aborted`);
        const bytes = await store.get(key, undefined);
        check(bytes === undefined || bytes.length === MIB, `${bytes?.length} bytes of ${MIB}`);
      });
    },
  },
  {
    name: "burst",
    promise: "Hundreds of creates at once get through; a store that asks for less is given pauses.",
    severity: "required",
    run: async (context) => {
      const { store, prefix } = context;
      await all(
        Array.from(
          { length: BURST },
          (_, at) => createPatiently(context, `${prefix}${at}`, text(`${at}`)),
        ),
      );
      const found = await collect(store.list(prefix, undefined));
      checkSame(found.length, BURST, "objects");
    },
  },
  {
    name: "closed",
    promise: "After its close a handle refuses every call; closing again is fine.",
    severity: "required",
    run: refusesAfterClose,
  },
  {
    name: "wrong-credentials",
    promise: "Credentials that are wrong are a fatal error, not an outage to wait for.",
    severity: "advised",
    run: (context) => refusesFromTheStart(context, "wrong credentials"),
  },
  {
    name: "missing-bucket",
    promise: "A bucket that does not exist is a fatal error, not an outage to wait for.",
    severity: "advised",
    run: (context) => refusesFromTheStart(context, "missing bucket"),
  },
  {
    name: "advice",
    promise: "The driver's advice to the broker is within the broker's limits.",
    severity: "required",
    run: ({ store: { advice } }) => {
      const { flushIntervalMs, parallelUploads, commitBytes, rangeBytes, readAheadBytes } = advice;
      check(flushIntervalMs >= 0, `a flush interval of ${flushIntervalMs} ms`);
      check(parallelUploads >= 1 && parallelUploads <= 64, `${parallelUploads} parallel uploads`);
      check(commitBytes >= 64 * 1024, `commits of ${commitBytes} bytes`);
      check(rangeBytes >= 4 * 1024, `ranges of ${rangeBytes} bytes`);
      check(readAheadBytes >= rangeBytes, `${readAheadBytes} bytes of reading ahead`);
      return Promise.resolve();
    },
  },
];

/** An error of a call that was aborted on its way. */
function passing(error: unknown): void {
  if (!(error instanceof StoreError)) throw error;
  check(error.outcome === "retry", `an aborted call failed with "${error.outcome}"`);
}

async function other(context: ProbeContext, which: OtherStore): Promise<ObjectStore> {
  const store = await context.openOther(which);
  if (store !== undefined) return store;
  throw new NotTestedError(
    which === "again" ? "the store can be open only once" : "the driver has none",
  );
}

async function refusesAfterClose(context: ProbeContext): Promise<void> {
  const store = await other(context, "again");
  const key = `${context.prefix}closing`;
  await store.put(key, text("x"));
  await store.close();
  await store.close();
  await refusesAll(store, context.prefix);
}

async function refusesFromTheStart(context: ProbeContext, which: OtherStore): Promise<void> {
  let store: ObjectStore;
  try {
    store = await other(context, which);
  } catch (error) {
    // refused when it was opened: as good
    if (error instanceof StoreError && error.outcome === "fatal") return;
    throw error;
  }
  await refusesAll(store, context.prefix).finally(() => store.close());
}

async function refusesAll(store: ObjectStore, prefix: string): Promise<void> {
  const key = `${prefix}refused`;
  await checkFails(() => store.putIfAbsent(key, text("x")), "fatal", "create");
  await checkFails(() => store.put(key, text("x")), "fatal", "write");
  await checkFails(() => store.get(key, undefined), "fatal", "read");
  await checkFails(() => store.delete([key]), "fatal", "delete");
  await checkFails(() => collect(store.list(prefix, undefined)), "fatal", "listing");
}
