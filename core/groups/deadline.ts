import type { Runtime, Timer } from "../runtime/mod.ts";

/**
 * One moment after which something is done, moved often (by every heartbeat). Moving it later costs
 * no timer: the pending one notices when it runs, and waits for the rest.
 */
export class Deadline {
  #timer: Timer | undefined;
  /** When the pending timer runs. */
  #runsAtMs = 0;
  #atMs = 0;

  constructor(readonly runtime: Runtime, readonly expired: () => void) {}

  get pending(): boolean {
    return this.#timer !== undefined;
  }

  /** From now on, `delayMs` away; replaces the former moment. */
  set(delayMs: number): void {
    const now = this.runtime.clock.monotonicMs();
    this.#atMs = now + delayMs;
    if (this.#timer !== undefined && this.#runsAtMs <= this.#atMs) return;
    this.#timer?.cancel();
    this.#arm(delayMs);
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#runsAtMs = this.runtime.clock.monotonicMs() + delayMs;
    this.#timer = this.runtime.timers.after(delayMs, () => {
      this.#timer = undefined;
      const restMs = this.#atMs - this.runtime.clock.monotonicMs();
      if (restMs > 0) this.#arm(restMs);
      else this.expired();
    });
  }
}
