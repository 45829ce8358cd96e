/**
 * The header of a v2 record batch (KIP-98), big-endian, 61 bytes; positions from the batch's start.
 *
 *   ┌──────────────────────────── 0  int64  base offset                  ┐ not covered by the CRC,
 *   │                             8  int32  batch length, from 12 on     │ so a broker may set
 *   │                            12  int32  partition leader epoch       ┘ offset and epoch
 *   │                            16  int8   magic, 2
 *   │                            17  uint32 CRC-32C of the bytes from 21 to the end
 *   │                            21  int16  attributes
 *   │                            23  int32  last offset delta
 *   │                            27  int64  base timestamp, ms
 *   │                            35  int64  max timestamp, ms
 *   │                            43  int64  producer id, -1 = none
 *   │                            51  int16  producer epoch
 *   │                            53  int32  base sequence
 *   │                            57  int32  record count
 *   └──────────────────────────── 61        records, compressed as one block
 *
 *   attributes  bits 0-2 compression (0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd)
 *               bit  3   timestamp type (0 CreateTime, 1 LogAppendTime)
 *               bit  4   transactional · bit 5 control · bit 6 has a delete horizon (KIP-534)
 */
import { crc32c } from "../bytes/mod.ts";
import { ErrorCode, type ErrorCodeValue } from "./errors.ts";

export const BATCH_BASE_OFFSET_AT = 0;
export const BATCH_LENGTH_AT = 8;
export const BATCH_LEADER_EPOCH_AT = 12;
export const BATCH_MAGIC_AT = 16;
export const BATCH_CRC_AT = 17;
export const BATCH_ATTRIBUTES_AT = 21;
export const BATCH_LAST_OFFSET_DELTA_AT = 23;
export const BATCH_BASE_TIMESTAMP_AT = 27;
export const BATCH_MAX_TIMESTAMP_AT = 35;
export const BATCH_PRODUCER_ID_AT = 43;
export const BATCH_PRODUCER_EPOCH_AT = 51;
export const BATCH_BASE_SEQUENCE_AT = 53;
export const BATCH_RECORD_COUNT_AT = 57;
export const BATCH_HEADER_BYTES = 61;

/** Base offset and length: what the length field doesn't count. */
export const BATCH_OVERHEAD_BYTES = 12;
export const BATCH_MAGIC = 2;

/** Smallest length field that any message format can have (format 0's header). */
const ANY_FORMAT_LENGTH_MIN = 14;
const TWO_32 = 2 ** 32;

const TIMESTAMP_TYPE_BIT = 1 << 3;
const TRANSACTIONAL_BIT = 1 << 4;
const CONTROL_BIT = 1 << 5;

export const Compression = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
export type CompressionName = keyof typeof Compression;
const COMPRESSION_NAMES = Object.keys(Compression) as readonly CompressionName[];

/** A batch header, to be filled by `readBatchHeader`; one object is reused for many batches. */
export class BatchHeader {
  baseOffset = 0;
  /** As stored: without the first 12 bytes. */
  batchLength = 0;
  partitionLeaderEpoch = 0;
  magic = 0;
  crc = 0;
  attributes = 0;
  lastOffsetDelta = 0;
  baseTimestamp = 0;
  maxTimestamp = 0;
  /** -1: no idempotence. */
  producerId = 0;
  producerEpoch = 0;
  baseSequence = 0;
  recordCount = 0;
}

/** Fills `into` from the batch at `at`; 61 bytes must be there, and nothing is checked. */
export function readBatchHeader(view: DataView, at: number, into: BatchHeader): void {
  into.baseOffset = int64(view, at);
  into.batchLength = view.getInt32(at + BATCH_LENGTH_AT);
  into.partitionLeaderEpoch = view.getInt32(at + BATCH_LEADER_EPOCH_AT);
  into.magic = view.getInt8(at + BATCH_MAGIC_AT);
  into.crc = view.getUint32(at + BATCH_CRC_AT);
  into.attributes = view.getInt16(at + BATCH_ATTRIBUTES_AT);
  into.lastOffsetDelta = view.getInt32(at + BATCH_LAST_OFFSET_DELTA_AT);
  into.baseTimestamp = int64(view, at + BATCH_BASE_TIMESTAMP_AT);
  into.maxTimestamp = int64(view, at + BATCH_MAX_TIMESTAMP_AT);
  into.producerId = int64(view, at + BATCH_PRODUCER_ID_AT);
  into.producerEpoch = view.getInt16(at + BATCH_PRODUCER_EPOCH_AT);
  into.baseSequence = view.getInt32(at + BATCH_BASE_SEQUENCE_AT);
  into.recordCount = view.getInt32(at + BATCH_RECORD_COUNT_AT);
}

function int64(view: DataView, at: number): number {
  return view.getInt32(at) * TWO_32 + view.getUint32(at + 4);
}

function setInt64(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  view.setInt32(at, high);
  view.setUint32(at + 4, value - high * TWO_32);
}

/** The codec's name, or undefined for one of the three ids that have none. */
export function compressionOf(attributes: number): CompressionName | undefined {
  return COMPRESSION_NAMES[attributes & 7];
}

/** True when the broker's time stands for all records' timestamps. */
export function isLogAppendTime(attributes: number): boolean {
  return (attributes & TIMESTAMP_TYPE_BIT) !== 0;
}

export function isTransactional(attributes: number): boolean {
  return (attributes & TRANSACTIONAL_BIT) !== 0;
}

/** True for a transaction marker, which clients never write nor see. */
export function isControl(attributes: number): boolean {
  return (attributes & CONTROL_BIT) !== 0;
}

/** The attributes of a batch. */
export function attributesOf(batch: {
  readonly compression?: CompressionName;
  readonly logAppendTime?: boolean;
  readonly transactional?: boolean;
  readonly control?: boolean;
}): number {
  return Compression[batch.compression ?? "none"] |
    (batch.logAppendTime ? TIMESTAMP_TYPE_BIT : 0) |
    (batch.transactional ? TRANSACTIONAL_BIT : 0) |
    (batch.control ? CONTROL_BIT : 0);
}

// --- validation ---------------------------------------------------------------------------------

/** Why a producer's batch is refused. */
export interface BatchFault {
  readonly errorCode: ErrorCodeValue;
  readonly text: string;
}

const fault = (errorCode: ErrorCodeValue, text: string): BatchFault =>
  Object.freeze({ errorCode, text });

const { INVALID_RECORD, CORRUPT_MESSAGE, INVALID_TIMESTAMP, UNSUPPORTED_COMPRESSION_TYPE } =
  ErrorCode;
const FAULTS = {
  none: fault(INVALID_RECORD, "a partition's records must be one whole record batch"),
  short: fault(CORRUPT_MESSAGE, "the record batch is shorter than its header"),
  magic: fault(CORRUPT_MESSAGE, "the record batch has an unknown message format"),
  old: fault(INVALID_RECORD, "only record batches of message format 2 are accepted"),
  many: fault(INVALID_RECORD, "a partition's records must be exactly one record batch"),
  zstd: fault(UNSUPPORTED_COMPRESSION_TYPE, "zstd needs Produce version 7 or newer"),
  codec: fault(INVALID_RECORD, "the record batch has an unknown compression"),
  offset: fault(INVALID_RECORD, "a producer's record batch must have base offset 0"),
  crc: fault(CORRUPT_MESSAGE, "the record batch does not have the CRC that it states"),
  count: fault(INVALID_RECORD, "record count and last offset delta do not fit each other"),
  control: fault(INVALID_RECORD, "clients may not write control batches"),
  sequence: fault(INVALID_RECORD, "a batch with a producer id must have a base sequence"),
  timestampType: fault(INVALID_TIMESTAMP, "a producer may not set the type LogAppendTime"),
} as const;

/** First version of Produce that may carry zstd (KIP-110). */
const ZSTD_PRODUCE_VERSION = 7;

/**
 * Checks the one batch that a producer sent for a partition, `bytes[start, end)`, and fills
 * `header` from it. Undefined: accept it; else Kafka's error for it. `view` is a view of `bytes`.
 * Records are not looked at; what depends on the topic (size, age of timestamps) is the log's.
 */
export function validateBatch(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  produceVersion: number,
  header: BatchHeader,
): BatchFault | undefined {
  const framing = framingFault(view, start, end);
  if (framing !== undefined) return framing;
  readBatchHeader(view, start, header);
  const codec = compressionOf(header.attributes);
  if (codec === undefined) return FAULTS.codec;
  if (codec === "zstd" && produceVersion < ZSTD_PRODUCE_VERSION) return FAULTS.zstd;
  if (header.baseOffset !== 0) return FAULTS.offset;
  if (header.crc !== crc32c(bytes, start + BATCH_ATTRIBUTES_AT, end)) return FAULTS.crc;
  if (header.recordCount <= 0) return FAULTS.count;
  if (header.lastOffsetDelta !== header.recordCount - 1) return FAULTS.count;
  if (isControl(header.attributes)) return FAULTS.control;
  if (header.producerId >= 0 && header.baseSequence < 0) return FAULTS.sequence;
  if (isLogAppendTime(header.attributes)) return FAULTS.timestampType;
  return undefined;
}

/** Lengths and magic: that `[start, end)` is one batch of format 2 with a whole header. */
function framingFault(view: DataView, start: number, end: number): BatchFault | undefined {
  const length = end - start;
  if (length < BATCH_OVERHEAD_BYTES) return FAULTS.none;
  const stated = view.getInt32(start + BATCH_LENGTH_AT);
  if (stated < ANY_FORMAT_LENGTH_MIN) return FAULTS.short;
  if (length <= BATCH_MAGIC_AT) return FAULTS.none;
  const magic = view.getInt8(start + BATCH_MAGIC_AT);
  if (magic < 0 || magic > BATCH_MAGIC) return FAULTS.magic;
  if (stated + BATCH_OVERHEAD_BYTES > length) return FAULTS.none;
  if (magic < BATCH_MAGIC) return FAULTS.old;
  if (stated + BATCH_OVERHEAD_BYTES < length) return FAULTS.many;
  if (length < BATCH_HEADER_BYTES) return FAULTS.short;
  return undefined;
}

// --- patching -----------------------------------------------------------------------------------

/** Sets what the broker decides at append; the CRC doesn't cover it. */
export function stampBatch(
  view: DataView,
  at: number,
  baseOffset: number,
  leaderEpoch: number,
): void {
  setInt64(view, at + BATCH_BASE_OFFSET_AT, baseOffset);
  view.setInt32(at + BATCH_LEADER_EPOCH_AT, leaderEpoch);
}

/** Gives the batch `bytes[start, end)` the broker's time (LogAppendTime), and its new CRC. */
export function stampLogAppendTime(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  timestampMs: number,
): void {
  const attributes = view.getInt16(start + BATCH_ATTRIBUTES_AT) | TIMESTAMP_TYPE_BIT;
  view.setInt16(start + BATCH_ATTRIBUTES_AT, attributes);
  setInt64(view, start + BATCH_MAX_TIMESTAMP_AT, timestampMs);
  stampCrc(bytes, view, start, end);
}

/** Computes and sets the CRC of the batch `bytes[start, end)`. */
export function stampCrc(bytes: Uint8Array, view: DataView, start: number, end: number): void {
  view.setUint32(start + BATCH_CRC_AT, crc32c(bytes, start + BATCH_ATTRIBUTES_AT, end));
}
