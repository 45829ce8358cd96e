/**
 * Reads record batches out of `.kfs` segments: the index tells where to start, batch headers tell
 * where batches end; blocks come from the shared cache.
 */
import { Gather, MalformedError } from "../bytes/mod.ts";
import type { BlockCache, CacheLease, ReadHints } from "../storage/block_cache.ts";
import { indexKey, segmentKey } from "../storage/keys.ts";
import type { ReadAhead } from "../storage/read_ahead.ts";
import type { SegmentInfo } from "../storage/manifest.ts";
import { type ObjectStore, StoreError } from "../storage/object_store.ts";
import {
  decodeIndex,
  positionFor,
  SEGMENT_FOOTER_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentIndex,
} from "../storage/segment/mod.ts";
import { BATCH_HEADER_BYTES } from "../protocol/record_batch.ts";
import { emptyScan, scanBatch } from "./batch_scan.ts";

/** An object that the manifest names is gone: the manifest at hand is no longer the newest. */
export class SegmentGoneError extends StoreError {
  override name = "SegmentGoneError";

  constructor(message: string) {
    super("retry", message);
  }
}

/** Headers are looked for in windows of this size, so that a scan holds little of a segment. */
const SCAN_BYTES = 1 << 20;

/** Where a read of a segment as large as that ended: a sequential reader goes on from there. */
interface Place {
  readonly segmentBytes: number;
  readonly offset: number;
  readonly position: number;
}

/** Whole batches of one segment. */
export interface SegmentRead extends CacheLease {
  readonly bytes: number;
  /** Where they end in the segment. */
  readonly end: number;
  /** Nothing of the segment is left behind them. */
  readonly last: boolean;
  /** They begin where an earlier read ended, or where the segment does. */
  readonly inOrder: boolean;
}

/** The index of a segment as large as that: a merge replaces both. */
interface KnownIndex {
  readonly segmentBytes: number;
  index: SegmentIndex | Promise<SegmentIndex>;
}

/**
 * Whether a replica that is behind may serve it: a segment has one content for ever, and its index
 * changes only in how dense it is, but for those that took the key of what was merged into them
 * (docs/decisions/0006).
 */
function hints({ merged }: SegmentInfo): ReadHints {
  return { staleOk: !merged };
}

const NOTHING: SegmentRead = {
  parts: [],
  bytes: 0,
  end: 0,
  last: false,
  inOrder: false,
  release: () => {},
};

export class SegmentReader {
  /** Parsed indexes by key, least recently used first; bounded by count. */
  readonly #indexes = new Map<string, KnownIndex>();
  /** Where the last read of a segment ended, by its key, oldest first; bounded by count, too. */
  readonly #ends = new Map<string, Place>();

  constructor(
    readonly store: ObjectStore,
    readonly cache: BlockCache,
    readonly ahead: ReadAhead,
    readonly indexesMax: number,
  ) {}

  /**
   * Whole batches from the one that holds `offset` on, at most `maxBytes`, but at least one batch
   * where `atLeastOne`; nothing where every batch of the segment ends below `offset`.
   */
  async read(
    prefix: string,
    segment: SegmentInfo,
    offset: number,
    maxBytes: number,
    atLeastOne: boolean,
    signal: AbortSignal,
  ): Promise<SegmentRead> {
    const bodyEnd = segment.bytes - SEGMENT_FOOTER_BYTES;
    const key = segmentKey(prefix, segment.baseOffset);
    const known = this.#knownPosition(key, segment, offset);
    let from = known ?? positionFor(await this.#index(prefix, segment), offset);
    let want = Math.max(maxBytes, BATCH_HEADER_BYTES);
    const batch = emptyScan();
    for (;;) {
      const lease = await this.#lease(key, segment, from, Math.min(bodyEnd, from + want), signal);
      const bytes = new Gather(lease.parts, from);
      let at = from;
      while (scanBatch(bytes, at, batch) && batch.lastOffset < offset) at = batch.end;
      if (at >= bodyEnd) return lease.release(), NOTHING;
      const start = at;
      let next = offset;
      while (
        scanBatch(bytes, at, batch) && batch.end <= bytes.end && batch.end - start <= maxBytes
      ) {
        at = batch.end;
        next = batch.lastOffset + 1;
      }
      if (at > start) {
        this.#endedAt(key, { segmentBytes: segment.bytes, offset: next, position: at });
        const parts = bytes.slice(start, at);
        return {
          ...{ parts, bytes: at - start, end: at, last: at >= bodyEnd },
          ...{ inOrder: known !== undefined, release: lease.release },
        };
      }
      lease.release();
      const whole = start + BATCH_HEADER_BYTES <= bytes.end;
      if (start === from) {
        // The window ended inside of the first wanted batch: widen it and look again.
        const broken = !whole || batch.end > bodyEnd || batch.end <= start;
        if (broken) throw new MalformedError("segment holds a broken batch");
        if (!atLeastOne && batch.end - start > maxBytes) return NOTHING;
        want = batch.end - start;
        maxBytes = Math.max(maxBytes, want);
      }
      from = start;
    }
  }

  /**
   * Starts to bring what a reader in order asks for next, up to `bytes` from `position` of the
   * first of these segments on; where calls are dear, with so much more as one of them may bring.
   */
  readOn(
    prefix: string,
    segments: readonly SegmentInfo[],
    position: number,
    bytes: number,
    signal: AbortSignal,
  ): void {
    const { callsAreDear, readAheadBytes } = this.cache;
    if (!this.cache.mayWiden || !this.ahead.admits(prefix)) return;
    let from = position;
    let rest = Math.min(bytes, readAheadBytes);
    for (const segment of segments) {
      const end = Math.min(segment.bytes - SEGMENT_FOOTER_BYTES, from + rest);
      const key = segmentKey(prefix, segment.baseOffset);
      if (end > from) {
        if (callsAreDear && segment !== segments[0]) this.prefetch(prefix, segment, signal);
        else this.ahead.start(key, segment.bytes, from, end, signal, hints(segment));
        rest -= end - from;
      }
      if (rest === 0) return;
      from = SEGMENT_HEADER_BYTES;
    }
  }

  /**
   * Starts to bring the front of a segment, the `nth` behind the reader's, into memory; the farther
   * it is, the more room there must be. Faults are the reader's.
   */
  prefetch(prefix: string, segment: SegmentInfo, signal: AbortSignal, nth = 1): void {
    const key = segmentKey(prefix, segment.baseOffset);
    const end = Math.min(segment.bytes, this.cache.readAheadBytes);
    this.ahead.start(key, segment.bytes, 0, end, signal, hints(segment), nth);
  }

  /** All batch headers of the segment, in order, until `visit` returns false. */
  async scan(
    prefix: string,
    segment: SegmentInfo,
    visit: (batch: Readonly<ReturnType<typeof emptyScan>>) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const key = segmentKey(prefix, segment.baseOffset);
    const end = segment.bytes - SEGMENT_FOOTER_BYTES;
    const batch = emptyScan();
    for (let at = SEGMENT_HEADER_BYTES; at < end;) {
      const from = at;
      const lease = await this.#lease(key, segment, from, Math.min(end, from + SCAN_BYTES), signal);
      try {
        const bytes = new Gather(lease.parts, from);
        for (; at < bytes.end && scanBatch(bytes, at, batch); at = batch.end) {
          if (batch.end <= at) throw new MalformedError("segment holds a broken batch");
          if (!visit(batch)) return;
        }
      } finally {
        lease.release();
      }
      if (at === from) throw new MalformedError("segment ends inside of a batch header");
    }
  }

  forget(prefix: string, baseOffset: number): void {
    const key = segmentKey(prefix, baseOffset);
    this.#indexes.delete(indexKey(prefix, baseOffset));
    this.#ends.delete(key);
    this.cache.invalidate(key);
  }

  /** Without the index: the segment's start, or where a reader was that comes back. */
  #knownPosition(key: string, segment: SegmentInfo, offset: number): number | undefined {
    if (offset <= segment.baseOffset) return SEGMENT_HEADER_BYTES;
    const end = this.#ends.get(key);
    return end?.segmentBytes === segment.bytes && end.offset === offset ? end.position : undefined;
  }

  #endedAt(key: string, place: Place): void {
    this.#ends.delete(key);
    this.#ends.set(key, place);
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= this.indexesMax) break;
      this.#ends.delete(oldest);
    }
  }

  async #lease(
    key: string,
    segment: SegmentInfo,
    start: number,
    end: number,
    signal: AbortSignal,
  ): Promise<CacheLease> {
    const { bytes } = segment;
    const lease = await this.cache.read(key, bytes, start, end, signal, hints(segment));
    if (lease === undefined) throw new SegmentGoneError("segment object is gone");
    return lease;
  }

  #index(prefix: string, segment: SegmentInfo): SegmentIndex | Promise<SegmentIndex> {
    const key = indexKey(prefix, segment.baseOffset);
    const known = this.#indexes.get(key);
    if (known?.segmentBytes === segment.bytes) {
      this.#indexes.delete(key);
      this.#indexes.set(key, known);
      return known.index;
    }
    const loading = this.#loadIndex(key, hints(segment)).then(
      (index) => entry.index = index,
      (error) => {
        if (this.#indexes.get(key) === entry) this.#indexes.delete(key);
        throw error;
      },
    );
    const entry: KnownIndex = { segmentBytes: segment.bytes, index: loading };
    this.#indexes.set(key, entry);
    for (const oldest of this.#indexes.keys()) {
      if (this.#indexes.size <= this.indexesMax) break;
      this.#indexes.delete(oldest);
    }
    return loading;
  }

  /** Shared by all who wait for it, so nobody's signal aborts it. */
  async #loadIndex(key: string, { staleOk = false }: ReadHints): Promise<SegmentIndex> {
    const bytes = await this.store.get(key, undefined, { staleOk });
    if (bytes === undefined) throw new SegmentGoneError("segment index is gone");
    return decodeIndex(bytes);
  }
}
