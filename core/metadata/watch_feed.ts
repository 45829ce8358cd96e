import { invariant } from "../runtime/mod.ts";
import type { Revision, WatchBatch, WatchEvent } from "./metadata_store.ts";

/** Bounds of the history that late watchers are served from; a watcher behind it is "compacted". */
export interface WatchFeedLimits {
  readonly historyBatches: number;
  readonly historyBytes: number;
}

export const WATCH_FEED_LIMITS: WatchFeedLimits = {
  // a registry that is this far behind lists faster than it replays
  historyBatches: 10_000,
  historyBytes: 16 * 1024 * 1024,
};

interface Kept {
  readonly revision: Revision;
  readonly events: readonly WatchEvent[];
  readonly bytes: number;
}

/**
 * The change history of a store in this process and its watchers. Watchers hold a cursor, not a
 * queue, so a slow one costs nothing: when the history is trimmed past its cursor it is told so.
 */
export class WatchFeed {
  #kept: Kept[] = [];
  #bytes = 0;
  #newest: Revision;
  /** Every event with a greater revision is in the history. */
  #floor: Revision;
  readonly #sleepers = new Set<() => void>();

  constructor(newest: Revision, readonly limits: WatchFeedLimits = WATCH_FEED_LIMITS) {
    this.#newest = newest;
    this.#floor = newest;
  }

  /** Adds the events of one revision; revisions rise. */
  publish(revision: Revision, events: readonly WatchEvent[]): void {
    invariant(revision > this.#newest, "watch revisions must rise");
    let bytes = 0;
    for (const event of events) {
      bytes += event.type === "put" ? 64 + event.entry.key.length + event.entry.value.length : 64;
    }
    this.#newest = revision;
    this.#kept.push({ revision, events, bytes });
    this.#bytes += bytes;
    this.#trim();
    this.#wake();
  }

  /** Forgets the history: every watcher has to list again. */
  reset(newest: Revision): void {
    this.#kept = [];
    this.#bytes = 0;
    this.#newest = newest;
    this.#floor = newest;
    this.#wake();
  }

  /** Events below `prefix` after revision `from`, until `signal` aborts. */
  async *watch(prefix: string, from: Revision, signal: AbortSignal): AsyncGenerator<WatchBatch> {
    let seen = from;
    while (!signal.aborted) {
      if (seen < this.#floor) {
        yield { compacted: true };
        return;
      }
      const batch = this.#after(seen);
      if (batch === undefined) {
        await this.#sleep(signal);
        continue;
      }
      seen = batch.revision;
      const events = batch.events.filter((event) =>
        (event.type === "put" ? event.entry.key : event.key).startsWith(prefix)
      );
      if (events.length > 0) yield { revision: batch.revision, events };
    }
  }

  #after(seen: Revision): Kept | undefined {
    let low = 0;
    let high = this.#kept.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#kept[middle]!.revision > seen) high = middle;
      else low = middle + 1;
    }
    return this.#kept[low];
  }

  #trim(): void {
    let drop = Math.max(0, this.#kept.length - this.limits.historyBatches);
    let bytes = this.#bytes;
    for (let at = 0; at < drop; at++) bytes -= this.#kept[at]!.bytes;
    while (bytes > this.limits.historyBytes && drop < this.#kept.length - 1) {
      bytes -= this.#kept[drop++]!.bytes;
    }
    if (drop === 0) return;
    this.#floor = this.#kept[drop - 1]!.revision;
    this.#kept.splice(0, drop);
    this.#bytes = bytes;
  }

  #sleep(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#sleepers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#sleepers.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#sleepers]) wake();
  }
}
