/**
 * `.index` beside a `.kfs`: where batches start, one entry per interval (big-endian):
 *
 * ```
 *  0         4         6           10             14      16
 *  ┌─────────┬─────────┬───────────┬──────────────┬───────┬────────────────────────────────────┐
 *  │ "IDX\0" │ u16 = 1 │ i32 count │ i32 interval │ u16 0 │ count × (i64 base offset, i32 pos) │
 *  └─────────┴─────────┴───────────┴──────────────┴───────┴────────────────────────────────────┘
 * ```
 * Positions are absolute in the `.kfs`; the first entry is the first batch. Compatibility-
 * sensitive: tests/storage/segment_format_test.ts pins its bytes.
 */
import { MalformedError, Reader, Writer } from "../../bytes/mod.ts";
import { invariant } from "../../runtime/assert.ts";
import { SEGMENT_HEADER_BYTES } from "./kfs.ts";

export const INDEX_HEADER_BYTES = 16;
export const INDEX_ENTRY_BYTES = 12;
const MAGIC = 0x49445800;
const VERSION = 1;

export interface SegmentIndexEntry {
  /** Of a batch. */
  readonly baseOffset: number;
  /** Where the batch starts in the `.kfs`. */
  readonly position: number;
}

/** A parsed index: 12 bytes an entry, both columns ascending. */
export interface SegmentIndex {
  readonly baseOffsets: Float64Array;
  readonly positions: Int32Array;
  readonly intervalBytes: number;
}

/** `entries` ascend, and the first one is the segment's first batch. */
export function encodeIndex(
  entries: readonly SegmentIndexEntry[],
  intervalBytes: number,
): Uint8Array {
  invariant(entries[0]?.position === SEGMENT_HEADER_BYTES, "an index starts at the first batch");
  const out = new Writer(INDEX_HEADER_BYTES + entries.length * INDEX_ENTRY_BYTES);
  out.uint32(MAGIC);
  out.uint16(VERSION);
  out.int32(entries.length);
  out.int32(intervalBytes);
  out.uint16(0);
  let last: SegmentIndexEntry | undefined;
  for (const entry of entries) {
    if (last !== undefined) {
      invariant(entry.baseOffset > last.baseOffset, "index offsets must ascend");
      invariant(entry.position > last.position, "index positions must ascend");
    }
    out.int64(entry.baseOffset);
    out.int32(entry.position);
    last = entry;
  }
  return out.toBytes();
}

/** The entries of an index: the first batch, then one per `intervalBytes` at most. */
export interface ThinnedIndex {
  readonly entries: readonly SegmentIndexEntry[];
  /** Takes each batch of the segment, in order. */
  add(baseOffset: number, position: number): void;
}

export function thinnedIndex(intervalBytes: number): ThinnedIndex {
  const entries: SegmentIndexEntry[] = [];
  return {
    entries,
    add: (baseOffset, position) => {
      const last = entries.at(-1);
      if (last !== undefined && position - last.position < intervalBytes) return;
      entries.push({ baseOffset, position });
    },
  };
}

/** Reads and verifies an index. */
export function decodeIndex(bytes: Uint8Array): SegmentIndex {
  const input = new Reader(bytes);
  if (input.uint32() !== MAGIC) throw new MalformedError("index does not start with IDX");
  const version = input.uint16();
  if (version !== VERSION) {
    throw new MalformedError(`index has version ${version}, which is not known here`);
  }
  const count = input.int32();
  const intervalBytes = input.int32();
  input.uint16();
  if (count < 1 || input.remaining !== count * INDEX_ENTRY_BYTES) {
    throw new MalformedError("index length does not match its entry count");
  }
  const baseOffsets = new Float64Array(count);
  const positions = new Int32Array(count);
  let lastOffset = -1;
  let lastPosition = SEGMENT_HEADER_BYTES - 1;
  for (let at = 0; at < count; at++) {
    const baseOffset = input.int64();
    const position = input.int32();
    if (baseOffset <= lastOffset || position <= lastPosition) {
      throw new MalformedError("index entries do not ascend");
    }
    baseOffsets[at] = lastOffset = baseOffset;
    positions[at] = lastPosition = position;
  }
  if (positions[0] !== SEGMENT_HEADER_BYTES) {
    throw new MalformedError("index does not start at the first batch");
  }
  return { baseOffsets, positions, intervalBytes };
}

/**
 * Where to start reading for `offset`: the position of the greatest entry whose base offset is at
 * most that; the first entry's below all.
 */
export function positionFor(index: SegmentIndex, offset: number): number {
  const { baseOffsets, positions } = index;
  let low = 0;
  let high = baseOffsets.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (baseOffsets[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return positions[low]!;
}
