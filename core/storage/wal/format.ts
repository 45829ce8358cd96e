/**
 * The stored form of one WAL slot, version 1 (big-endian). Compatibility-sensitive: read N and N-1,
 * write N; a bump changes VERSION, keeps the old decoder, and adds a fixture.
 *
 * ```
 * header   16 B   "KWAL" | u16 version | u16 kind | 8 B nonce
 * body            record batches, verbatim, in the order of their arrival (data slots only)
 * footer          i32 broker id | i64 broker epoch | i64 slot | i64 created ms
 *                 u32 objects, each: u16 length, UTF-8 key           (adoption slots only)
 *                 u32 partitions, each: 16 B topic id | i32 partition | u32 batches, each a row
 *                 i64 metadata generation | i64 metadata revision    (absent: nothing is known)
 * trailer  16 B   u32 footer length | u32 CRC-32C of header and footer | "KWALEND!"
 *
 * row      52 B   i64 base offset | i32 last offset delta | u32 position | u32 length
 *                 i64 max timestamp | i32 leader epoch | i16 attributes | i16 producer epoch
 *                 i64 producer id | i32 base sequence | u32 object (index; 0 in data slots)
 * ```
 * A footer alone is enough to recover from: it carries what producer state and time lookup need, so
 * no body is read on start. The batches keep their own CRC-32C.
 */
import { crc32c, MalformedError, Reader, Writer } from "../../bytes/mod.ts";
import { uuidBytes, uuidText } from "../../bytes/uuid.ts";

export const WAL_VERSION = 1;
export const WAL_HEADER_BYTES = 16;
export const WAL_TRAILER_BYTES = 16;
const MAGIC = 0x4b57414c; // "KWAL"
const END = 0x4b57414c454e4421n; // "KWALEND!"
const ROW_BYTES = 52;

export const SLOT_KINDS = ["data", "adoption", "seal"] as const;
export type SlotKind = typeof SLOT_KINDS[number];

/** One record batch in a WAL object; positions and lengths in bytes from the object's start. */
export interface BatchRow {
  baseOffset: number;
  lastOffsetDelta: number;
  position: number;
  length: number;
  maxTimestampMs: number;
  leaderEpoch: number;
  attributes: number;
  producerId: number;
  producerEpoch: number;
  baseSequence: number;
  /** Index into `SlotFooter.objects` (adoption slots); 0 in data slots: the slot itself. */
  object: number;
}

export interface PartitionRows {
  readonly topicId: string;
  readonly partition: number;
  readonly rows: readonly BatchRow[];
}

/**
 * Where metadata was, as far as the writer knew: what it wrote may depend on all that was written
 * there until then. A restore begins a new generation, in which revisions may be lower.
 */
export interface MetadataMark {
  readonly generation: number;
  readonly revision: number;
}

/** Before all others: says nothing. */
export const NO_MARK: MetadataMark = { generation: 0, revision: 0 };

export interface SlotFooter {
  readonly kind: SlotKind;
  readonly brokerId: number;
  readonly brokerEpoch: number;
  readonly slot: number;
  readonly createdMs: number;
  /** Keys of the objects that an adoption's rows lie in. */
  readonly objects: readonly string[];
  readonly partitions: readonly PartitionRows[];
  readonly metadata: MetadataMark;
}

/** The 16 bytes in front of the body. The nonce tells our own write from a rival's. */
export function encodeSlotHeader(kind: SlotKind, nonce: Uint8Array): Uint8Array {
  const out = new Uint8Array(WAL_HEADER_BYTES);
  const view = new DataView(out.buffer);
  view.setUint32(0, MAGIC);
  view.setUint16(4, WAL_VERSION);
  view.setUint16(6, SLOT_KINDS.indexOf(kind));
  out.set(nonce.subarray(0, 8), 8);
  return out;
}

/** Footer and trailer of a slot whose header is `header`. */
export function encodeSlotFooter(header: Uint8Array, footer: SlotFooter): Uint8Array {
  const w = new Writer(64 + footer.partitions.length * (24 + ROW_BYTES));
  w.int32(footer.brokerId);
  w.int64(footer.brokerEpoch);
  w.int64(footer.slot);
  w.int64(footer.createdMs);
  w.uint32(footer.objects.length);
  for (const key of footer.objects) {
    const bytes = new TextEncoder().encode(key);
    w.uint16(bytes.length);
    w.raw(bytes);
  }
  w.uint32(footer.partitions.length);
  for (const { topicId, partition, rows } of footer.partitions) {
    w.raw(uuidBytes(topicId));
    w.int32(partition);
    w.uint32(rows.length);
    for (const row of rows) writeRow(w, row);
  }
  w.int64(footer.metadata.generation);
  w.int64(footer.metadata.revision);
  const body = w.toBytes();
  const trailer = new Writer(WAL_TRAILER_BYTES);
  trailer.uint32(body.length);
  trailer.uint32(crc32c(body, 0, body.length, crc32c(header)));
  trailer.bigint64(END);
  const out = new Uint8Array(body.length + WAL_TRAILER_BYTES);
  out.set(body);
  out.set(trailer.toBytes(), body.length);
  return out;
}

function writeRow(w: Writer, row: BatchRow): void {
  w.int64(row.baseOffset);
  w.int32(row.lastOffsetDelta);
  w.uint32(row.position);
  w.uint32(row.length);
  w.int64(row.maxTimestampMs);
  w.int32(row.leaderEpoch);
  w.int16(row.attributes);
  w.int16(row.producerEpoch);
  w.int64(row.producerId);
  w.int32(row.baseSequence);
  w.uint32(row.object);
}

function readRow(r: Reader): BatchRow {
  return {
    baseOffset: r.int64(),
    lastOffsetDelta: r.int32(),
    position: r.uint32(),
    length: r.uint32(),
    maxTimestampMs: r.int64(),
    leaderEpoch: r.int32(),
    attributes: r.int16(),
    producerEpoch: r.int16(),
    producerId: r.int64(),
    baseSequence: r.int32(),
    object: r.uint32(),
  };
}

/** Kind and nonce of a slot header; throws MalformedError on anything else. */
export function decodeSlotHeader(header: Uint8Array): { kind: SlotKind; nonce: Uint8Array } {
  const r = new Reader(header);
  if (r.uint32() !== MAGIC) throw new MalformedError("not a WAL slot: wrong magic");
  const version = r.uint16();
  if (version !== WAL_VERSION) throw new MalformedError(`WAL slot version ${version} is unknown`);
  const kind = SLOT_KINDS[r.uint16()];
  if (kind === undefined) throw new MalformedError("WAL slot kind is unknown");
  return { kind, nonce: r.copy(8) };
}

/** Bytes of footer plus trailer, read from the object's last 16 bytes. */
export function footerLength(trailer: Uint8Array): number {
  const r = new Reader(trailer);
  const length = r.uint32();
  r.uint32();
  if (r.bigint64() !== END) throw new MalformedError("WAL slot has no trailer");
  return length + WAL_TRAILER_BYTES;
}

/** Decodes a slot from its header and its footer with trailer; checks the CRC over both. */
export function decodeSlotFooter(header: Uint8Array, tail: Uint8Array): SlotFooter {
  const { kind } = decodeSlotHeader(header);
  const length = tail.length - WAL_TRAILER_BYTES;
  const trailer = new Reader(tail, Math.max(0, length));
  if (trailer.uint32() !== length) throw new MalformedError("WAL footer length is wrong");
  if (trailer.uint32() !== crc32c(tail, 0, length, crc32c(header))) {
    throw new MalformedError("WAL footer fails its CRC-32C");
  }
  const r = new Reader(tail, 0, length);
  const brokerId = r.int32();
  const brokerEpoch = r.int64();
  const slot = r.int64();
  const createdMs = r.int64();
  const objects = Array.from({ length: bounded(r, 2) }, () => r.utf8(r.uint16()));
  const partitions: PartitionRows[] = [];
  for (let count = bounded(r, 24); count > 0; count--) {
    const topicId = uuidText(r.bytes, r.take(16));
    const partition = r.int32();
    const rows = Array.from({ length: bounded(r, ROW_BYTES) }, () => readRow(r));
    partitions.push({ topicId, partition, rows });
  }
  const metadata = r.remaining === 0 ? NO_MARK : { generation: r.int64(), revision: r.int64() };
  return { kind, brokerId, brokerEpoch, slot, createdMs, objects, partitions, metadata };
}

/** A count that the remaining bytes can hold, at `each` bytes at least. */
function bounded(r: Reader, each: number): number {
  const count = r.uint32();
  if (count * each > r.remaining) throw new MalformedError("WAL footer ends before its entries");
  return count;
}
