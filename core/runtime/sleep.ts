import type { Timers } from "./runtime.ts";

/**
 * Resolves after `delayMs`, or as soon as `signal` aborts (it never rejects: look at the signal).
 */
export function sleep(timers: Timers, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      timer.cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = timers.after(delayMs, done);
    signal?.addEventListener("abort", done);
  });
}
