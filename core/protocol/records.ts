/**
 * The records inside of v2 batches (KIP-98). The broker needs them only for lookups by timestamp
 * and for compaction; the CLI, tests and tools read all of them.
 *
 *   record  varint length of the rest · int8 attributes, 0 · varlong timestamp delta
 *           varint offset delta · varint key length, -1 = null · key
 *           varint value length, -1 = null · value · varint header count
 *           headers: varint key length · key · varint value length, -1 = null · value
 */
import { MalformedError, Reader } from "../bytes/mod.ts";
import { decompress } from "./compression.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  BATCH_MAGIC,
  BATCH_OVERHEAD_BYTES,
  BatchHeader,
  compressionOf,
  isLogAppendTime,
  readBatchHeader,
} from "./record_batch.ts";

export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** One record; its arrays are views, valid as long as the batch's bytes are. */
export interface LogRecord {
  readonly offset: number;
  /** -1: none. */
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

export interface RecordTimestamp {
  readonly offset: number;
  readonly timestampMs: number;
}

/** One whole batch in a range of bytes. */
export interface BatchSlice {
  readonly bytes: Uint8Array;
  readonly header: BatchHeader;
}

/**
 * The whole batches of `bytes` in order, each with its header; a batch that is cut off at the end
 * is left out, as a fetch response may have one. Throws MalformedError for what is no v2 batch.
 */
export function* batchesOf(bytes: Uint8Array): Generator<BatchSlice> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (bytes.length - at >= BATCH_OVERHEAD_BYTES) {
    const length = view.getInt32(at + BATCH_LENGTH_AT) + BATCH_OVERHEAD_BYTES;
    if (length < BATCH_HEADER_BYTES) throw new MalformedError("batch is shorter than its header");
    if (length > bytes.length - at) return;
    const header = new BatchHeader();
    readBatchHeader(view, at, header);
    if (header.magic !== BATCH_MAGIC) throw new MalformedError("batch is not of format 2");
    yield { bytes: bytes.subarray(at, at + length), header };
    at += length;
  }
}

/** All records of all whole batches in `bytes`. Throws MalformedError; the CRC isn't checked. */
export function* readRecords(bytes: Uint8Array): Generator<LogRecord> {
  for (const batch of batchesOf(bytes)) {
    const reader = recordsReader(batch);
    for (let left = batch.header.recordCount; left > 0; left--) {
      const end = recordEnd(reader);
      const { offset, timestampMs } = readPosition(reader, batch.header);
      const key = readBlob(reader);
      const value = readBlob(reader);
      const headers = readHeaders(reader);
      if (reader.offset !== end) throw new MalformedError("record has another length than stated");
      yield { offset, timestampMs, key, value, headers };
    }
  }
}

/** Offsets and timestamps of all records of all whole batches in `bytes`, the rest passed over. */
export function* recordTimestamps(bytes: Uint8Array): Generator<RecordTimestamp> {
  for (const batch of batchesOf(bytes)) {
    const reader = recordsReader(batch);
    for (let left = batch.header.recordCount; left > 0; left--) {
      const end = recordEnd(reader);
      yield readPosition(reader, batch.header);
      reader.offset = end;
    }
  }
}

function recordsReader({ bytes, header }: BatchSlice): Reader {
  const codec = compressionOf(header.attributes);
  if (codec === undefined) throw new MalformedError("batch has an unknown compression");
  return new Reader(decompress(codec, bytes.subarray(BATCH_HEADER_BYTES)));
}

/** Reads a record's length, and says where the record ends. */
function recordEnd(reader: Reader): number {
  const length = reader.varint();
  if (length < 0 || length > reader.remaining) throw new MalformedError("record is cut off");
  return reader.offset + length;
}

function readPosition(reader: Reader, header: BatchHeader): RecordTimestamp {
  reader.int8();
  const delta = reader.varlong();
  const offset = header.baseOffset + reader.varint();
  const timestampMs = isLogAppendTime(header.attributes)
    ? header.maxTimestamp
    : header.baseTimestamp + delta;
  return { offset, timestampMs };
}

function readBlob(reader: Reader): Uint8Array | null {
  const length = reader.varint();
  if (length < -1) throw new MalformedError("a length in a record is negative");
  return length === -1 ? null : reader.view8(length);
}

function readHeaders(reader: Reader): RecordHeader[] {
  const count = reader.varint();
  if (count < 0 || count > reader.remaining) {
    throw new MalformedError("record has more headers than bytes");
  }
  const headers: RecordHeader[] = [];
  for (let index = 0; index < count; index++) {
    const key = reader.utf8(reader.varint());
    headers.push({ key, value: readBlob(reader) });
  }
  return headers;
}
