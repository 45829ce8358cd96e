/** Bytes on loan: valid until `release`, which is called once. */
export interface Lease {
  readonly parts: readonly Uint8Array[];
  release(): void;
}

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
