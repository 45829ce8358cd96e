/** Whether a series of samples stays where it is. */
import { median } from "../figures.ts";

export interface Series {
  readonly name: string;
  /** One for each sample, in the order of time. */
  readonly values: readonly number[];
  /** Growth that counts as noise, whatever the level. */
  readonly floor: number;
  /** A sawtooth is judged by its peaks: the greatest of so many samples at a time. */
  readonly peaksOf?: number;
}

export interface Trend {
  readonly name: string;
  readonly median: number;
  readonly max: number;
  /** What the slope makes of the level from the first sample to the last. */
  readonly growth: number;
  /** Growth as a share of the median. */
  readonly share: number;
  /** The growth up to which the series counts as flat. */
  readonly tolerance: number;
  readonly flat: boolean;
}

/** The first part of a run fills caches and pools; the rest is judged. */
const WARM_UP = 1 / 2;
/** Growth over what is judged, as a share of the level, that counts as flat. */
const FLAT_SHARE = 0.05;
/** With fewer samples after the warm-up nothing is said. */
const SAMPLES_MIN = 6;

/** The median of the slopes between any two samples (Theil and Sen): outliers don't tilt it. */
export function slopeOf(values: readonly number[]): number {
  const slopes: number[] = [];
  for (let a = 0; a < values.length; a++) {
    for (let b = a + 1; b < values.length; b++) slopes.push((values[b]! - values[a]!) / (b - a));
  }
  return slopes.length === 0 ? 0 : median(slopes);
}

function peaks(values: readonly number[], of: number): number[] {
  const found: number[] = [];
  for (let at = 0; at < values.length; at += of) {
    found.push(Math.max(...values.slice(at, at + of)));
  }
  return found;
}

/** Throws where there are too few samples to tell. */
export function trendOf({ name, values, floor, peaksOf = 1 }: Series): Trend {
  const settled = values.slice(Math.floor(values.length * WARM_UP));
  if (settled.length < SAMPLES_MIN) throw new Error(`${name}: ${settled.length} samples are few`);
  const judged = peaks(settled, Math.min(peaksOf, Math.floor(settled.length / 3)));
  const growth = slopeOf(judged) * (judged.length - 1);
  const level = median(judged);
  const share = level === 0 ? 0 : growth / level;
  const tolerance = Math.max(floor, level * FLAT_SHARE);
  const flat = growth <= tolerance;
  return { name, median: level, max: Math.max(...values), growth, share, tolerance, flat };
}
