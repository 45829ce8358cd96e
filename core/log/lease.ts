import type { CacheLease as Lease } from "../storage/block_cache.ts";

export type { CacheLease as Lease } from "../storage/block_cache.ts";

/** Several leases as one. */
export class LeaseSet {
  readonly #leases: Lease[] = [];
  #released = false;

  add(lease: Lease): readonly Uint8Array[] {
    if (this.#released) lease.release();
    else this.#leases.push(lease);
    return lease.parts;
  }

  /** Idempotent. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const lease of this.#leases) lease.release();
    this.#leases.length = 0;
  }
}
