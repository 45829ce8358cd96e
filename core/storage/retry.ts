import type { Runtime } from "../runtime/runtime.ts";
import { sleep } from "../runtime/sleep.ts";
import { StoreError } from "./object_store.ts";

const BACKOFF_FIRST_MS = 20;
const BACKOFF_MAX_MS = 2_000;

/** Full jitter: uniform between half and the whole of the doubled delay. */
export function backoffMs(runtime: Runtime, attempt: number): number {
  const whole = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempt, 20));
  return whole / 2 + (runtime.random.uint32() / 2 ** 32) * whole / 2;
}

/**
 * Repeats a store call that is safe to repeat over passing faults, until the signal aborts.
 * `waits`: what is logged of each fault, where people should hear of it.
 */
export async function persist<T>(
  o: { readonly runtime: Runtime; readonly signal: AbortSignal },
  call: (attempt: number) => Promise<T>,
  waits?: string,
): Promise<T> {
  for (let attempt = 0;; attempt++) {
    o.signal.throwIfAborted();
    try {
      return await call(attempt);
    } catch (error) {
      if (!(error instanceof StoreError) || error.outcome === "fatal") throw error;
      if (waits !== undefined) o.runtime.log.warn(waits, { attempt, error: error.message });
      await sleep(o.runtime.timers, backoffMs(o.runtime, attempt), o.signal);
    }
  }
}
