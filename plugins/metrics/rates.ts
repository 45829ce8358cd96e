/** Rates over a sliding window, out of counters that are looked at once a second. */

/** Counters by name as of one moment. */
export type Counters = Readonly<Record<string, number>>;

interface Look {
  readonly atMs: number;
  readonly counters: Counters;
}

export class Rates {
  /** Oldest first; all within the window, and one before it. */
  readonly #looks: Look[] = [];

  constructor(readonly windowMs: number) {}

  look(atMs: number, counters: Counters): void {
    this.#looks.push({ atMs, counters });
    while (this.#looks.length > 2 && atMs - this.#looks[1]!.atMs >= this.windowMs) {
      this.#looks.shift();
    }
  }

  /** How much `name` grew a second over the window; 0 before the second look. */
  perSecond(name: string): number {
    const grown = this.grown(name);
    const first = this.#looks[0];
    const last = this.#looks.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    return grown * 1_000 / (last.atMs - first.atMs);
  }

  /** How much `name` grew over the window. */
  grown(name: string): number {
    const first = this.#looks[0]?.counters[name] ?? 0;
    return (this.#looks.at(-1)?.counters[name] ?? 0) - first;
  }
}
