import type { Timers } from "./runtime.ts";

/**
 * What `work` comes to, or undefined when `limitMs` pass first: nobody waits any longer then, but
 * the work goes on, and a late failure of it is nobody's.
 */
export function inTime<T>(
  timers: Timers,
  limitMs: number,
  work: Promise<T>,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = timers.after(limitMs, () => resolve(undefined));
    const settle = <V>(settled: (value: V) => void) => (value: V) => {
      timer.cancel();
      settled(value);
    };
    work.then(settle(resolve), settle(reject));
  });
}
