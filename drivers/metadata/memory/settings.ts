import { WATCH_FEED_LIMITS, type WatchFeedLimits } from "../../../core/metadata/watch_feed.ts";

/** Nothing that an operator sets; tests shrink the watch history. */
export interface MemorySettings {
  readonly watch: WatchFeedLimits;
}

export const MEMORY_SETTINGS: MemorySettings = { watch: WATCH_FEED_LIMITS };
