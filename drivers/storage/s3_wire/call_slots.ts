/** At most so many calls at once; the others wait in order, and stop waiting on abort. */
export class CallSlots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(capacity: number) {
    this.#free = capacity;
  }

  /** Resolves with true once the call has a place, with false if `signal` aborts before. */
  take(signal: AbortSignal | undefined): boolean | Promise<boolean> {
    if (signal?.aborted) return false;
    if (this.#free > 0) {
      this.#free--;
      return true;
    }
    return new Promise((resolve) => {
      const go = () => {
        signal?.removeEventListener("abort", stop);
        resolve(true);
      };
      const stop = () => {
        this.#waiting.delete(go);
        resolve(false);
      };
      this.#waiting.add(go);
      signal?.addEventListener("abort", stop, { once: true });
    });
  }

  /** Gives a place back, to whoever waits longest. */
  give(): void {
    for (const go of this.#waiting) {
      this.#waiting.delete(go);
      return go();
    }
    this.#free++;
  }
}
