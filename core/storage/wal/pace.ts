/**
 * When a commit that is not full is sent (DESIGN 5 and 9): once the spacing since the last send is
 * over; sooner when everybody who writes has gone quiet, or those who were just answered are all
 * back, since waiting then brings no company and only strangles producers with few requests in
 * flight. A request that was saved before pays for that. In both cases those who were just answered
 * are waited for (company.ts).
 *
 * Requests are saved in a token bucket: one a spacing, and one for each COMMIT_PAID_BYTES that are
 * sent, COMMITS_SAVED_MS worth of them at most, none at the start. Invariant: in any time T that
 * sends V bytes at most (T + COMMITS_SAVED_MS) / spacing + V / COMMIT_PAID_BYTES + 1 sends, beside
 * those of full commits, which go in any case, and take a token where there is one. The first
 * COMMIT_UNPAID_BYTES of a commit earn nothing: a small steady flow keeps to the spacing alone.
 */
import { COMMIT_PAID_BYTES, COMMIT_UNPAID_BYTES, COMMITS_SAVED_MS } from "../../config/limits.ts";
import type { Runtime, Timer } from "../../runtime/runtime.ts";
import { Company } from "./company.ts";

/** Quiet is a silence of so many usual gaps between arrivals, and of at least so long. */
const QUIET_GAPS = 3;
const QUIET_MS_MIN = 2;
/** The weight of a new gap in the usual one. */
const GAP_WEIGHT = 0.2;

export class Pace {
  #sentMs = -Infinity;
  #saved = 0;
  /** As of when `#saved` is. */
  #savedMs: number;
  /** Of the last arrival or answer: an answer invites the next request. */
  #stirredMs = -Infinity;
  /** Where the last arrival went. */
  #slot = -1;
  /** Usual time from one arrival, or an answer, to the next arrival in the same commit. */
  #gapMs = 0;
  readonly #company: Company;
  #timer: Timer | undefined;
  #timerMs = 0;

  /** `again` is called when `due` is worth another look. */
  constructor(
    readonly runtime: Runtime,
    readonly spacingMs: number,
    readonly again: () => void,
  ) {
    this.#savedMs = runtime.clock.monotonicMs();
    this.#company = new Company(runtime.clock);
  }

  /** Batches were appended to the open commit `slot`; called once per turn of the event loop. */
  arrived(slot: number, batches: number): void {
    this.#company.arrived(batches);
    if (this.spacingMs === 0) return;
    const nowMs = this.runtime.clock.monotonicMs();
    if (slot === this.#slot) {
      const gapMs = Math.min(nowMs - this.#stirredMs, this.spacingMs);
      this.#gapMs += GAP_WEIGHT * (gapMs - this.#gapMs);
    }
    this.#slot = slot;
    this.#stirredMs = nowMs;
  }

  /** Those who waited for a commit of so many batches are about to be answered. */
  answered(batches: number, uploadMs: number): void {
    this.#company.answered(batches, uploadMs);
    if (this.spacingMs > 0) this.#stirredMs = this.runtime.clock.monotonicMs();
  }

  /**
   * Whether the open commit, of so many bytes, goes now; if not, `again` will be called. A small
   * one, beside which none is on its way, waits for those who were just answered.
   */
  due(bytes: number, small: boolean): boolean {
    const nowMs = this.runtime.clock.monotonicMs();
    // Those who were answered are all here: no silence is needed to tell.
    const quietMs = small && this.#company.complete ? -Infinity : this.#quietMs;
    const dueMs = Math.max(this.#paidMs(bytes, quietMs), small ? this.#company.untilMs : -Infinity);
    if (dueMs > nowMs) this.#wakeAt(dueMs, nowMs);
    return dueMs <= nowMs;
  }

  /** When the spacing, or what is saved, lets such a commit go, should nothing more arrive. */
  #paidMs(bytes: number, quietMs: number): number {
    if (this.spacingMs === 0) return -Infinity;
    const spacedMs = this.#sentMs + this.spacingMs;
    const missing = 1 - this.#saved - earnedBy(bytes);
    const paidMs = this.#savedMs + missing * this.spacingMs;
    return Math.min(spacedMs, Math.max(quietMs, paidMs));
  }

  /** When everybody will have gone quiet, should nothing more arrive. */
  get #quietMs(): number {
    return this.#stirredMs + Math.max(QUIET_GAPS * this.#gapMs, QUIET_MS_MIN);
  }

  /** What puts the time off leaves the timer as it is: it is set again when it has run. */
  #wakeAt(dueMs: number, nowMs: number): void {
    if (this.#timer !== undefined && this.#timerMs <= dueMs) return;
    this.#timer?.cancel();
    this.#timerMs = dueMs;
    this.#timer = this.runtime.timers.after(dueMs - nowMs, () => {
      this.#timer = undefined;
      this.again();
    });
  }

  sent(bytes: number): void {
    if (this.spacingMs === 0) return;
    const nowMs = this.runtime.clock.monotonicMs();
    // They waited for us: had it been sent sooner, the silence would have been shorter.
    if (nowMs >= this.#quietMs) this.#gapMs /= 2;
    const earned = (nowMs - this.#savedMs) / this.spacingMs + earnedBy(bytes);
    const saved = Math.min(this.#saved + earned, COMMITS_SAVED_MS / this.spacingMs);
    this.#saved = Math.max(0, saved - 1);
    this.#savedMs = nowMs;
    this.#sentMs = nowMs;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

/** Requests that a commit of so many bytes earns, at most one for each COMMIT_PAID_BYTES. */
function earnedBy(bytes: number): number {
  const paid = (bytes - COMMIT_UNPAID_BYTES) / (COMMIT_PAID_BYTES - COMMIT_UNPAID_BYTES);
  return Math.min(Math.max(0, paid), bytes / COMMIT_PAID_BYTES);
}
