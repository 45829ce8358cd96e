/**
 * How urgent rewriting is. The debt is the WAL that waits for it, in multiples of what may pile up:
 *
 * | debt | beside clients that do a little | beside clients that do a lot |
 * |---|---|---|
 * | up to 1 | a quarter of the time | not at all |
 * | 1 to 1.5 | a quarter of the time, up to all of it | half of the time, once it has lasted |
 * | above 1.5 | all the time, small tails several at a time | half of it, several at a time |
 * | hard limits | all the time | all the time |
 *
 * So WAL settles where rewriting keeps up with what is written, near the bound. Busy clients are
 * let through first, for BURST_MS: a burst costs them nothing, and rewriting follows it. Those that
 * only read add nothing to the debt, and are let through for twice as long.
 */
import { REWRITES_PARALLEL_MAX, WAL_BYTES_HARD, WAL_OBJECTS_HARD } from "../config/limits.ts";
import type { Clock } from "../runtime/runtime.ts";

/** Clients that do a lot are left alone for this long, whatever the debt. */
const BURST_MS = 20_000;
/** Nothing is being written any more when the WAL has not grown for this long. */
const WRITTEN_MS = 2_000;
/** Rests per work below the bound: a quarter of the time is work. */
const RESTS_MAX = 3;
/** Beside clients that do a lot: half of the time. */
const RESTS_BUSY_MIN = 1;
/** The debt at which rewriting does not rest any more. */
const RESTLESS_DEBT = 1.5;

export interface WalPile {
  readonly bytes: number;
  readonly objects: number;
  /** What may pile up of each. */
  readonly bytesMax: number;
  readonly objectsMax: number;
}

export class WalDebt {
  #debt = 0;
  #hard = false;
  /** Since when clients have been busy beside a debt above 1, at times at least. */
  #sinceMs: number | undefined;
  /** Of the WAL when it was last looked at. */
  #bytes = 0;
  /** When it was last seen to have grown. */
  #grewMs = -Infinity;

  constructor(readonly clock: Pick<Clock, "monotonicMs">) {}

  /** Takes in how much there is now. `quiet`: clients have done little for a while. */
  look({ bytes, objects, bytesMax, objectsMax }: WalPile, quiet: boolean): void {
    this.#debt = Math.max(bytes / Math.max(1, bytesMax), objects / Math.max(1, objectsMax));
    this.#hard = bytes > WAL_BYTES_HARD || objects > WAL_OBJECTS_HARD;
    const nowMs = this.clock.monotonicMs();
    if (bytes > this.#bytes) this.#grewMs = nowMs;
    this.#bytes = bytes;
    if (quiet) this.#sinceMs = undefined;
    else if (this.#debt > 1) this.#sinceMs ??= nowMs;
  }

  /** More than may pile up. */
  get over(): boolean {
    return this.#debt > 1;
  }

  /** To be rewritten whatever clients do. */
  get pressing(): boolean {
    if (this.#hard) return true;
    const nowMs = this.clock.monotonicMs();
    const written = nowMs - this.#grewMs < WRITTEN_MS;
    const patienceMs = written ? BURST_MS : 2 * BURST_MS;
    return this.over && nowMs - (this.#sinceMs ?? Infinity) >= patienceMs;
  }

  /** Time to rest after work, as a multiple of it. */
  restsPerWork(busy: boolean): number {
    if (this.#hard) return 0;
    const above = (this.#debt - 1) / (RESTLESS_DEBT - 1);
    const rests = RESTS_MAX * (1 - Math.min(1, Math.max(0, above)));
    if (!busy) return rests;
    return this.pressing ? Math.max(RESTS_BUSY_MIN, rests) : RESTS_MAX;
  }

  /** Small tails to rewrite at a time: they wait for the store, mostly. */
  get parallel(): number {
    const above = Math.floor((this.#debt - 1) / (RESTLESS_DEBT - 1));
    return Math.min(REWRITES_PARALLEL_MAX, Math.max(0, above) + 1);
  }
}
