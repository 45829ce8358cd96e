/** Whether a record batch from a producer may enter a log, before its producer's state is asked. */
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { MalformedError } from "../bytes/mod.ts";
import { recompressBatch } from "../protocol/recompress.ts";
import { readRecords } from "../protocol/records.ts";
import {
  BATCH_ATTRIBUTES_AT,
  BatchHeader,
  isTransactional,
  stampBatch,
  stampLogAppendTime,
  validateBatch,
} from "../protocol/record_batch.ts";
import type { TopicSettings } from "../metadata/topic_config.ts";
import type { BatchRow } from "../storage/wal/format.ts";

export interface Refusal {
  readonly errorCode: ErrorCodeValue;
  /** One clause for the client; null where the code says it all. */
  readonly message: string | null;
}

export interface Admission {
  /** All but base offset, leader epoch, position and length, which the append fills in. */
  readonly row: BatchRow;
  /** -1 unless the topic uses LogAppendTime. */
  readonly logAppendTimeMs: number;
  /** The batch to append: the producer's bytes, or what the topic's compression makes of them. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Writes base offset and leader epoch into the batch; its CRC doesn't cover them. */
  stamp(baseOffset: number, leaderEpoch: number): void;
}

/** One for all: checking is synchronous. */
const header = new BatchHeader();

const TOO_LARGE: Refusal = {
  errorCode: ErrorCode.MESSAGE_TOO_LARGE,
  message: "the record batch is larger than the topic's max.message.bytes",
};
const NO_TRANSACTION: Refusal = {
  errorCode: ErrorCode.INVALID_TXN_STATE,
  message: "the batch belongs to a transaction, and none is open for its producer here",
};
const NO_KEY: Refusal = {
  errorCode: ErrorCode.INVALID_RECORD,
  message: "the topic is compacted, so each of its records needs a key",
};
const BROKEN_RECORDS: Refusal = {
  errorCode: ErrorCode.INVALID_RECORD,
  message: "the records in the batch are broken, or above the limit when decompressed",
};
const TOO_OLD: Refusal = {
  errorCode: ErrorCode.INVALID_TIMESTAMP,
  message: "a record is older than the topic's message.timestamp.before.max.ms allows",
};
const TOO_NEW: Refusal = {
  errorCode: ErrorCode.INVALID_TIMESTAMP,
  message: "a record is further ahead than the topic's message.timestamp.after.max.ms allows",
};

/**
 * Checks the one batch in `bytes[start, end)` against the protocol and the topic's settings. With
 * LogAppendTime the batch gets `nowMs` in place.
 */
export function admitBatch(
  bytes: Uint8Array,
  start: number,
  end: number,
  produceVersion: number,
  settings: TopicSettings,
  nowMs: number,
): Admission | Refusal {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fault = validateBatch(bytes, view, start, end, produceVersion, header);
  if (fault !== undefined) return { errorCode: fault.errorCode, message: fault.text };
  if (end - start > settings.maxMessageBytes) return TOO_LARGE;
  if (isTransactional(header.attributes)) return NO_TRANSACTION;
  const logAppendTime = settings.timestampType === "LogAppendTime";
  if (logAppendTime) stampLogAppendTime(bytes, view, start, end, nowMs);
  else if (header.maxTimestamp - nowMs > settings.timestampAfterMaxMs) return TOO_NEW;
  else if (
    header.baseTimestamp >= 0 && nowMs - header.baseTimestamp > settings.timestampBeforeMaxMs
  ) {
    return TOO_OLD;
  }
  let batch = { bytes, start, end, view };
  const { compacted, compression } = settings;
  if (compacted || compression !== "producer") {
    const changed = reworked(bytes.subarray(start, end), settings);
    if ("errorCode" in changed) return changed;
    batch = changed;
  }
  return {
    row: {
      baseOffset: -1,
      lastOffsetDelta: header.lastOffsetDelta,
      position: 0,
      length: 0,
      maxTimestampMs: logAppendTime ? nowMs : header.maxTimestamp,
      leaderEpoch: -1,
      attributes: batch.view.getInt16(batch.start + BATCH_ATTRIBUTES_AT),
      producerId: header.producerId,
      producerEpoch: header.producerEpoch,
      baseSequence: header.baseSequence,
      object: 0,
    },
    logAppendTimeMs: logAppendTime ? nowMs : -1,
    bytes: batch.bytes,
    start: batch.start,
    end: batch.end,
    stamp: (baseOffset, leaderEpoch) =>
      stampBatch(batch.view, batch.start, baseOffset, leaderEpoch),
  };
}

/** Off the usual path: looks into the records, as cleanup.policy and compression.type ask. */
function reworked(
  batch: Uint8Array,
  settings: TopicSettings,
): { bytes: Uint8Array; start: number; end: number; view: DataView } | Refusal {
  const { compression, compressionLevels, maxMessageBytes } = settings;
  try {
    if (settings.compacted) {
      for (const { key } of readRecords(batch)) if (key === null) return NO_KEY;
    }
    const bytes = compression === "producer"
      ? batch
      : recompressBatch(batch, compression, compressionLevels);
    if (bytes.length > maxMessageBytes) return TOO_LARGE;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { bytes, start: 0, end: bytes.length, view };
  } catch (error) {
    if (error instanceof MalformedError) return BROKEN_RECORDS;
    throw error;
  }
}
