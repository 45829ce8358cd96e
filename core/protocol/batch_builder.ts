/** Builds v2 record batches: for the CLI, tests, simulation and control batches. */
import { concat, encodeUtf8, Writer } from "../bytes/mod.ts";
import { invariant } from "../runtime/assert.ts";
import { compress } from "./compression.ts";
import {
  attributesOf,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_OVERHEAD_BYTES,
  type CompressionName,
  stampCrc,
} from "./record_batch.ts";

/** A record to be written; what is left out is null, empty, or the batch's base timestamp. */
export interface NewRecord {
  readonly key?: Uint8Array | null;
  readonly value?: Uint8Array | null;
  readonly timestampMs?: number;
  readonly headers?: readonly { readonly key: string; readonly value: Uint8Array | null }[];
}

export interface NewBatch {
  /** At least one. */
  readonly records: readonly NewRecord[];
  readonly baseTimestampMs: number;
  /** 0 in a produce request: the broker sets it. */
  readonly baseOffset?: number;
  readonly leaderEpoch?: number;
  readonly compression?: CompressionName;
  /** -1, or left out: no idempotence. */
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly transactional?: boolean;
  readonly control?: boolean;
  readonly logAppendTime?: boolean;
}

/** The bytes of a batch. */
export function buildBatch(batch: NewBatch): Uint8Array {
  const { records, baseTimestampMs } = batch;
  invariant(records.length > 0, "a batch needs a record");
  const body = new Writer(256);
  let maxTimestampMs = -1;
  records.forEach((record, index) => {
    const timestampMs = record.timestampMs ?? baseTimestampMs;
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs;
    writeRecord(body, record, index, timestampMs - baseTimestampMs);
  });
  const compressed = compress(batch.compression ?? "none", body.toBytes());
  const head = new Writer(BATCH_HEADER_BYTES);
  head.int64(batch.baseOffset ?? 0);
  head.int32(BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES + compressed.length);
  head.int32(batch.leaderEpoch ?? -1);
  head.int8(BATCH_MAGIC);
  head.uint32(0);
  head.int16(attributesOf(batch));
  head.int32(records.length - 1);
  head.int64(baseTimestampMs);
  head.int64(maxTimestampMs);
  head.int64(batch.producerId ?? -1);
  head.int16(batch.producerEpoch ?? -1);
  head.int32(batch.baseSequence ?? -1);
  head.int32(records.length);
  const bytes = concat([head.toBytes(), compressed]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  stampCrc(bytes, view, 0, bytes.length);
  return bytes;
}

function writeRecord(
  writer: Writer,
  record: NewRecord,
  offsetDelta: number,
  timestampDelta: number,
): void {
  const body = new Writer(64);
  body.int8(0);
  body.varlong(timestampDelta);
  body.varint(offsetDelta);
  writeBlob(body, record.key ?? null);
  writeBlob(body, record.value ?? null);
  body.varint(record.headers?.length ?? 0);
  for (const { key, value } of record.headers ?? []) {
    writeBlob(body, encodeUtf8(key));
    writeBlob(body, value);
  }
  writer.varint(body.length);
  writer.raw(body.toBytes());
}

function writeBlob(writer: Writer, blob: Uint8Array | null): void {
  writer.varint(blob === null ? -1 : blob.length);
  if (blob !== null) writer.raw(blob);
}
