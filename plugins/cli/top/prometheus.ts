/** Prometheus' text format, as far as it is needed to look at one scrape or at two. */

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What one scrape, or the scrapes of several brokers together, say. */
export class Metrics {
  readonly #samples: ReadonlyMap<string, readonly Sample[]>;

  constructor(texts: readonly string[]) {
    const samples = new Map<string, Sample[]>();
    for (const text of texts) {
      for (const line of text.split("\n")) {
        const sample = parseLine(line);
        if (sample === undefined) continue;
        const { name, ...rest } = sample;
        const all = samples.get(name);
        if (all === undefined) samples.set(name, [rest]);
        else all.push(rest);
      }
    }
    this.#samples = samples;
  }

  /** The sum over all brokers and label values but the given ones; undefined without a sample. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const values = this.#matching(name, labels);
    return values.length === 0 ? undefined : values.reduce((sum, { value }) => sum + value, 0);
  }

  max(name: string): number | undefined {
    const values = this.#matching(name, {}).map(({ value }) => value);
    return values.length === 0 ? undefined : Math.max(...values);
  }

  /** Sums by the values of one label. */
  by(name: string, label: string): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { labels, value } of this.#matching(name, {})) {
      const key = labels[label] ?? "";
      sums.set(key, (sums.get(key) ?? 0) + value);
    }
    return sums;
  }

  #matching(name: string, wanted: Readonly<Record<string, string>>): readonly Sample[] {
    const samples = this.#samples.get(name) ?? [];
    const pairs = Object.entries(wanted);
    return samples.filter(({ labels }) => pairs.every(([key, value]) => labels[key] === value));
  }
}

/** `name{label="value",…} number`, perhaps with a timestamp; undefined for all else. */
function parseLine(line: string): (Sample & { readonly name: string }) | undefined {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$/.exec(line);
  if (match === null) return undefined;
  const labels: Record<string, string> = {};
  for (const [, key, value] of (match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    labels[key!] = value!.replace(/\\(.)/g, (_, char) => char === "n" ? "\n" : char);
  }
  const value = match[3] === "+Inf" ? Infinity : match[3] === "-Inf" ? -Infinity : +match[3]!;
  return { name: match[1]!, labels, value };
}

/**
 * A quantile (0 to 1) of what a histogram counted between two scrapes, by linear interpolation
 * within its bucket, as Prometheus reckons it; undefined when it counted nothing.
 */
export function quantileBetween(
  before: Metrics,
  after: Metrics,
  histogram: string,
  quantile: number,
): number | undefined {
  const old = before.by(`${histogram}_bucket`, "le");
  const buckets = [...after.by(`${histogram}_bucket`, "le")]
    .map(([le, count]) => ({
      bound: le === "+Inf" ? Infinity : Number(le),
      count: count - (old.get(le) ?? 0),
    }))
    .sort((a, b) => a.bound - b.bound);
  const total = buckets.at(-1)?.count ?? 0;
  if (total <= 0) return undefined;
  const rank = quantile * total;
  const at = buckets.findIndex(({ count }) => count >= rank);
  const { bound, count } = buckets[at]!;
  const low = buckets[at - 1] ?? { bound: 0, count: 0 };
  if (bound === Infinity) return low.bound;
  return low.bound + (bound - low.bound) * (rank - low.count) / (count - low.count);
}
