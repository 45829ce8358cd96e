import { READS_AHEAD_MAX, RUNS_AHEAD_MAX } from "../config/limits.ts";
import type { BlockCache, ReadHints } from "./block_cache.ts";

/** Brings bytes into the cache before they are asked for; dropped where many run. */
export class ReadAhead {
  /** What is being loaded; several readers may want the same. */
  readonly #running = new Set<string>();
  /** Who reads in order and has bytes ahead, longest not seen first. */
  readonly #readers = new Set<string>();
  #refused = 0;

  constructor(readonly cache: BlockCache) {}

  /**
   * Whether a reader that was here again may have bytes ahead: so many at once, since those of more
   * would drive each other out unread. Of the others each so manieth takes the place of who was not
   * seen for longest, and may have left.
   */
  admits(reader: string): boolean {
    if (!this.#readers.delete(reader) && this.#readers.size >= READS_AHEAD_MAX) {
      if (++this.#refused % READS_AHEAD_MAX !== 0) return false;
      const [oldest] = this.#readers;
      this.#readers.delete(oldest!);
    }
    this.#readers.add(reader);
    return true;
  }

  /**
   * Starts to load `[start, end)` of an object of `size` bytes, if the cache has room for so many
   * times as much that nobody reads yet; faults are told to its reader.
   */
  start(
    key: string,
    size: number,
    start: number,
    end: number,
    signal: AbortSignal,
    hints: ReadHints,
    times = 1,
  ): void {
    const { cache } = this;
    const what = `${start} of ${key}`;
    if (this.#running.size >= RUNS_AHEAD_MAX || this.#running.has(what)) return;
    const to = Math.min(end, size);
    if (cache.keep(key, start, to) || cache.aheadRoom < (to - start) * times) return;
    this.#running.add(what);
    cache.read(key, size, start, to, signal, { ...hints, ahead: true })
      .then((lease) => lease?.release(), () => {})
      .finally(() => this.#running.delete(what));
  }
}
