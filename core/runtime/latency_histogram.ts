import { Histogram } from "./histogram.ts";

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

/** Latencies since start, in milliseconds. */
export class LatencyHistogram extends Histogram {
  constructor() {
    super(LATENCY_BOUNDS_MS);
  }
}
