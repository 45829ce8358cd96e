/**
 * All memory for records, as one: commits, what is read, and what background work copies share the
 * slabs of one pool, and the cache takes what is left of the setting that bounds them all.
 */
import type { Runtime } from "../runtime/runtime.ts";
import { SlowFall } from "../runtime/slow_fall.ts";
import { BlockCache } from "./block_cache.ts";
import { BlockPool } from "./block_buffers.ts";
import type { ObjectStore } from "./object_store.ts";
import { SLAB_BYTES, SlabPool, SlabShare } from "./wal/slab_pool.ts";

/** Frames come and go with every request; a cache that swung with them would leave garbage. */
const FRAMES_FALL_BYTES_PER_MS = 1024;

export interface RecordMemoryOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  /** KAFSCALE_CACHE_BYTES. */
  readonly capacityBytes: number;
  /** Of commits that are not committed yet. */
  readonly commitBytes: () => number;
  /** Of requests that are being read, and answers that are being written. */
  readonly frameBytes: () => number;
  /** Of objects that the store itself keeps. */
  readonly storeBytes: () => number;
}

export interface RecordMemory {
  readonly cache: BlockCache;
  /** For commits, whose slabs the cache takes over. */
  readonly commits: SlabPool;
  /** For background work. */
  readonly work: SlabShare;
}

export function recordMemory(options: RecordMemoryOptions): RecordMemory {
  const { runtime, store, capacityBytes } = options;
  const { rangeBytes, readAheadBytes } = store.advice;
  const commits = new SlabPool(Math.ceil(capacityBytes / SLAB_BYTES));
  const work = new SlabShare(commits);
  const blocks = SLAB_BYTES % rangeBytes === 0 ? new BlockPool(commits, rangeBytes) : undefined;
  const frames = new SlowFall(runtime.clock, FRAMES_FALL_BYTES_PER_MS);
  const cache = new BlockCache({
    store,
    capacityBytes,
    blockBytes: rangeBytes,
    readAheadBytes,
    buffers: blocks,
    slabs: commits,
    reservedBytes: () =>
      options.commitBytes() + frames.of(options.frameBytes()) + options.storeBytes() +
      work.outsideBytes,
  });
  return { cache, commits, work };
}
