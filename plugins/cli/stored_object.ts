/** Any stored object as plain data, told apart by its first four bytes. */
import { crc32c, MalformedError, Reader } from "../../core/bytes/mod.ts";
import { decodeManifest } from "../../core/storage/manifest.ts";
import {
  decodeIndex,
  decodeSegment,
  SEGMENT_FOOTER_BYTES,
  SEGMENT_HEADER_BYTES,
} from "../../core/storage/segment/mod.ts";
import { decodeSlotFooter, footerLength, WAL_HEADER_BYTES } from "../../core/storage/wal/format.ts";

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];
/** Base offset, length, leader epoch, magic: the fixed front of a batch. */
const BATCH_HEADER_BYTES = 61;
/** What the length field doesn't count. */
const BATCH_OVERHEAD_BYTES = 12;
/** Where the bytes that the batch's CRC covers begin. */
const CRC_COVERS_FROM = 21;

export interface StoredObject {
  readonly kind: "WAL slot" | "segment" | "segment index" | "manifest";
  /** One value a name; lists are lists of flat rows. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Decodes and verifies; throws MalformedError on what is no stored object, or a damaged one. */
export function describeObject(bytes: Uint8Array): StoredObject {
  switch (new TextDecoder("latin1").decode(bytes.subarray(0, 4))) {
    case "KWAL":
      return { kind: "WAL slot", fields: describeSlot(bytes) };
    case "KAFS":
      return { kind: "segment", fields: describeSegment(bytes) };
    case "IDX\0":
      return { kind: "segment index", fields: describeIndex(bytes) };
    case "KMAN":
      return { kind: "manifest", fields: describeManifest(bytes) };
    default:
      throw new MalformedError("not an object of KafScale: it starts with no known magic");
  }
}

function describeManifest(bytes: Uint8Array): Record<string, unknown> {
  const { merge, ...fields } = decodeManifest(bytes);
  return { ...fields, merges: merge === undefined ? [] : [merge] };
}

function describeSlot(bytes: Uint8Array): Record<string, unknown> {
  const header = bytes.subarray(0, WAL_HEADER_BYTES);
  const length = footerLength(bytes.subarray(bytes.length - 16));
  const { partitions, objects, ...head } = decodeSlotFooter(
    header,
    bytes.subarray(bytes.length - length),
  );
  return {
    ...head,
    bytes: bytes.length,
    objects,
    batches: partitions.flatMap(({ topicId, partition, rows }) =>
      rows.map(({ lastOffsetDelta, object, ...row }) => ({
        topicId,
        partition,
        ...row,
        lastOffset: row.baseOffset + lastOffsetDelta,
        // the rows of a data slot lie in the slot itself
        ...(objects.length === 0
          ? { crc: batchCrc(bytes, row.position, row.position + row.length) }
          : { object: objects[object] }),
      }))
    ),
  };
}

function describeSegment(bytes: Uint8Array): Record<string, unknown> {
  const head = decodeSegment(bytes);
  const batches = [];
  const end = bytes.length - SEGMENT_FOOTER_BYTES;
  for (let at = SEGMENT_HEADER_BYTES; at < end;) {
    const batch = describeBatch(bytes, at, end);
    batches.push(batch);
    at += batch.length;
  }
  return { ...head, bytes: bytes.length, batches };
}

function describeIndex(bytes: Uint8Array): Record<string, unknown> {
  const { baseOffsets, positions, intervalBytes } = decodeIndex(bytes);
  const entries = [...baseOffsets].map((baseOffset, at) => ({
    baseOffset,
    position: positions[at],
  }));
  return { intervalBytes, entries };
}

function describeBatch(bytes: Uint8Array, position: number, end: number) {
  if (position + BATCH_HEADER_BYTES > end) throw new MalformedError("a batch header is cut off");
  const r = new Reader(bytes, position, end);
  const baseOffset = r.int64();
  const length = r.int32() + BATCH_OVERHEAD_BYTES;
  if (length < BATCH_HEADER_BYTES || position + length > end) {
    throw new MalformedError("a batch is cut off");
  }
  const leaderEpoch = r.int32();
  r.int8();
  r.uint32();
  const attributes = r.int16();
  const lastOffset = baseOffset + r.int32();
  const baseTimestampMs = r.int64();
  const maxTimestampMs = r.int64();
  const [producerId, producerEpoch, baseSequence] = [r.int64(), r.int16(), r.int32()];
  return {
    position,
    length,
    baseOffset,
    lastOffset,
    records: r.int32(),
    leaderEpoch,
    compression: CODECS[attributes & 7] ?? `unknown (${attributes & 7})`,
    transactional: (attributes & 16) !== 0,
    control: (attributes & 32) !== 0,
    baseTimestampMs,
    maxTimestampMs,
    producerId,
    producerEpoch,
    baseSequence,
    crc: batchCrc(bytes, position, position + length),
  };
}

function batchCrc(bytes: Uint8Array, start: number, end: number): "ok" | "wrong" {
  const stored = new Reader(bytes, start + CRC_COVERS_FROM - 4, end).uint32();
  return stored === crc32c(bytes, start + CRC_COVERS_FROM, end) ? "ok" : "wrong";
}
