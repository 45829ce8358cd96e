import { READS_AHEAD_MAX } from "../config/limits.ts";
import type { BlockCache } from "./block_cache.ts";

/** Brings bytes into the cache before they are asked for; dropped where many run. */
export class ReadAhead {
  /** What is being loaded; several readers may want the same. */
  readonly #running = new Set<string>();

  constructor(readonly cache: BlockCache) {}

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
