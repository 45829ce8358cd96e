import { READS_AHEAD_MAX } from "../config/limits.ts";
import type { BlockCache } from "./block_cache.ts";

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

  /** Starts to load `[start, end)` of an object of `size` bytes; faults are told to its reader. */
  start(
    key: string,
    size: number,
    start: number,
    end: number,
    signal: AbortSignal,
    staleOk: boolean,
  ): void {
    const what = `${start} of ${key}`;
    if (this.#running.size >= READS_AHEAD_MAX || this.#running.has(what)) return;
    const held = this.cache.tryRead(key, start, Math.min(end, size));
    if (held !== undefined) return held.release();
    this.#running.add(what);
    this.cache.read(key, size, start, end, signal, staleOk)
      .then((lease) => lease?.release(), () => {})
      .finally(() => this.#running.delete(what));
  }
}
