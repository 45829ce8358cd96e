import { invariant } from "./assert.ts";

/** What was observed, counted by size: plain numbers that whoever wants them reads. */
export interface Distribution {
  /** Inclusive upper bounds, ascending. */
  readonly bounds: readonly number[];
  /** Observations up to each bound and above the one before; one more for those above all. */
  readonly counts: ArrayLike<number>;
  readonly count: number;
  readonly sum: number;
  /** The largest one ever; 0 when there was none. */
  readonly max: number;
}

/** Counts observations in buckets; fit for hot paths: no allocation, no clock. */
export class Histogram implements Distribution {
  readonly counts: Float64Array;
  count = 0;
  sum = 0;
  max = 0;

  constructor(readonly bounds: readonly number[]) {
    for (let index = 1; index < bounds.length; index++) {
      invariant(bounds[index]! > bounds[index - 1]!, "bounds of a histogram ascend");
    }
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    // from below, since most observations are small
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.count++;
    this.sum += value;
    if (value > this.max) this.max = value;
  }

  /** The bound below which at least `share` (0 to 1) of all lie, at most the maximum; 0 if none. */
  quantile(share: number): number {
    const wanted = share * this.count;
    let seen = 0;
    for (const [bucket, bound] of this.bounds.entries()) {
      seen += this.counts[bucket]!;
      if (seen >= wanted) return Math.min(bound, this.max);
    }
    return this.max;
  }
}
