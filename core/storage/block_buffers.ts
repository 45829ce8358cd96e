/** Bringing a run of blocks from the store, into reused buffers where store and size allow it. */
import type { CallOptions, ObjectStore } from "./object_store.ts";
import { SlabPool } from "./wal/slab_pool.ts";

/** Buffers of one block each, for stores that read into the caller's. */
export interface BlockBuffers {
  acquire(): Uint8Array;
  /** Nobody reads or writes it any more. */
  release(buffer: Uint8Array): void;
  /** It went out and will not come back. */
  forget(buffer: Uint8Array): void;
}

/** What is kept of buffers for blocks while they are not in use. */
const IDLE_BLOCK_BYTES = 16 << 20;

/** Reused buffers of one block each, a few MiB of them idle at most. */
export function blockPool(blockBytes: number): SlabPool {
  return new SlabPool(Math.ceil(IDLE_BLOCK_BYTES / blockBytes), blockBytes);
}

export interface BlockRun {
  readonly key: string;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** `parts` are valid until `giveBack`; shorter than the run where the object is. */
export interface LoadedRun {
  readonly parts: readonly Uint8Array[];
  readonly giveBack: (() => void) | undefined;
}

/** A run that fills less of its buffers than this is allocated to measure. */
const POOLED_SHARE = 0.5;

/** Whether a run of this many bytes goes into reused buffers, and the memory that it takes then. */
function pooling(
  buffers: BlockBuffers | undefined,
  blockBytes: number,
  length: number,
): { pooled: boolean; memoryBytes: number } {
  const whole = Math.ceil(length / blockBytes) * blockBytes;
  const pooled = buffers !== undefined && length >= whole * POOLED_SHARE;
  return { pooled, memoryBytes: pooled ? whole : length };
}

/** Memory that a run takes while it is cached. */
export function runMemory(
  buffers: BlockBuffers | undefined,
  blockBytes: number,
  { start, end }: Pick<BlockRun, "start" | "end">,
): number {
  return pooling(buffers, blockBytes, end - start).memoryBytes;
}

/** The run's bytes; undefined where the store has no such object. */
export async function loadRun(
  store: ObjectStore,
  buffers: BlockBuffers | undefined,
  blockBytes: number,
  { key, start, end }: BlockRun,
  options: CallOptions,
): Promise<LoadedRun | undefined> {
  const count = Math.ceil((end - start) / blockBytes);
  if (buffers === undefined || !pooling(buffers, blockBytes, end - start).pooled) {
    const bytes = await store.get(key, { start, end }, options);
    return bytes && { parts: [bytes], giveBack: undefined };
  }
  const pooled = Array.from({ length: count }, () => buffers.acquire());
  const parts = pooled.map((buffer, index) =>
    buffer.subarray(0, Math.min(blockBytes, end - start - index * blockBytes))
  );
  let length: number | undefined;
  try {
    length = await store.getInto!(key, start, parts, options);
  } catch (error) {
    // The store may still write into them.
    for (const buffer of pooled) buffers.forget(buffer);
    throw error;
  }
  const giveBack = () => {
    for (const buffer of pooled) buffers.release(buffer);
  };
  if (length === end - start) return { parts, giveBack };
  giveBack();
  return length === undefined ? undefined : { parts: [], giveBack: undefined };
}

/** Memory that stays alive for the sake of `parts`. */
export function costOf(parts: readonly Uint8Array[]): number {
  const buffers = new Set<ArrayBufferLike>();
  let bytes = 0;
  for (const part of parts) {
    if (buffers.has(part.buffer)) continue;
    buffers.add(part.buffer);
    bytes += part.buffer.byteLength;
  }
  return bytes;
}
