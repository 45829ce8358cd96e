/** Reused buffers for runs of blocks that are brought from the store. */
import { invariant } from "../runtime/assert.ts";
import { SLAB_BYTES, type Slabs } from "./wal/slab_pool.ts";

/** Buffers of one block each, for stores that read into the caller's. */
export interface BlockBuffers extends Slabs {
  /** Memory that is kept and not in use, since it shares a slab with what is. */
  readonly idleBytes: number;
  readonly blockBytes: number;
  /** Blocks that can be given without another slab. */
  readonly free: number;
  /** Called before another slab is cut: whoever can spare a block may release it. */
  onEmpty: (() => void) | undefined;
  /** Smaller ones, for what does not fill a block. */
  readonly rests?: BlockBuffers;
  /** Uncut ones, for what fills one: the fewer parts bytes lie in, the fewer calls move them. */
  readonly slabs?: Slabs;
}

/** Buffers for the rests of objects: half of one is wasted on each. */
const REST_BLOCK_BYTES = 32 << 10;

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
  onEmpty: (() => void) | undefined;
  readonly rests?: BlockPool;

  constructor(readonly slabs: Slabs, readonly blockBytes: number) {
    invariant(SLAB_BYTES % blockBytes === 0, "a slab is cut into whole blocks");
    if (blockBytes > REST_BLOCK_BYTES) this.rests = new BlockPool(slabs, REST_BLOCK_BYTES);
  }

  get free(): number {
    return this.#free;
  }

  /** In slabs that are cut, and not in use. */
  get idleBytes(): number {
    return this.#free * this.blockBytes + (this.rests?.idleBytes ?? 0);
  }

  acquire(): Uint8Array {
    if (this.#free === 0) this.onEmpty?.();
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
    // The first comes last, and is taken first: those that follow each other can be filled at once.
    for (let end = SLAB_BYTES; end > 0; end -= this.blockBytes) {
      cut.free.push(slab.subarray(end - this.blockBytes, end));
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

/** Buffers for `length` bytes. */
export class RunBuffers {
  readonly parts: Uint8Array[] = [];
  readonly #taken: { from: Slabs; buffer: Uint8Array }[] = [];

  constructor(buffers: BlockBuffers, length: number) {
    const { blockBytes, rests = buffers, slabs = buffers } = buffers;
    for (let at = 0; at < length; at += this.parts.at(-1)!.length) {
      const rest = length - at;
      const from = rest >= SLAB_BYTES ? slabs : rest >= blockBytes ? buffers : rests;
      const buffer = from.acquire();
      this.#taken.push({ from, buffer });
      this.parts.push(buffer.subarray(0, length - at));
    }
  }

  release(): void {
    for (const { from, buffer } of this.#taken) from.release(buffer);
  }

  forget(): void {
    for (const { from, buffer } of this.#taken) from.forget(buffer);
  }
}

/** Memory that a run of so many bytes takes while it is cached. */
export function runMemory(buffers: BlockBuffers | undefined, length: number): number {
  if (buffers === undefined) return length;
  const { blockBytes, rests = buffers } = buffers;
  const rest = length % blockBytes;
  return length - rest + Math.ceil(rest / rests.blockBytes) * rests.blockBytes;
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
