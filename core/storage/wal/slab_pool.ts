import { invariant } from "../../runtime/assert.ts";

/** One slab; a power of two, so that a position in a slot maps to a slab by shifting. */
export const SLAB_BYTES = 1 << 20;

/**
 * Fixed-size buffers that commits are filled into and fetches are served from. Reuse keeps resident
 * memory flat: a fresh buffer per commit leaves the garbage collector a gigabyte a second to find.
 */
export class SlabPool {
  readonly #free: Uint8Array[] = [];
  #outside = 0;

  /** Keeps at most `idleMax` slabs for reuse; the rest goes to the garbage collector. */
  constructor(readonly idleMax: number, readonly slabBytes = SLAB_BYTES) {}

  get outside(): number {
    return this.#outside;
  }

  /** Kept for reuse, and given out. */
  get bytes(): number {
    return this.idleBytes + this.#outside * this.slabBytes;
  }

  /** Kept for reuse. */
  get idleBytes(): number {
    return this.#free.length * this.slabBytes;
  }

  acquire(): Uint8Array {
    this.#outside++;
    return this.#free.pop() ?? new Uint8Array(this.slabBytes);
  }

  /** Notes that a slab will not come back: somebody may still write into it. */
  forget(_slab: Uint8Array): void {
    this.#outside--;
  }

  /** Takes a slab back; nobody may read it any more. */
  release(slab: Uint8Array): void {
    invariant(slab.length === this.slabBytes, "only whole slabs come back to the pool");
    this.#outside--;
    if (this.#free.length < this.idleMax) this.#free.push(slab);
  }
}

/** Bytes gathered by copying into slabs, one behind the other. */
export class SlabBuffer {
  readonly slabs: Uint8Array[] = [];

  /** The first `bytes` are left free for a header. */
  constructor(readonly pool: SlabPool, public bytes = 0) {}

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
