/**
 * At most so many calls at once; the others wait in order, and stop waiting on abort. So many
 * places are kept for urgent calls; where none is, these get every other place that both wait for.
 */
export class CallSlots {
  #free: number;
  readonly #kept: number;
  readonly #waiting = { urgent: new Set<() => void>(), other: new Set<() => void>() };
  /** Who got the last place that both kinds waited for. */
  #urgentWasLast = false;

  constructor(capacity: number, kept: number) {
    this.#free = capacity;
    this.#kept = kept;
  }

  /** Resolves with true once the call has a place, with false if `signal` aborts before. */
  take(urgent: boolean, signal: AbortSignal | undefined): boolean | Promise<boolean> {
    if (signal?.aborted) return false;
    if (this.#free > (urgent ? 0 : this.#kept)) {
      this.#free--;
      return true;
    }
    const waiting = urgent ? this.#waiting.urgent : this.#waiting.other;
    return new Promise((resolve) => {
      const go = () => {
        waiting.delete(go);
        signal?.removeEventListener("abort", stop);
        resolve(true);
      };
      const stop = () => {
        waiting.delete(go);
        resolve(false);
      };
      waiting.add(go);
      signal?.addEventListener("abort", stop, { once: true });
    });
  }

  /** Gives a place back, to whoever waits longest. */
  give(): void {
    const [urgent] = this.#waiting.urgent;
    const [waiting] = this.#waiting.other;
    const other = this.#free + 1 > this.#kept ? waiting : undefined;
    if (urgent === undefined && other === undefined) {
      this.#free++;
      return;
    }
    const urgentFirst = other === undefined || (urgent !== undefined && !this.#urgentWasLast);
    if (urgent !== undefined && other !== undefined) this.#urgentWasLast = urgentFirst;
    (urgentFirst ? urgent! : other!)();
  }
}
