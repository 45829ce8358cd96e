import { invariant } from "./assert.ts";

/**
 * A counting semaphore in units of the caller's choice (bytes, calls). Waiters are served in order,
 * so a large request cannot starve behind small ones.
 */
export class Semaphore {
  #free: number;
  readonly #waiters: { units: number; resume: () => void }[] = [];

  constructor(readonly capacity: number) {
    invariant(capacity > 0, "semaphore capacity must be positive");
    this.#free = capacity;
  }

  get used(): number {
    return this.capacity - this.#free;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /** Takes `units` now if nobody waits and enough are free. */
  tryAcquire(units = 1): boolean {
    if (this.#waiters.length > 0 || this.#free < units) return false;
    this.#free -= units;
    return true;
  }

  /** Resolves once `units` are taken. More than the capacity counts as the whole capacity. */
  acquire(units = 1): Promise<void> {
    const wanted = Math.min(units, this.capacity);
    if (this.tryAcquire(wanted)) return Promise.resolve();
    return new Promise((resume) => this.#waiters.push({ units: wanted, resume }));
  }

  /** Does `work` while one unit is taken. */
  async within<T>(work: () => Promise<T>): Promise<T> {
    await this.acquire();
    try {
      return await work();
    } finally {
      this.release();
    }
  }

  /** Gives back what `acquire` or `tryAcquire` took. */
  release(units = 1): void {
    this.#free += Math.min(units, this.capacity);
    invariant(this.#free <= this.capacity, "semaphore released more than was acquired");
    while (this.#waiters.length > 0 && this.#waiters[0]!.units <= this.#free) {
      const next = this.#waiters.shift()!;
      this.#free -= next.units;
      next.resume();
    }
  }
}
