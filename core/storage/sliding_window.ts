/** Calls of one kind in the last `windowMs`, in slices, so that adding one costs a few sums. */

const SLICES = 20;

export class SlidingWindow {
  /** Calls that have ended; of these, those that failed, and those that were throttled. */
  calls = 0;
  failed = 0;
  throttled = 0;
  /** Calls that ended well, what they took in all, and what they waited of it. */
  answered = 0;
  tookMs = 0;
  #waitedMs = 0;
  readonly #sliceMs: number;
  readonly #slices = Array.from({ length: SLICES }, () => new Slice());
  /** Number of the newest slice since time 0. */
  #newest = 0;

  constructor(windowMs: number) {
    this.#sliceMs = windowMs / SLICES;
  }

  /** Mean wait of calls that ended well, in milliseconds; 0 without any. */
  get waitMs(): number {
    return this.answered === 0 ? 0 : this.#waitedMs / this.answered;
  }

  /** 0 to 1; 0 without calls. */
  get failedShare(): number {
    return this.calls === 0 ? 0 : this.failed / this.calls;
  }

  add(
    nowMs: number,
    tookMs: number,
    waitedMs: number,
    how: "ok" | "failed" | "throttled",
  ): void {
    this.moveTo(nowMs);
    const slice = this.#slices[this.#newest % SLICES]!;
    slice.calls++;
    this.calls++;
    if (how === "ok") {
      slice.answered++;
      this.answered++;
      slice.tookMs += tookMs;
      this.tookMs += tookMs;
      slice.waitedMs += waitedMs;
      this.#waitedMs += waitedMs;
    } else {
      slice[how]++;
      this[how]++;
    }
  }

  /** Forgets what lies more than the window before `nowMs`. */
  moveTo(nowMs: number): void {
    const now = Math.floor(nowMs / this.#sliceMs);
    if (now - this.#newest >= SLICES) this.clear();
    else {
      for (let at = this.#newest + 1; at <= now; at++) this.#drop(this.#slices[at % SLICES]!);
    }
    this.#newest = Math.max(now, this.#newest);
  }

  clear(): void {
    for (const slice of this.#slices) slice.clear();
    this.calls = this.failed = this.throttled = 0;
    this.answered = this.tookMs = this.#waitedMs = 0;
  }

  #drop(slice: Slice): void {
    this.calls -= slice.calls;
    this.failed -= slice.failed;
    this.throttled -= slice.throttled;
    this.answered -= slice.answered;
    // Sums of fractions: rounding must not pile up.
    this.tookMs = this.answered === 0 ? 0 : this.tookMs - slice.tookMs;
    this.#waitedMs = this.answered === 0 ? 0 : this.#waitedMs - slice.waitedMs;
    slice.clear();
  }
}

class Slice {
  calls = 0;
  failed = 0;
  throttled = 0;
  answered = 0;
  tookMs = 0;
  waitedMs = 0;

  clear(): void {
    this.calls =
      this.failed =
      this.throttled =
      this.answered =
      this.tookMs =
      this.waitedMs =
        0;
  }
}
