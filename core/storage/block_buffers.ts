/** Bringing a run of blocks from the store, into reused buffers where store and size allow it. */
import { invariant } from "../runtime/assert.ts";
import type { CallOptions, ObjectStore } from "./object_store.ts";
import { SLAB_BYTES, type Slabs } from "./wal/slab_pool.ts";

/** Buffers of one block each, for stores that read into the caller's. */
export interface BlockBuffers extends Slabs {
  /** Memory that is kept and not in use, since it shares a slab with what is. */
  readonly idleBytes: number;
}

/** A slab that is cut into blocks. */
interface Cut {
  readonly slab: Uint8Array;
  readonly free: Uint8Array[];
  /** Of its blocks, those that do not come back. */
  lost: number;
}

/**
 * Slabs cut into blocks, so that what commits were written from and what is read share one store of
 * memory. A slab goes back when all its blocks have.
 */
export class BlockPool implements BlockBuffers {
  readonly #cuts = new Map<ArrayBufferLike, Cut>();
  /** With blocks to give. */
  readonly #open = new Set<Cut>();
  #free = 0;

  constructor(readonly slabs: Slabs, readonly blockBytes: number) {
    invariant(SLAB_BYTES % blockBytes === 0, "a slab is cut into whole blocks");
  }

  /** In slabs that are cut, and not in use. */
  get idleBytes(): number {
    return this.#free * this.blockBytes;
  }

  acquire(): Uint8Array {
    let [cut] = this.#open;
    if (cut === undefined) cut = this.#cut();
    const block = cut.free.pop()!;
    if (cut.free.length === 0) this.#open.delete(cut);
    this.#free--;
    return block;
  }

  release(block: Uint8Array): void {
    const cut = this.#cuts.get(block.buffer);
    invariant(cut !== undefined, "a block comes back to the pool that it is of");
    cut.free.push(block);
    this.#free++;
    this.#open.add(cut);
    this.#close(cut);
  }

  forget(block: Uint8Array): void {
    const cut = this.#cuts.get(block.buffer);
    invariant(cut !== undefined, "a block is forgotten by the pool that it is of");
    cut.lost++;
    this.#close(cut);
  }

  #cut(): Cut {
    const slab = this.slabs.acquire();
    const cut: Cut = { slab, free: [], lost: 0 };
    for (let at = 0; at < SLAB_BYTES; at += this.blockBytes) {
      cut.free.push(slab.subarray(at, at + this.blockBytes));
    }
    this.#free += cut.free.length;
    this.#cuts.set(slab.buffer, cut);
    this.#open.add(cut);
    return cut;
  }

  /** Gives a slab back once none of its blocks is in use. */
  #close(cut: Cut): void {
    const { slab, free, lost } = cut;
    if ((free.length + lost) * this.blockBytes < SLAB_BYTES) return;
    this.#free -= free.length;
    this.#cuts.delete(slab.buffer);
    this.#open.delete(cut);
    if (lost > 0) this.slabs.forget(slab);
    else this.slabs.release(slab);
  }
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
