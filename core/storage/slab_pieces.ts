import { invariant } from "../runtime/assert.ts";
import { SLAB_BYTES, type Slabs } from "./wal/slab_pool.ts";

/** Buffers of any size up to a slab, lent out. */
export interface Pieces {
  acquire(bytes: number): Uint8Array;
  /** Takes a piece back; nobody may read it any more. */
  release(piece: Uint8Array): void;
  /** Notes that a piece will not come back: somebody may still write into it. */
  forget(piece: Uint8Array): void;
}

/** A slab that pieces are cut from, front to back. */
interface Cut {
  readonly slab: Uint8Array;
  used: number;
  /** Pieces that are in use. */
  pieces: number;
  /** Whether somebody may still write into a piece that did not come back. */
  lost: boolean;
}

/**
 * Pieces for what is too small to have slabs or blocks of its own. They are cut one behind the
 * other, and a slab goes back when all its pieces have: so they suit what goes about in the order
 * in which it came, as it does from a cache.
 */
export class SlabPieces implements Pieces {
  readonly #cuts = new Map<ArrayBufferLike, Cut>();
  #open: Cut | undefined;
  #usedBytes = 0;

  constructor(readonly slabs: Slabs) {}

  /** In slabs that are cut, and not in use. */
  get idleBytes(): number {
    return this.#cuts.size * SLAB_BYTES - this.#usedBytes;
  }

  acquire(bytes: number): Uint8Array {
    invariant(bytes > 0 && bytes <= SLAB_BYTES, "a piece is no larger than a slab");
    let cut = this.#open;
    if (cut === undefined || cut.used + bytes > SLAB_BYTES) {
      // Before a slab is asked for: that may bring pieces back.
      this.#open = undefined;
      if (cut?.pieces === 0) this.#close(cut);
      cut = { slab: this.slabs.acquire(), used: 0, pieces: 0, lost: false };
      this.#cuts.set(cut.slab.buffer, cut);
      this.#open = cut;
    }
    const piece = cut.slab.subarray(cut.used, cut.used + bytes);
    cut.used += bytes;
    cut.pieces++;
    this.#usedBytes += bytes;
    return piece;
  }

  release(piece: Uint8Array): void {
    this.#back(piece);
  }

  forget(piece: Uint8Array): void {
    this.#back(piece, true);
  }

  #back(piece: Uint8Array, lost = false): void {
    const cut = this.#cuts.get(piece.buffer);
    invariant(cut !== undefined, "a piece comes back to the slabs that it is of");
    cut.pieces--;
    cut.lost ||= lost;
    this.#usedBytes -= piece.length;
    if (cut.pieces > 0) return;
    if (cut !== this.#open) this.#close(cut);
    else if (!cut.lost) cut.used = 0;
  }

  #close(cut: Cut): void {
    this.#cuts.delete(cut.slab.buffer);
    if (cut.lost) this.slabs.forget(cut.slab);
    else this.slabs.release(cut.slab);
  }
}
