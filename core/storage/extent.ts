/** What the block cache holds of an object, what it lends of it, and what it counts. */

/** Consecutive bytes of one object in memory: a whole inserted object, or a run of blocks. */
export interface Extent {
  readonly key: string;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** Empty while loading. */
  parts: readonly Uint8Array[];
  costBytes: number;
  /** Readers; while there are any, it stays. */
  leases: number;
  /** Set while loading: settles when `parts` are there, false when the object is not. */
  loading: Promise<boolean> | undefined;
  abort: AbortController | undefined;
  onEvict: (() => void) | undefined;
  /** Brought before anybody asked for it, and not read since. */
  ahead: boolean;
  /** No longer found by readers; gone when the last lease ends. */
  detached: boolean;
}

/** Held by nobody yet; what is left out is as of one that is there. */
export function newExtent(
  given: Pick<Extent, "key" | "start" | "end" | "parts" | "costBytes"> & Partial<Extent>,
): Extent {
  const nothing = { loading: undefined, abort: undefined, onEvict: undefined };
  return { ...nothing, leases: 0, ahead: false, detached: false, ...given };
}

export interface CachedObject {
  whole: Extent | undefined;
  sizeWhenLoaded: number | undefined;
  /** By block index; an extent of several blocks is in here several times. */
  readonly blocks: Map<number, Extent>;
}

/** Bytes on loan: valid until `release`, which is called once. */
export interface CacheLease {
  readonly parts: readonly Uint8Array[];
  release(): void;
}

export interface BlockCacheStats {
  /** Blocks, or whole inserted objects, that a read found in memory. */
  readonly hits: number;
  /** Blocks that a read had to wait for. */
  readonly misses: number;
  /** GETs, and what they brought. */
  readonly loads: number;
  readonly loadedBytes: number;
  /** Memory in the cache now, on loan and being loaded included. */
  readonly bytes: number;
  /** Of that, what readers hold; with what they hold of invalidated objects. */
  readonly leasedBytes: number;
}

/** `[start, end)` of the object, as views of extents that cover it in order. */
export function partsOf(extents: readonly Extent[], start: number, end: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (const extent of extents) {
    let at = extent.start;
    for (const part of extent.parts) {
      const from = Math.max(0, start - at);
      const to = Math.min(part.length, end - at);
      if (from < to) parts.push(part.subarray(from, to));
      at += part.length;
      if (at >= end) break;
    }
  }
  return parts;
}
