/** Whether a record batch from a producer may enter a log, before its producer's state is asked. */
import { crc32c } from "../bytes/mod.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import type { TopicSettings } from "../metadata/topic_config.ts";
import type { BatchRow } from "../storage/wal/format.ts";

export interface Refusal {
  readonly errorCode: ErrorCodeValue;
  readonly message: string | null;
}

export interface Admission {
  /** All but base offset, leader epoch, position and length, which the append fills in. */
  readonly row: BatchRow;
  readonly logAppendTimeMs: number;
  /** Writes base offset and leader epoch into the batch; its CRC doesn't cover them. */
  stamp(baseOffset: number, leaderEpoch: number): void;
}
const HEADER = 61;
export function admitBatch(
  bytes: Uint8Array,
  start: number,
  end: number,
  settings: TopicSettings,
  nowMs: number,
): Admission | Refusal {
  const length = end - start;
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, length);
  if (length < HEADER) return { errorCode: ErrorCode.CORRUPT_MESSAGE, message: "too short" };
  if (view.getInt8(16) !== 2) {
    return { errorCode: ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT, message: "magic" };
  }
  const batchLength = view.getInt32(8) + 12;
  if (batchLength !== length) return { errorCode: ErrorCode.INVALID_RECORD, message: "one batch" };
  if (length > settings.maxMessageBytes) {
    return { errorCode: ErrorCode.MESSAGE_TOO_LARGE, message: "max.message.bytes" };
  }
  if (view.getUint32(17) !== crc32c(bytes, start + 21, end)) {
    return { errorCode: ErrorCode.CORRUPT_MESSAGE, message: "crc" };
  }
  const logAppend = settings.timestampType === "LogAppendTime";
  const row: BatchRow = {
    baseOffset: -1,
    lastOffsetDelta: view.getInt32(23),
    position: 0,
    length,
    maxTimestampMs: Number(view.getBigInt64(35)),
    leaderEpoch: 0,
    attributes: view.getInt16(21),
    producerId: Number(view.getBigInt64(43)),
    producerEpoch: view.getInt16(51),
    baseSequence: view.getInt32(53),
    object: 0,
  };
  return {
    row,
    logAppendTimeMs: logAppend ? nowMs : -1,
    stamp: (baseOffset, leaderEpoch) => {
      view.setBigInt64(0, BigInt(baseOffset));
      view.setInt32(12, leaderEpoch);
    },
  };
}
