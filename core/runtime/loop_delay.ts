import { Histogram } from "./histogram.ts";
import type { Runtime, Timer } from "./runtime.ts";

/** How late a timer is, in milliseconds: below the first bound it is the system's own jitter. */
const DELAY_BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

const EVERY_MS = 100;

/**
 * Measures how late the event loop is: a timer every 100 ms, and how long after its time it ran.
 * Whatever keeps the thread busy (garbage collection, a plugin, a handler) shows up here, and so
 * does a process that was stopped for a while.
 */
export class LoopDelay {
  readonly delayMs = new Histogram(DELAY_BOUNDS_MS);
  #timer: Timer | undefined;
  #stopped = false;

  /** `onDelay` hears of every delay, right after it. */
  constructor(readonly runtime: Runtime, readonly onDelay: (delayMs: number) => void = () => {}) {
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    const { clock, timers } = this.runtime;
    const dueMs = clock.monotonicMs() + EVERY_MS;
    this.#timer = timers.after(EVERY_MS, () => {
      const delayMs = Math.max(0, clock.monotonicMs() - dueMs);
      this.delayMs.observe(delayMs);
      this.onDelay(delayMs);
      if (!this.#stopped) this.#schedule();
    });
  }
}
