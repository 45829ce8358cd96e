import type { Runtime } from "../runtime/runtime.ts";
import { sleep } from "../runtime/sleep.ts";
import { probeKey } from "./keys.ts";
import { type ObjectStore, StoreError } from "./object_store.ts";
import { backoffMs } from "./retry.ts";

/** Attempts beyond the first, with their pauses some ten seconds, for a store that is starting. */
const PATIENCE = 9;

/** The store cannot carry a log; the message says what to do (I12). */
export class UnfitStoreError extends Error {
  override name = "UnfitStoreError";
}

/**
 * Start-up gate: writes, reads, conditionally creates and deletes one small object. Throws
 * UnfitStoreError with one sentence where the store cannot be written or lacks conditional writes.
 */
export async function checkStore(
  runtime: Runtime,
  store: ObjectStore,
  namespace: string,
  brokerId: number,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 0;; attempt++) {
    try {
      if (await conditionalWritesWork(runtime, store, probeKey(namespace, brokerId), signal)) {
        return;
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.outcome === "fatal" || attempt === PATIENCE || signal.aborted) {
        const message = `the object store cannot be written: ${error.message}`;
        throw new UnfitStoreError(message, { cause: error });
      }
      await sleep(runtime.timers, backoffMs(runtime, attempt), signal);
      continue;
    }
    throw new UnfitStoreError(
      "the object store lacks working conditional writes (If-None-Match); use one that has them",
    );
  }
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
