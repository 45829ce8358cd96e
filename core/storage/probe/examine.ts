import { sleep } from "../../runtime/sleep.ts";
import {
  type CallOptions,
  type ObjectStore,
  StoreError,
  type StoreOutcome,
} from "../object_store.ts";
import { backoffMs } from "../retry.ts";
import {
  BrokenPromiseError,
  NotTestedError,
  type ProbeContext,
  type StorePromise,
} from "./promise.ts";

/** Times that a case is run again because a call of it met a passing fault. */
const ATTEMPTS = 5;
/** The back-off begins where the broker's own would be after some failures. */
const BACKOFF_FROM = 4;

/** What became of one promise. */
export interface Finding {
  readonly name: string;
  readonly promise: string;
  readonly severity: StorePromise["severity"];
  readonly outcome: "kept" | "broken" | "not tested";
  /** Why it is not "kept"; one sentence without a period. */
  readonly detail?: string;
  /** Where a call that should have succeeded failed: its outcome. */
  readonly failure?: StoreOutcome;
  readonly tookMs: number;
}

/**
 * Runs the case below a prefix of its own. Passing faults (throttling, time-outs) break no promise:
 * the case starts over below a fresh prefix; where they don't pass it is "not tested". Any other
 * error is a bug of the driver, and breaks the promise too. Throws when `signal` aborts.
 */
export async function examine(
  promise: StorePromise,
  context: ProbeContext,
  signal: AbortSignal,
): Promise<Finding> {
  const { runtime } = context;
  const { name, severity } = promise;
  const startedMs = runtime.clock.monotonicMs();
  const store = stoppable(context.store, signal);
  const finding = (
    outcome: Finding["outcome"],
    detail?: string,
    failure?: StoreOutcome,
  ): Finding => ({
    name,
    promise: promise.promise,
    severity,
    outcome,
    ...(detail === undefined ? {} : { detail }),
    ...(failure === undefined ? {} : { failure }),
    tookMs: Math.round(runtime.clock.monotonicMs() - startedMs),
  });
  for (let attempt = 1;; attempt++) {
    signal.throwIfAborted();
    const prefix = `${context.prefix}${name}${attempt === 1 ? "" : `-${attempt}`}/`;
    try {
      await promise.run({ ...context, store, prefix });
      return finding("kept");
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof NotTestedError) return finding("not tested", error.message);
      const text = error instanceof Error ? error.message : String(error);
      if (!(error instanceof StoreError)) {
        const broken = error instanceof BrokenPromiseError;
        return finding("broken", broken ? text : `the driver failed: ${text}`);
      }
      if (error.outcome === "fatal") return finding("broken", text, "fatal");
      if (attempt === ATTEMPTS) {
        const detail = `${ATTEMPTS} times over the store did not answer: ${text}`;
        return finding("not tested", detail, error.outcome);
      }
    }
    await sleep(runtime.timers, backoffMs(runtime, attempt + BACKOFF_FROM), signal);
  }
}

/** The store with calls that end when `signal` aborts, whatever signals of their own they have. */
function stoppable(store: ObjectStore, signal: AbortSignal): ObjectStore {
  const o = (options: CallOptions | undefined): CallOptions => ({
    signal: options?.signal === undefined ? signal : AbortSignal.any([options.signal, signal]),
  });
  const { getInto } = store;
  return {
    advice: store.advice,
    putIfAbsent: (key, body, options) => store.putIfAbsent(key, body, o(options)),
    put: (key, body, options) => store.put(key, body, o(options)),
    get: (key, range, options) => store.get(key, range, o(options)),
    list: (prefix, after, options) => store.list(prefix, after, o(options)),
    delete: (keys, options) => store.delete(keys, o(options)),
    close: () => store.close(),
    ...(getInto === undefined ? {} : {
      getInto: (key, start, into, options) => getInto.call(store, key, start, into, o(options)),
    }),
  };
}
