/**
 * Whether a small commit waits for those who were just answered. Clients with a few requests in
 * flight send the next ones as soon as the last ones are answered. A commit that goes without them
 * splits them into two halves that wait for each other in turn, each upload with half of what it
 * could carry; and what an upload costs is not its bytes.
 *
 * So a commit goes when as many batches have come back as were answered, or when nothing more has
 * come for a moment, or after as long as the last upload took. Where fewer than half come back so
 * soon (clients that send by the clock), nothing waits; what comes back is counted all the same.
 */
import type { Clock } from "../../runtime/runtime.ts";

/** Nothing came for this long: the rest will not come either. */
const GAP_MS = 2;
const WAIT_MS_MIN = 2;
const WAIT_MS_MAX = 20;
/** The weight of the newest share of batches that came back. */
const SHARE_WEIGHT = 0.2;
const SHARE_MIN = 0.5;

export class Company {
  /** Of the batches that were answered, those that others soon followed; a moving average. */
  #share = 0;
  #expected = 0;
  #came = 0;
  /** Of the last answer or arrival. */
  #stirredMs = 0;
  #untilMs = 0;

  constructor(readonly clock: Pick<Clock, "monotonicMs">) {}

  /** So many batches, whose upload took so long, are about to be answered. */
  answered(batches: number, uploadMs: number): void {
    if (this.#expected > 0) {
      const share = Math.min(1, this.#came / this.#expected);
      this.#share += SHARE_WEIGHT * (share - this.#share);
    }
    const nowMs = this.clock.monotonicMs();
    this.#expected = batches;
    this.#came = 0;
    this.#stirredMs = nowMs;
    this.#untilMs = nowMs + Math.min(Math.max(uploadMs, WAIT_MS_MIN), WAIT_MS_MAX);
  }

  arrived(batches: number): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs > this.#untilMs) return;
    this.#came += batches;
    this.#stirredMs = nowMs;
  }

  /** As many as were last answered have come back, soon: nobody else is known to be about. */
  get complete(): boolean {
    return this.#expected > 0 && this.#came >= this.#expected;
  }

  /** Until when a commit waits, should nothing more arrive; in the past where it does not. */
  get untilMs(): number {
    const here = this.#came >= this.#expected || this.#share < SHARE_MIN;
    return here ? -Infinity : Math.min(this.#untilMs, this.#stirredMs + GAP_MS);
  }
}
