import type { Runtime } from "../runtime/runtime.ts";
import { probeKey } from "./keys.ts";
import { type ObjectStore, StoreError } from "./object_store.ts";

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
  const nonce = new Uint8Array(8);
  runtime.random.fill(nonce);
  const suffix = Array.from(nonce, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const key = `${probeKey(namespace, brokerId)}/${suffix}`;
  try {
    const first = await store.putIfAbsent(key, [nonce], { signal });
    const second = await store.putIfAbsent(key, [new Uint8Array(8)], { signal });
    const found = await store.get(key, undefined, { signal });
    await store.delete([key], { signal });
    const kept = found?.length === 8 && nonce.every((byte, index) => found[index] === byte);
    if (first !== "created" || second !== "exists" || !kept) {
      throw new UnfitStoreError(
        "the object store lacks working conditional writes (If-None-Match); use one that has them",
      );
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new UnfitStoreError(`the object store cannot be written: ${error.message}`, {
      cause: error,
    });
  }
}
