/**
 * Upper bounds of the buckets in milliseconds, inclusive: a 1-2-5 series, so that relative error is
 * bounded from a local disk's latencies up to a stuck call's. One more bucket holds what is above.
 */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.5,
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  1_000,
  2_000,
  5_000,
  10_000,
  20_000,
  60_000,
];

/** Latencies since start in fixed buckets; recording one allocates nothing. */
export class LatencyHistogram {
  /** By bucket, not cumulative; the last one is above all bounds. */
  readonly counts: Float64Array = new Float64Array(LATENCY_BOUNDS_MS.length + 1);
  count = 0;
  sumMs = 0;
  maxMs = 0;

  record(ms: number): void {
    let bucket = 0;
    while (bucket < LATENCY_BOUNDS_MS.length && ms > LATENCY_BOUNDS_MS[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.count++;
    this.sumMs += ms;
    if (ms > this.maxMs) this.maxMs = ms;
  }

  /** The bound below which at least `share` (0 to 1) of all lie, at most the maximum; 0 if none. */
  quantileMs(share: number): number {
    const wanted = share * this.count;
    let seen = 0;
    for (let bucket = 0; bucket < LATENCY_BOUNDS_MS.length; bucket++) {
      seen += this.counts[bucket]!;
      if (seen >= wanted) return Math.min(LATENCY_BOUNDS_MS[bucket]!, this.maxMs);
    }
    return this.maxMs;
  }
}
