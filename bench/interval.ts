/** How sure a median of few measurements is. */
import { median } from "./figures.ts";

export interface MedianInterval {
  readonly median: number;
  /** The median of all such measurements lies between these with 95 % or more. */
  readonly low: number;
  readonly high: number;
}

const DOUBT = 0.05;

/**
 * By ranks, whatever the values' distribution is, and hardly moved by the few that something else
 * disturbed; with fewer than six values nothing is sure.
 */
export function medianInterval(values: readonly number[]): MedianInterval {
  const sorted = values.toSorted((a, b) => a - b);
  const count = sorted.length;
  // chance that at most `rank` of the values are below the true median, each being so by half
  // as a logarithm: of a thousand values the first chances are too small for a number
  let chance = count * Math.log(0.5);
  let below = Math.exp(chance);
  let rank = 0;
  while (2 * below <= DOUBT) {
    rank++;
    chance += Math.log((count - rank + 1) / rank);
    below += Math.exp(chance);
  }
  const sure = rank > 0;
  return {
    median: median(values),
    low: sure ? sorted[rank - 1]! : -Infinity,
    high: sure ? sorted[count - rank]! : Infinity,
  };
}

/** What should stay below `limit`; "open" while the interval has it within. */
export function verdict(
  { low, high }: MedianInterval,
  limit: number,
): "passed" | "failed" | "open" {
  if (high < limit) return "passed";
  return low >= limit ? "failed" : "open";
}
