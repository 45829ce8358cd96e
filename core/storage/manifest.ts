/**
 * The checkpoint of one partition, version 2 (big-endian). Compatibility-sensitive: read N and N-1,
 * write N; a bump changes VERSION, keeps the old decoder, and adds a fixture.
 *
 * ```
 * header    8 B   "KMAN" | u16 version | u16 0
 * body            16 B topic id | i32 partition | i64 sequence | i64 written ms
 *                 i64 covered offset | i64 log start offset
 *                 u32 epochs,    each: i32 leader epoch | i64 start offset
 *                 u32 segments,  each: i64 base | i64 last | i64 bytes | i64 max timestamp
 *                                      u8 flags
 *                 u32 removed,   each: i64 base | i64 removed ms
 *                 u32 producers, each: i64 id | i16 epoch | i32 coordinator epoch | i64 timestamp
 *                                      i64 transaction start | u8 batches, each:
 *                                      i32 first sequence | i32 last sequence | i64 base | i64 last
 *                 u32 aborted,   each: i64 producer id | i64 first | i64 last | i64 last stable
 *                 u32 merges (0 or 1), each: i64 first base | i64 last base
 * trailer   8 B   u32 CRC-32C of header and body | "KMAE"
 * ```
 * Segment flags: 1: merged, the others 0. Version 1 has neither flags nor merges. Created
 * conditionally in sequence: a loser reloads the newest and goes on from it.
 */
import { crc32c, MalformedError, Reader, uuidBytes, uuidText, Writer } from "../bytes/mod.ts";

export const MANIFEST_VERSION = 2;
const OLDEST_VERSION = 1;
const MERGED_FLAG = 1;
const MAGIC = 0x4b4d414e; // "KMAN"
const END = 0x4b4d4145; // "KMAE"

export interface LeaderEpochStart {
  readonly leaderEpoch: number;
  readonly startOffset: number;
}

export interface SegmentInfo {
  readonly baseOffset: number;
  /** Inclusive. */
  readonly lastOffset: number;
  /** Size of the `.kfs` object. */
  readonly bytes: number;
  /** Negative: no record has a timestamp, and the value without its sign is when it was stored. */
  readonly maxTimestampMs: number;
  /**
   * Made of several, by replacing the object of the first one: a key is replaced once in its life,
   * so such a segment is never the first of another merge (docs/decisions/0005).
   */
  readonly merged: boolean;
}

/** Segments that are to become one, under the key of the first. */
export interface MergePlan {
  readonly firstBase: number;
  /** Base offset of the last of them. */
  readonly lastBase: number;
}

/** A segment that the log no longer names and whose objects are still to be deleted. */
export interface RemovedSegment {
  readonly baseOffset: number;
  readonly removedMs: number;
}

export interface ProducerBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  /** Inclusive. */
  readonly lastOffset: number;
}

export interface ProducerEntry {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly lastTimestampMs: number;
  /** First offset of the open transaction, or -1. */
  readonly transactionStartOffset: number;
  /** At most the last five, oldest first. */
  readonly batches: readonly ProducerBatch[];
}

export interface AbortedRange {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly lastStableOffset: number;
}

export interface Manifest {
  readonly topicId: string;
  readonly partition: number;
  readonly sequence: number;
  readonly writtenMs: number;
  /**
   * Exclusive: every offset below is in a segment, or below the log start offset. Not always the
   * end of a batch: DeleteRecords may cut inside of one, which then stays in the WAL.
   */
  readonly coveredOffset: number;
  readonly logStartOffset: number;
  readonly leaderEpochs: readonly LeaderEpochStart[];
  readonly segments: readonly SegmentInfo[];
  readonly removed: readonly RemovedSegment[];
  /** Producer state after the batches that lie wholly below `coveredOffset`. */
  readonly producers: readonly ProducerEntry[];
  readonly aborted: readonly AbortedRange[];
  /**
   * The merge that is under way. Once here it stays until it is done, or retention has removed its
   * first segment.
   */
  readonly merge: MergePlan | undefined;
}

export function encodeManifest(m: Manifest): Uint8Array {
  const w = new Writer(256 + m.segments.length * 33 + m.producers.length * 160);
  w.uint32(MAGIC);
  w.uint16(MANIFEST_VERSION);
  w.uint16(0);
  w.raw(uuidBytes(m.topicId));
  w.int32(m.partition);
  w.int64(m.sequence);
  w.int64(m.writtenMs);
  w.int64(m.coveredOffset);
  w.int64(m.logStartOffset);
  list(w, m.leaderEpochs, (e) => {
    w.int32(e.leaderEpoch);
    w.int64(e.startOffset);
  });
  list(w, m.segments, (s) => {
    w.int64(s.baseOffset);
    w.int64(s.lastOffset);
    w.int64(s.bytes);
    w.int64(s.maxTimestampMs);
    w.int8(s.merged ? MERGED_FLAG : 0);
  });
  list(w, m.removed, (s) => {
    w.int64(s.baseOffset);
    w.int64(s.removedMs);
  });
  list(w, m.producers, (p) => writeProducer(w, p));
  list(w, m.aborted, (a) => {
    w.int64(a.producerId);
    w.int64(a.firstOffset);
    w.int64(a.lastOffset);
    w.int64(a.lastStableOffset);
  });
  list(w, m.merge === undefined ? [] : [m.merge], (merge) => {
    w.int64(merge.firstBase);
    w.int64(merge.lastBase);
  });
  const body = w.toBytes();
  const out = new Uint8Array(body.length + 8);
  out.set(body);
  const view = new DataView(out.buffer);
  view.setUint32(body.length, crc32c(body));
  view.setUint32(body.length + 4, END);
  return out;
}

function list<T>(w: Writer, items: readonly T[], write: (item: T) => void): void {
  w.uint32(items.length);
  for (const item of items) write(item);
}

function writeProducer(w: Writer, p: ProducerEntry): void {
  w.int64(p.producerId);
  w.int16(p.producerEpoch);
  w.int32(p.coordinatorEpoch);
  w.int64(p.lastTimestampMs);
  w.int64(p.transactionStartOffset);
  w.int8(p.batches.length);
  for (const batch of p.batches) {
    w.int32(batch.firstSequence);
    w.int32(batch.lastSequence);
    w.int64(batch.baseOffset);
    w.int64(batch.lastOffset);
  }
}

/** Decodes and verifies; throws MalformedError on anything that is not a whole manifest. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const end = bytes.length - 8;
  if (end < 8) throw new MalformedError("manifest is too short");
  const r = new Reader(bytes);
  if (r.uint32() !== MAGIC) throw new MalformedError("not a manifest: wrong magic");
  const version = r.uint16();
  if (version < OLDEST_VERSION || version > MANIFEST_VERSION) {
    throw new MalformedError(`manifest version ${version} is unknown`);
  }
  const trailer = new Reader(bytes, end);
  if (trailer.uint32() !== crc32c(bytes, 0, end) || trailer.uint32() !== END) {
    throw new MalformedError("manifest fails its CRC-32C");
  }
  r.reset(bytes, 8, end);
  return readBody(bytes, r, version);
}

function readBody(bytes: Uint8Array, r: Reader, version: number): Manifest {
  const manifest = {
    topicId: uuidText(bytes, r.take(16)),
    partition: r.int32(),
    sequence: r.int64(),
    writtenMs: r.int64(),
    coveredOffset: r.int64(),
    logStartOffset: r.int64(),
    leaderEpochs: items(r, 12, () => ({ leaderEpoch: r.int32(), startOffset: r.int64() })),
    segments: items(r, version === 1 ? 32 : 33, () => ({
      baseOffset: r.int64(),
      lastOffset: r.int64(),
      bytes: r.int64(),
      maxTimestampMs: r.int64(),
      merged: version > 1 && (r.uint8() & MERGED_FLAG) !== 0,
    })),
    removed: items(r, 16, () => ({ baseOffset: r.int64(), removedMs: r.int64() })),
    producers: items(r, 31, () => readProducer(r)),
    aborted: items(r, 32, () => ({
      producerId: r.int64(),
      firstOffset: r.int64(),
      lastOffset: r.int64(),
      lastStableOffset: r.int64(),
    })),
  };
  if (version === 1) return { ...manifest, merge: undefined };
  const merges = items(r, 16, () => ({ firstBase: r.int64(), lastBase: r.int64() }));
  if (merges.length > 1) throw new MalformedError("manifest has more than one merge under way");
  return { ...manifest, merge: merges[0] };
}

function items<T>(r: Reader, each: number, read: () => T): T[] {
  const count = r.uint32();
  if (count * each > r.remaining) throw new MalformedError("manifest ends before its entries");
  return Array.from({ length: count }, read);
}

function readProducer(r: Reader): ProducerEntry {
  return {
    producerId: r.int64(),
    producerEpoch: r.int16(),
    coordinatorEpoch: r.int32(),
    lastTimestampMs: r.int64(),
    transactionStartOffset: r.int64(),
    batches: Array.from({ length: r.uint8() }, () => ({
      firstSequence: r.int32(),
      lastSequence: r.int32(),
      baseOffset: r.int64(),
      lastOffset: r.int64(),
    })),
  };
}
