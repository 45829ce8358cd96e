/**
 * One cache of object bytes for the whole broker, bounded by bytes. It holds freshly committed WAL
 * slots as they were written (`insert`) and blocks that were read from the store (`read`).
 *
 * - Least recently used goes first. What a reader holds is never evicted, so the bound is the
 *   larger of the capacity and of what is on loan or being loaded; callers bound the latter.
 * - The newest inserted objects stay, up to a share of the capacity on top of that: readers at the
 *   tail come for them, and must not go to the store because others who catch up hold the rest.
 * - Concurrent readers of a block share one GET, which is given up only when all of them are.
 * - Cost is counted in whole buffers: a view of one byte into a slab costs the slab.
 */
import { MalformedError } from "../bytes/mod.ts";
import { deferred, invariant, unlessAborted } from "../runtime/mod.ts";
import { costOf, type LoadedRun, runMemory } from "./block_buffers.ts";
import {
  AHEAD_SHARE,
  type BlockCacheOptions,
  ENTRY_BYTES,
  FRESH_SHARE,
  READ_AHEAD_BYTES,
  READ_AHEAD_SHARE,
  type ReadHints,
  WIDENED_SHARE,
} from "./block_cache_options.ts";
import { CacheMemory } from "./cache_memory.ts";
import {
  type BlockCacheStats,
  type CachedObject,
  type CacheLease,
  type Extent,
  newExtent,
  partsOf,
} from "./extent.ts";
import { FreshExtents } from "./fresh_extents.ts";
import { JoinedLoads } from "./joined_loads.ts";

export type { BlockBuffers } from "./block_buffers.ts";
export type { BlockCacheOptions, ReadHints } from "./block_cache_options.ts";
export type { BlockCacheStats, CacheLease } from "./extent.ts";

export class BlockCache {
  /** Whether the store would rather bring much at a time than little. */
  readonly callsAreDear: boolean;
  readonly #memory: CacheMemory;
  readonly #blockBytes: number;
  readonly #aheadBlocks: number;
  readonly #loader: JoinedLoads;
  readonly #objects = new Map<string, CachedObject>();
  /** All extents that readers find, least recently used first. */
  readonly #recency = new Set<Extent>();
  readonly #fresh: FreshExtents;
  #leasedBytes = 0;
  #loadingBytes = 0;
  #aheadBytes = 0;
  #hits = 0;
  #misses = 0;
  #loads = 0;
  #loadedBytes = 0;

  constructor(options: BlockCacheOptions) {
    invariant(options.blockBytes > 0, "blocks must have a size");
    const { store } = options;
    const buffers = store.getInto === undefined ? undefined : options.buffers;
    const memory = this.#memory = new CacheMemory(options, buffers);
    memory.whenShort((slabBytes, enough) => this.#evict(slabBytes, enough));
    this.#loader = new JoinedLoads({
      store,
      buffers,
      bytesMax: READ_AHEAD_BYTES,
      onTaking: (bytes) => memory.untakenBytes -= runMemory(buffers, bytes),
      onTaken: () => this.#evict(),
    });
    this.#fresh = new FreshExtents(options.capacityBytes / FRESH_SHARE);
    this.#blockBytes = options.blockBytes;
    const { readAheadBytes: wanted = READ_AHEAD_BYTES } = options;
    this.callsAreDear = wanted >= READ_AHEAD_BYTES;
    const ahead = Math.min(wanted, options.capacityBytes / READ_AHEAD_SHARE);
    this.#aheadBlocks = Math.max(1, Math.floor(ahead / options.blockBytes));
  }

  /** What a sequential reader's misses are widened to, as far as the capacity allows. */
  get readAheadBytes(): number {
    return this.#aheadBlocks * this.#blockBytes;
  }

  /** Whether little enough is being loaded that more than was asked for may be. */
  get mayWiden(): boolean {
    return this.#loadingBytes + this.readAheadBytes <= this.#memory.capacityBytes / WIDENED_SHARE;
  }

  /** Bytes that may be brought now before anybody asks for them. */
  get aheadRoom(): number {
    const { capacityBytes, reservedBytes } = this.#memory;
    return (capacityBytes - reservedBytes) / AHEAD_SHARE - this.#aheadBytes;
  }

  get stats(): BlockCacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      loads: this.#loads,
      loadedBytes: this.#loadedBytes,
      bytes: this.#memory.bytes,
      leasedBytes: this.#leasedBytes,
    };
  }

  /**
   * Makes a whole object readable from the buffers that it was written from. They must not change
   * until `onEvict`, which is called exactly once, when nobody can read them any more.
   */
  insert(key: string, parts: readonly Uint8Array[], onEvict: () => void): void {
    this.#insert(key, parts, costOf(parts), onEvict);
  }

  /** The same for a small object, which is copied. */
  insertCopy(key: string, parts: readonly Uint8Array[]): void {
    const copies = parts.map((part) => part.slice());
    this.#insert(key, copies, costOf(copies) + ENTRY_BYTES, () => {});
  }

  #insert(
    key: string,
    parts: readonly Uint8Array[],
    costBytes: number,
    onEvict: () => void,
  ): void {
    const object = this.#objectOf(key);
    if (object.whole !== undefined) this.#detach(object.whole);
    let end = 0;
    for (const part of parts) end += part.length;
    const extent = newExtent({ key, start: 0, end, parts, costBytes, onEvict });
    this.#objectOf(key).whole = extent;
    this.#recency.add(extent);
    this.#memory.bytes += extent.costBytes;
    this.#fresh.add(extent);
    this.#evict();
  }

  /** `[start, end)` of the object if all of it is in memory, else undefined. Never waits. */
  tryRead(key: string, start: number, end: number): CacheLease | undefined {
    const found = this.#find(key, start, end);
    if (found === undefined || found.some(({ loading }) => loading !== undefined)) return undefined;
    this.#hits += found.length;
    for (const extent of found) this.#hold(extent);
    return this.#lend(found, start, end);
  }

  /** Whether all of it is in memory, or on its way there; it stays as if it had just been read. */
  keep(key: string, start: number, end: number): boolean {
    const found = this.#find(key, start, end);
    for (const extent of found ?? []) this.#refresh(extent);
    return found !== undefined;
  }

  #find(key: string, start: number, end: number): Extent[] | undefined {
    const object = this.#objects.get(key);
    const whole = object?.whole;
    if (whole !== undefined && end <= whole.end) return [whole];
    const found: Extent[] = [];
    for (let at = start; at < end; at = found.at(-1)!.end) {
      const extent = object?.blocks.get(Math.floor(at / this.#blockBytes));
      if (extent === undefined || extent.end <= at) return undefined;
      found.push(extent);
    }
    return found;
  }

  /**
   * `[start, end)` of an object of `size` bytes (another than before: it was replaced), cut at its
   * end; undefined where the store has none. StoreErrors pass through; the next read tries again.
   * An abort fails one read.
   */
  async read(
    key: string,
    size: number,
    start: number,
    end: number,
    signal?: AbortSignal,
    hints: ReadHints = {},
  ): Promise<CacheLease | undefined> {
    signal?.throwIfAborted();
    const to = Math.min(end, size);
    if (start >= to) return { parts: [], release: () => {} };
    if ((this.#objects.get(key)?.sizeWhenLoaded ?? size) !== size) this.invalidate(key);
    const now = this.tryRead(key, start, to);
    if (now !== undefined) return now;
    const found = this.#cover(key, size, start, to, hints);
    try {
      // Taken before the first wait: an extent that has failed meanwhile isn't loading any more.
      const loads = found.map((extent) => extent.loading);
      let present = true;
      for (const load of loads) {
        if (load !== undefined && !await unlessAborted(load, signal)) present = false;
      }
      if (present) return this.#lend(found, start, to);
    } catch (error) {
      for (const extent of found) this.#letGo(extent);
      throw error;
    }
    for (const extent of found) this.#letGo(extent);
    return undefined;
  }

  /** Forgets an object. Readers keep what they hold; running loads serve only who waits now. */
  invalidate(key: string): void {
    const object = this.#objects.get(key);
    if (object?.whole !== undefined) this.#detach(object.whole);
    for (const extent of new Set(object?.blocks.values())) this.#detach(extent);
  }

  /** Held extents that cover the range; missing ones start to load. */
  #cover(
    key: string,
    size: number,
    start: number,
    end: number,
    { staleOk = false, ahead = false, scattered = false }: ReadHints,
  ): Extent[] {
    const blockBytes = this.#blockBytes;
    const blocks = this.#objectOf(key).blocks;
    const last = Math.floor((end - 1) / blockBytes);
    const objectLast = Math.floor((size - 1) / blockBytes);
    const found: Extent[] = [];
    for (let block = Math.floor(start / blockBytes); block <= last;) {
      const known = blocks.get(block);
      if (known !== undefined) {
        if (known.loading === undefined) this.#hits++;
        else this.#misses++;
        found.push(this.#hold(known, ahead));
        block = Math.ceil(known.end / blockBytes);
        continue;
      }
      // A reader that comes from the block before is sequential: it gets more than it asked for.
      const sequential = !scattered && blocks.has(block - 1);
      const wanted = sequential ? Math.max(last, block + this.#aheadBlocks - 1) : last;
      const limit = Math.min(wanted, objectLast, block + this.#runBlocks() - 1);
      let until = block + 1;
      while (until <= limit && !blocks.has(until)) until++;
      this.#misses += Math.min(until, last + 1) - block;
      const extent = this.#load(key, block, until, size, staleOk);
      if (ahead) this.#aheadBytes += extent.costBytes;
      found.push(Object.assign(extent, { ahead }));
      block = until;
    }
    return found;
  }

  /** Blocks of one GET at most. */
  #runBlocks(): number {
    return Math.max(1, Math.floor(READ_AHEAD_BYTES / this.#blockBytes));
  }

  /** Starts to load blocks `[block, until)`; held by the caller. */
  #load(key: string, block: number, until: number, size: number, staleOk: boolean): Extent {
    const { blocks } = Object.assign(this.#objectOf(key), { sizeWhenLoaded: size });
    const start = block * this.#blockBytes;
    const end = Math.min(until * this.#blockBytes, size);
    const abort = new AbortController();
    const loaded = deferred<boolean>();
    loaded.promise.catch(() => {});
    const extent = newExtent({
      ...{ key, start, end, parts: [], costBytes: runMemory(this.#memory.buffers, end - start) },
      ...{ loading: loaded.promise, abort },
    });
    for (let at = block; at < until; at++) blocks.set(at, extent);
    this.#loads++;
    this.#memory.untakenBytes += extent.costBytes;
    const run = this.#loader.load({ key, start, end, staleOk, signal: abort.signal });
    this.#recency.add(extent);
    this.#memory.bytes += extent.costBytes;
    this.#loadingBytes += extent.costBytes;
    this.#hold(extent);
    const ended = () => {
      this.#loadingBytes -= extent.costBytes;
      extent.loading = undefined;
      extent.abort = undefined;
    };
    const settle = (run: LoadedRun | undefined) => {
      ended();
      if (run === undefined) return this.#fail(extent, () => loaded.resolve(false));
      const length = run.parts.reduce((sum, part) => sum + part.length, 0);
      if (length !== end - start) {
        const error = new MalformedError("object is shorter than its recorded size");
        return this.#fail(extent, () => loaded.reject(error));
      }
      this.#loadedBytes += length;
      extent.parts = run.parts;
      extent.onEvict = run.giveBack;
      // All who waited are gone, and nobody else can find it.
      if (extent.detached && extent.leases === 0) extent.onEvict?.();
      loaded.resolve(true);
    };
    run.then(settle, (error) => {
      ended();
      this.#fail(extent, () => loaded.reject(error));
    });
    return extent;
  }

  #fail(extent: Extent, tell: () => void): void {
    this.#detach(extent);
    tell();
  }

  #objectOf(key: string): CachedObject {
    const known = this.#objects.get(key);
    if (known !== undefined) return known;
    const object = { whole: undefined, sizeWhenLoaded: undefined, blocks: new Map() };
    this.#objects.set(key, object);
    return object;
  }

  #hold(extent: Extent, ahead = false): Extent {
    if (!ahead) this.#wanted(extent);
    if (extent.leases++ === 0) this.#leasedBytes += extent.costBytes;
    this.#refresh(extent);
    return extent;
  }

  #refresh(extent: Extent): void {
    if (extent.detached) return;
    this.#recency.delete(extent);
    this.#recency.add(extent);
  }

  /** It is not ahead of its reader any more, or never was. */
  #wanted(extent: Extent): void {
    if (extent.ahead) this.#aheadBytes -= extent.costBytes;
    extent.ahead = false;
  }

  #letGo(extent: Extent): void {
    invariant(extent.leases > 0, "a cache lease was released twice");
    if (--extent.leases > 0) return;
    this.#leasedBytes -= extent.costBytes;
    if (extent.loading !== undefined) {
      // Nobody waits any more.
      extent.abort?.abort();
      if (!extent.detached) this.#detach(extent);
    } else if (extent.detached) extent.onEvict?.();
    else this.#evict();
  }

  #lend(extents: readonly Extent[], start: number, end: number): CacheLease {
    let released = false;
    return {
      parts: partsOf(extents, start, end),
      release: () => {
        invariant(!released, "a cache lease was released twice");
        released = true;
        for (const extent of extents) this.#letGo(extent);
      },
    };
  }

  /** Takes an extent out of the readers' sight, and away altogether when nobody holds it. */
  #detach(extent: Extent): void {
    if (extent.detached) return;
    extent.detached = true;
    this.#recency.delete(extent);
    this.#fresh.delete(extent);
    this.#wanted(extent);
    this.#memory.bytes -= extent.costBytes;
    const object = this.#objects.get(extent.key);
    if (object !== undefined) {
      if (object.whole === extent) object.whole = undefined;
      else {
        const until = Math.ceil(extent.end / this.#blockBytes);
        for (let at = Math.floor(extent.start / this.#blockBytes); at < until; at++) {
          if (object.blocks.get(at) === extent) object.blocks.delete(at);
        }
      }
      if (object.whole === undefined && object.blocks.size === 0) this.#objects.delete(extent.key);
    }
    if (extent.leases === 0) extent.onEvict?.();
  }

  /** Keeps to the capacity, with `freshBytes` more, or until there is `enough` of what is kept. */
  #evict(freshBytes = 0, enough = () => false): void {
    if (this.#memory.overBytes(freshBytes) <= 0) return;
    for (const extent of this.#recency) {
      if (extent.leases > 0 || this.#fresh.has(extent)) continue;
      this.#detach(extent);
      if (enough() || this.#memory.overBytes(freshBytes) <= 0) return;
    }
  }
}
