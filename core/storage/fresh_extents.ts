import type { Extent } from "./extent.ts";

/** The newest extents that were added, up to so many bytes of them. */
export class FreshExtents {
  /** Oldest first. */
  readonly #extents = new Set<Extent>();
  #bytes = 0;

  constructor(readonly bytesMax: number) {}

  add(extent: Extent): void {
    this.#extents.add(extent);
    this.#bytes += extent.costBytes;
    for (const oldest of this.#extents) {
      if (this.#bytes <= this.bytesMax) break;
      this.delete(oldest);
    }
  }

  has(extent: Extent): boolean {
    return this.#extents.has(extent);
  }

  delete(extent: Extent): void {
    if (this.#extents.delete(extent)) this.#bytes -= extent.costBytes;
  }
}
