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
  const works = await tried(runtime, signal, "written", (left) => {
    return conditionalWritesWork(runtime, store, probeKey(namespace, brokerId), left);
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
  await tried(runtime, signal, "read", async (left) => {
    const prefix = walPrefix(namespace);
    for await (const { key } of store.list(prefix, undefined, { signal: left })) {
      await store.get(key, { start: 0, end: 1 }, { signal: left });
      return;
    }
  });
}

/** What `attempt` comes to, tried again over passing faults as long as the store is given. */
async function tried<T>(
  runtime: Runtime,
  signal: AbortSignal,
  what: "written" | "read",
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock, timers } = runtime;
  const abort = new AbortController();
  const onAbort = () => abort.abort(signal.reason);
  signal.addEventListener("abort", onAbort);
  const endMs = clock.monotonicMs() + CHECK_PATIENCE_MS;
  const timer = timers.after(CHECK_PATIENCE_MS, () => abort.abort());
  try {
    let told: StoreError | undefined;
    for (let attempts = 0;; attempts++) {
      const left = abort.signal;
      try {
        return await attempt(left);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        // What an abort brings tells nothing of the store.
        if (!left.aborted) told = error;
        const late = left.aborted || clock.monotonicMs() >= endMs;
        if (late && !signal.aborted) {
          throw unfit(what, error, told?.message ?? "it does not answer");
        }
        if (error.outcome === "fatal" || late) throw unfit(what, error);
        await sleep(timers, backoffMs(runtime, attempts), left);
      }
    }
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

/** A fresh key each time: what an attempt of unknown outcome left must not mislead the next. */
async function conditionalWritesWork(
  runtime: Runtime,
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal,
): Promise<boolean> {
  const nonce = new Uint8Array(8);
  runtime.random.fill(nonce);
  const suffix = Array.from(nonce, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const key = `${prefix}/${suffix}`;
  const first = await store.putIfAbsent(key, [nonce], { signal });
  const second = await store.putIfAbsent(key, [new Uint8Array(8)], { signal });
  const found = await store.get(key, undefined, { signal });
  await store.delete([key], { signal });
  return first === "created" && second === "exists" && found?.length === 8 &&
    nonce.every((byte, index) => found[index] === byte);
}
