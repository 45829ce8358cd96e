import type { Distribution } from "../../core/plugin/mod.ts";
import type { Sources } from "./sources.ts";

export type Labels = Readonly<Record<string, string | number>>;

/** One row of the metric table: what it is called, what it means, where its numbers come from. */
export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence; it is also what docs/metrics.md says. */
  readonly help: string;
  readonly labels: readonly string[];
  /** Adds the samples as of now. */
  read(sources: Sources, samples: Samples): void;
}

export interface Sample {
  /** Where it isn't the metric's own: a histogram's `_bucket`, `_sum`, `_count`. */
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
}

/** The samples of one metric at one moment. */
export class Samples {
  readonly all: Sample[] = [];

  constructor(readonly name: string) {}

  add(value: number, labels: Labels = {}): void {
    this.all.push({ labels, value });
  }

  /** A histogram's samples; `scale` turns its unit into the metric's (0.001: ms into seconds). */
  histogram({ bounds, counts, count, sum }: Distribution, labels: Labels = {}, scale = 1): void {
    let below = 0;
    const bucket = `${this.name}_bucket`;
    for (const [at, bound] of bounds.entries()) {
      below += counts[at]!;
      this.all.push({
        metricName: bucket,
        labels: { ...labels, le: scaled(bound, scale) },
        value: below,
      });
    }
    this.all.push({ metricName: bucket, labels: { ...labels, le: "+Inf" }, value: count });
    this.all.push({ metricName: `${this.name}_sum`, labels, value: sum * scale });
    this.all.push({ metricName: `${this.name}_count`, labels, value: count });
  }
}

/** Without the noise of binary fractions: 0.0005, not 0.0005000000000000001. */
function scaled(bound: number, scale: number): string {
  return String(Number((bound * scale).toPrecision(6)));
}

type Read<T> = (sources: Sources) => T;

/** Metrics with one sample and no labels. */
export function counter(name: string, help: string, read: Read<number>): Metric {
  return { name, type: "counter", help, labels: [], read: (s, out) => out.add(read(s)) };
}

export function gauge(name: string, help: string, read: Read<number>): Metric {
  return { name, type: "gauge", help, labels: [], read: (s, out) => out.add(read(s)) };
}

export function histogram(
  name: string,
  help: string,
  read: Read<Distribution>,
  scale = 1,
): Metric {
  return {
    name,
    type: "histogram",
    help,
    labels: [],
    read: (s, out) => out.histogram(read(s), {}, scale),
  };
}

/** Core measures milliseconds; Prometheus wants seconds. */
export const SECONDS = 0.001;
