/** Latencies in milliseconds, all of them kept. */
export class Latencies {
  readonly #all: number[] = [];

  add(ms: number): void {
    this.#all.push(ms);
  }

  get count(): number {
    return this.#all.length;
  }

  summary(): LatencySummary {
    const sorted = Float64Array.from(this.#all).sort();
    return {
      p50: percentile(sorted, 0.5),
      p95: percentile(sorted, 0.95),
      p99: percentile(sorted, 0.99),
      max: percentile(sorted, 1),
    };
  }
}

/** Milliseconds; null where nothing was measured. */
export interface LatencySummary {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** The value that a share `rank` (0 to 1) of `sorted` does not exceed. */
export function percentile(sorted: Float64Array, rank: number): number | null {
  return sorted[Math.max(0, Math.ceil(sorted.length * rank) - 1)] ?? null;
}
