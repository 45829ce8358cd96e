/** What a block cache is given, and the shares of its capacity. */
import type { BlockBuffers } from "./block_buffers.ts";
import type { ObjectStore } from "./object_store.ts";
import type { SlabPool } from "./wal/slab_pool.ts";

/** A sequential reader's misses are widened to GETs of this size, to spare requests. */
export const READ_AHEAD_BYTES = 4 * 1024 * 1024;

/** What a small object takes of the heap beside its bytes: its key, its entries, its buffer. */
export const ENTRY_BYTES = 1024;

/** One reader's read-ahead takes at most this share of the capacity. */
export const READ_AHEAD_SHARE = 16;

/** While loads take more than this share of it, no reader gets more than it asks for. */
export const WIDENED_SHARE = 2;

/** The newest inserted objects take at most this share of it: two full commits by default. */
export const FRESH_SHARE = 8;

/** What was brought ahead and is not read yet takes at most this share: more drives itself out. */
export const AHEAD_SHARE = 4;

/** What a read of the cache tells of itself. */
export interface ReadHints {
  /** See CallOptions. */
  readonly staleOk?: boolean;
  /** Nobody waits for what it loads. */
  readonly ahead?: boolean;
  /** What lies behind it is not what its reader wants next. */
  readonly scattered?: boolean;
}

export interface BlockCacheOptions {
  readonly store: ObjectStore;
  /** Where they come from; without them every load allocates. */
  readonly buffers?: BlockBuffers | undefined;
  readonly capacityBytes: number;
  /** Bytes of the capacity that are in use elsewhere at the moment; half of it at most. */
  readonly reservedBytes?: () => number;
  /** Where evicted buffers go to; what is idle there counts, too. */
  readonly slabs?: SlabPool;
  /** Reads are made in multiples of this, aligned: `StoreAdvice.rangeBytes`. */
  readonly blockBytes: number;
  /** What a sequential reader's misses are widened to; 4 MiB unless the store advises otherwise. */
  readonly readAheadBytes?: number;
}
