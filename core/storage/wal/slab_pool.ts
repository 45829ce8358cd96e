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
  constructor(readonly idleMax: number) {}

  get outside(): number {
    return this.#outside;
  }

  acquire(): Uint8Array {
    this.#outside++;
    return this.#free.pop() ?? new Uint8Array(SLAB_BYTES);
  }

  /** Notes that a slab will not come back: somebody may still write into it. */
  forget(_slab: Uint8Array): void {
    this.#outside--;
  }

  /** Takes a slab back; nobody may read it any more. */
  release(slab: Uint8Array): void {
    invariant(slab.length === SLAB_BYTES, "only whole slabs come back to the pool");
    this.#outside--;
    if (this.#free.length < this.idleMax) this.#free.push(slab);
  }
}
