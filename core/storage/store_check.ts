import type { Runtime } from "../runtime/runtime.ts";
import { sleep } from "../runtime/sleep.ts";
import { probeKey, walPrefix } from "./keys.ts";
import { type ObjectStore, StoreError } from "./object_store.ts";
import { backoffMs } from "./retry.ts";

/** A store that is starting gets this long; one that hangs no longer. */
export const CHECK_PATIENCE_MS = 15_000;

/** The store cannot carry a log; the message says what to do (I12). */
export class UnfitStoreError extends Error {
  override name = "UnfitStoreError";
}

/**
 * Start-up gate: writes, reads, conditionally creates and deletes one small object. Throws
 * UnfitStoreError with one sentence where the store cannot be written, within CHECK_PATIENCE_MS, or
 * lacks conditional writes.
 */
export async function checkStore(
  runtime: Runtime,
  store: ObjectStore,
  namespace: string,
  brokerId: number,
  signal: AbortSignal,
): Promise<void> {
  const works = await tried(runtime, signal, "written", (left, patiently) => {
    const prefix = probeKey(namespace, brokerId);
    return conditionalWritesWork(runtime, store, prefix, left, patiently);
  });
  if (works) return;
  throw new UnfitStoreError(
    "the object store lacks working conditional writes (If-None-Match); use one that has them",
  );
}

/** The same for a broker that writes nothing: lists and reads. */
export async function checkReadable(
  runtime: Runtime,
  store: ObjectStore,
  namespace: string,
  signal: AbortSignal,
): Promise<void> {
  await tried(runtime, signal, "read", (left, patiently) =>
    patiently(async () => {
      const prefix = walPrefix(namespace);
      for await (const { key } of store.list(prefix, undefined, { signal: left })) {
        await store.get(key, { start: 0, end: 1 }, { signal: left });
        return;
      }
    }));
}

/** Makes a call again over passing faults, as long as there is time. */
type Patient = <T>(call: () => Promise<T>) => Promise<T>;

/**
 * What `check` comes to. It makes its calls one by one through what it is given, so that in bad
 * weather each of them has to come through once, and not all in a row.
 */
async function tried<T>(
  runtime: Runtime,
  signal: AbortSignal,
  what: "written" | "read",
  check: (signal: AbortSignal, patiently: Patient) => Promise<T>,
): Promise<T> {
  const { timers } = runtime;
  const abort = new AbortController();
  const left = abort.signal;
  const onAbort = () => abort.abort(signal.reason);
  signal.addEventListener("abort", onAbort);
  const timer = timers.after(CHECK_PATIENCE_MS, () => abort.abort());
  let told: StoreError | undefined;
  const patiently: Patient = async (call) => {
    for (let attempts = 0;; attempts++) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof StoreError) || left.aborted) throw error;
        // What an abort brings tells nothing of the store.
        told = error;
        if (error.outcome === "fatal") throw error;
        await sleep(timers, backoffMs(runtime, attempts), left);
        if (left.aborted) throw error;
      }
    }
  };
  try {
    return await check(left, patiently);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const late = left.aborted && !signal.aborted;
    throw late ? unfit(what, error, told?.message ?? "it does not answer") : unfit(what, error);
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

/** `late`: what was heard of the store in all the time that it was given. */
function unfit(what: "written" | "read", cause: StoreError, late?: string): UnfitStoreError {
  const message = late === undefined
    ? `the object store cannot be ${what}: ${cause.message}`
    : `the object store cannot be ${what} within ${CHECK_PATIENCE_MS / 1_000} s: ${late}`;
  return new UnfitStoreError(message, { cause });
}

async function conditionalWritesWork(
  runtime: Runtime,
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal,
  patiently: Patient,
): Promise<boolean> {
  const options = { signal };
  // A fresh key each time: what an attempt of unknown outcome left must not mislead the next.
  const { key, nonce, first } = await patiently(async () => {
    const nonce = new Uint8Array(8);
    runtime.random.fill(nonce);
    const suffix = Array.from(nonce, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const key = `${prefix}/${suffix}`;
    return { key, nonce, first: await store.putIfAbsent(key, [nonce], options) };
  });
  const second = await patiently(() => store.putIfAbsent(key, [new Uint8Array(8)], options));
  const found = await patiently(() => store.get(key, undefined, options));
  await patiently(() => store.delete([key], options));
  return first === "created" && second === "exists" && found?.length === 8 &&
    nonce.every((byte, index) => found[index] === byte);
}
