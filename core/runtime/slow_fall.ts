import type { Clock } from "./runtime.ts";

/**
 * A value that follows another one up at once, and down slowly: what is planned by it doesn't swing
 * with it.
 */
export class SlowFall {
  #value = 0;
  #atMs = -Infinity;

  constructor(readonly clock: Clock, readonly fallPerMs: number) {}

  of(value: number): number {
    const nowMs = this.clock.monotonicMs();
    const fallen = this.#value - (nowMs - this.#atMs) * this.fallPerMs;
    this.#value = Math.max(value, fallen);
    this.#atMs = nowMs;
    return this.#value;
  }
}
