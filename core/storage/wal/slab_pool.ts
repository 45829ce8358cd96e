import { invariant } from "../../runtime/assert.ts";

/** One slab; a power of two, so that a position in a slot maps to a slab by shifting. */
export const SLAB_BYTES = 1 << 20;

/** Buffers of one size, lent out. */
export interface Slabs {
  acquire(): Uint8Array;
  /** Takes a slab back; nobody may read it any more. */
  release(slab: Uint8Array): void;
  /** Notes that a slab will not come back: somebody may still write into it. */
  forget(slab: Uint8Array): void;
}

/**
 * Fixed-size buffers that commits are filled into, that what is read goes to, and that fetches are
 * served from. Reuse keeps resident memory flat: a fresh buffer per commit leaves the garbage
 * collector a gigabyte a second to find, and it comes late for what lies outside of its heap.
 * A slab that is given up is detached: views of it that should not be there any more are empty.
 */
export class SlabPool implements Slabs {
  readonly #free: Uint8Array[] = [];
  #outside = 0;
  /** Called when none is idle, before a new one is made: whoever can spare some may release it. */
  onEmpty: (() => void) | undefined;

  /** Keeps at most `idleMax` slabs for reuse. */
  constructor(readonly idleMax: number, readonly slabBytes = SLAB_BYTES) {}

  get outside(): number {
    return this.#outside;
  }

  /** Kept for reuse. */
  get idleBytes(): number {
    return this.#free.length * this.slabBytes;
  }

  acquire(): Uint8Array {
    if (this.#free.length === 0) this.onEmpty?.();
    this.#outside++;
    return this.#free.pop() ?? new Uint8Array(this.slabBytes);
  }

  forget(_slab: Uint8Array): void {
    this.#outside--;
  }

  release(slab: Uint8Array): void {
    invariant(slab.length === this.slabBytes, "only whole slabs come back to the pool");
    this.#outside--;
    if (this.#free.length < this.idleMax) this.#free.push(slab);
    else giveUp(slab);
  }

  /**
   * Of memory that is `overBytes` above its bound without the idle slabs: gives up idle ones, but
   * for `kept`, and returns what is still over.
   */
  relieve(overBytes: number, kept: number): number {
    let over = overBytes + this.idleBytes;
    while (over > 0 && this.#free.length > kept) {
      giveUp(this.#free.pop()!);
      over -= this.slabBytes;
    }
    return over;
  }
}

/** Its memory goes back at once: the garbage collector would see a few bytes, and take its time. */
function giveUp(slab: Uint8Array): void {
  (slab.buffer as ArrayBuffer).transfer(0);
}

/** A part of a pool whose slabs are counted apart. */
export class SlabShare implements Slabs {
  #outside = 0;

  constructor(readonly pool: Slabs) {}

  get outsideBytes(): number {
    return this.#outside * SLAB_BYTES;
  }

  acquire(): Uint8Array {
    this.#outside++;
    return this.pool.acquire();
  }

  release(slab: Uint8Array): void {
    this.#outside--;
    this.pool.release(slab);
  }

  forget(slab: Uint8Array): void {
    this.#outside--;
    this.pool.forget(slab);
  }
}

/** Bytes gathered by copying into slabs, one behind the other. */
export class SlabBuffer {
  readonly slabs: Uint8Array[] = [];

  /** The first `bytes` are left free for a header. */
  constructor(readonly pool: Slabs, public bytes = 0) {}

  get bufferBytes(): number {
    return this.slabs.length * SLAB_BYTES;
  }

  /** Copies `bytes[start, end)` behind what is there; returns its position. */
  copyIn(bytes: Uint8Array, start: number, end: number): number {
    const position = this.bytes;
    let from = start;
    while (from < end) {
      const at = this.bytes & (SLAB_BYTES - 1);
      if (this.slabs.length * SLAB_BYTES <= this.bytes) this.slabs.push(this.pool.acquire());
      const slab = this.slabs[this.slabs.length - 1]!;
      const take = Math.min(end - from, SLAB_BYTES - at);
      slab.set(from === 0 && take === bytes.length ? bytes : bytes.subarray(from, from + take), at);
      this.bytes += take;
      from += take;
    }
    return position;
  }

  /** Everything, as views of the slabs. */
  parts(): Uint8Array[] {
    return this.slabs.map((slab, index) =>
      slab.subarray(0, Math.min(SLAB_BYTES, this.bytes - index * SLAB_BYTES))
    );
  }

  /**
   * The same with `tail` behind it, which is copied into the last slab where that has room: one
   * part less is one write less.
   */
  partsWith(tail: Uint8Array): Uint8Array[] {
    const parts = this.parts();
    const used = this.bytes - (this.slabs.length - 1) * SLAB_BYTES;
    if (this.slabs.length === 0 || used + tail.length > SLAB_BYTES) return [...parts, tail];
    const slab = this.slabs.at(-1)!;
    slab.set(tail, used);
    parts[parts.length - 1] = slab.subarray(0, used + tail.length);
    return parts;
  }

  /** Gives the slabs back; nobody may read the parts any more. */
  release(): void {
    for (const slab of this.slabs) this.pool.release(slab);
    this.slabs.length = 0;
  }
}
