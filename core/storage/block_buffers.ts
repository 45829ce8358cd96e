/** Bringing a run of blocks from the store, into reused buffers where store and size allow it. */
import { invariant } from "../runtime/assert.ts";
import type { CallOptions, ObjectStore } from "./object_store.ts";
import { type Pieces, SlabPieces } from "./slab_pieces.ts";
import { SLAB_BYTES, type Slabs } from "./wal/slab_pool.ts";

/** Buffers of one block each, for stores that read into the caller's. */
export interface BlockBuffers extends Slabs {
  /** Memory that is kept and not in use, since it shares a slab with what is. */
  readonly idleBytes: number;
  /** For what is smaller than a block. */
  readonly pieces: Pieces;
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
  readonly pieces: SlabPieces;

  constructor(readonly slabs: Slabs, readonly blockBytes: number) {
    invariant(SLAB_BYTES % blockBytes === 0, "a slab is cut into whole blocks");
    this.pieces = new SlabPieces(slabs);
  }

  /** In slabs that are cut, and not in use. */
  get idleBytes(): number {
    return this.#free * this.blockBytes + this.pieces.idleBytes;
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

/** Buffers for `length` bytes: whole blocks, and a piece for the rest. */
class RunBuffers {
  readonly blocks: readonly Uint8Array[];
  readonly rest: Uint8Array | undefined;

  constructor(readonly buffers: BlockBuffers, blockBytes: number, length: number) {
    const count = Math.floor(length / blockBytes);
    this.blocks = Array.from({ length: count }, () => buffers.acquire());
    const restBytes = length - count * blockBytes;
    this.rest = restBytes === 0 ? undefined : buffers.pieces.acquire(restBytes);
  }

  get parts(): readonly Uint8Array[] {
    return this.rest === undefined ? this.blocks : [...this.blocks, this.rest];
  }

  release(): void {
    for (const block of this.blocks) this.buffers.release(block);
    if (this.rest !== undefined) this.buffers.pieces.release(this.rest);
  }

  forget(): void {
    for (const block of this.blocks) this.buffers.forget(block);
    if (this.rest !== undefined) this.buffers.pieces.forget(this.rest);
  }
}

/** The run's bytes; undefined where the store has no such object. Takes its buffers at once. */
export async function loadRun(
  store: ObjectStore,
  buffers: BlockBuffers | undefined,
  blockBytes: number,
  { key, start, end }: BlockRun,
  options: CallOptions,
): Promise<LoadedRun | undefined> {
  if (buffers === undefined) {
    const bytes = await store.get(key, { start, end }, options);
    return bytes && { parts: [bytes], giveBack: undefined };
  }
  const taken = new RunBuffers(buffers, blockBytes, end - start);
  const { parts } = taken;
  let length: number | undefined;
  try {
    length = await store.getInto!(key, start, parts, options);
  } catch (error) {
    // The store may still write into them.
    taken.forget();
    throw error;
  }
  if (length === end - start) return { parts, giveBack: () => taken.release() };
  taken.release();
  return length === undefined ? undefined : { parts: [], giveBack: undefined };
}

/** A copy of all parts as one. */
export function joined(pieces: Pieces | undefined, parts: readonly Uint8Array[]): Uint8Array {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  const copy = pieces?.acquire(bytes) ?? new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    copy.set(part, at);
    at += part.length;
  }
  return copy;
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
