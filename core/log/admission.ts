/** Whether a record batch from a producer may enter a log, before its producer's state is asked. */
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import {
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
  return {
    row: {
      baseOffset: -1,
      lastOffsetDelta: header.lastOffsetDelta,
      position: 0,
      length: 0,
      maxTimestampMs: logAppendTime ? nowMs : header.maxTimestamp,
      leaderEpoch: -1,
      attributes: header.attributes,
      producerId: header.producerId,
      producerEpoch: header.producerEpoch,
      baseSequence: header.baseSequence,
      object: 0,
    },
    logAppendTimeMs: logAppendTime ? nowMs : -1,
    stamp: (baseOffset, leaderEpoch) => stampBatch(view, start, baseOffset, leaderEpoch),
  };
}
