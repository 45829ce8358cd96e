/** How much memory the block cache takes, of what it may: a slab counts whole, however little of it
 * is in use. */
import { SLABS_IDLE_MAX } from "../config/limits.ts";
import type { BlockBuffers } from "./block_buffers.ts";
import type { BlockCacheOptions } from "./block_cache_options.ts";
import { SLAB_BYTES, type SlabPool } from "./wal/slab_pool.ts";

/** What a cache counts its memory by. */
type Bounds = Pick<BlockCacheOptions, "capacityBytes" | "reservedBytes" | "slabs">;

export class CacheMemory {
  readonly capacityBytes: number;
  /** Of all extents that readers find. */
  bytes = 0;
  /** Of loads among these that have no buffers yet: they may get idle ones, which count already. */
  untakenBytes = 0;
  readonly #reservedBytes: () => number;
  readonly #slabs: SlabPool | undefined;

  constructor(
    { capacityBytes, reservedBytes, slabs }: Bounds,
    readonly buffers: BlockBuffers | undefined,
  ) {
    this.capacityBytes = capacityBytes;
    this.#reservedBytes = reservedBytes ?? (() => 0);
    this.#slabs = slabs;
  }

  /** Of the capacity, what is in use elsewhere: half of it at most. */
  get reservedBytes(): number {
    return Math.min(this.#reservedBytes(), this.capacityBytes / 2);
  }

  /** Above the capacity by, with `freshBytes` more; idle slabs are given up first. */
  overBytes(freshBytes = 0): number {
    const idle = this.buffers?.idleBytes ?? 0;
    const taken = this.bytes - this.untakenBytes + idle + this.reservedBytes + freshBytes;
    const over = taken - this.capacityBytes;
    return this.#slabs?.relieve(over, SLABS_IDLE_MAX) ?? over;
  }

  /**
   * Has `makeRoom` called before a slab is made, or one more cut, above the capacity: it gives up
   * extents until there is `enough`, or room for the slab. One block will mostly do: a slab comes
   * free as a whole only when all that lies in it, old or new, has been given up.
   */
  whenShort(makeRoom: (slabBytes: number, enough: () => boolean) => void): void {
    const slabs = this.#slabs;
    if (slabs !== undefined) slabs.onEmpty = () => makeRoom(SLAB_BYTES, () => slabs.idleBytes > 0);
    const { buffers } = this;
    for (const pool of buffers === undefined ? [] : [buffers, buffers.rests ?? buffers]) {
      pool.onEmpty = () => makeRoom(SLAB_BYTES, () => pool.free > 0);
    }
  }
}
