import { WATCH_FEED_LIMITS, type WatchFeedLimits } from "../../../core/metadata/watch_feed.ts";

export interface EmbeddedSettings {
  /** Made when it doesn't exist; holds metadata.db, its write-ahead log, and metadata.lock. */
  readonly dataDir: string;
  readonly watch?: WatchFeedLimits;
}

export const EMBEDDED_LIMITS = {
  /** Transactions of one group: what one turn of the event loop does (some 20 µs each). */
  groupTransactions: 512,
  /** Transactions waiting; one more is refused with "retry". Minutes of what a broker makes. */
  queuedTransactions: 100_000,
  /** Write-ahead log written before it is moved into the database file: bounds its size and the
   * time to open after a crash. */
  checkpointBytes: 4 * 1024 * 1024,
  watch: WATCH_FEED_LIMITS,
} as const;
