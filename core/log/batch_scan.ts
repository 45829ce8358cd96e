/** Walks the record batches of a byte range by their headers alone. */
import { type Gather, MalformedError } from "../bytes/mod.ts";
import {
  BATCH_ATTRIBUTES_AT,
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA_AT,
  BATCH_LENGTH_AT,
  BATCH_MAX_TIMESTAMP_AT,
  BATCH_OVERHEAD_BYTES,
} from "../protocol/record_batch.ts";

/** One batch of a scan; positions in the gather list's own coordinates. */
export interface ScannedBatch {
  start: number;
  /** Exclusive; may lie behind the bytes at hand. */
  end: number;
  baseOffset: number;
  /** Inclusive. */
  lastOffset: number;
  maxTimestampMs: number;
  attributes: number;
}

export function emptyScan(): ScannedBatch {
  return { start: 0, end: 0, baseOffset: 0, lastOffset: 0, maxTimestampMs: 0, attributes: 0 };
}

/**
 * Reads the batch header at `at` into `into`; false when the bytes end before the header does.
 * Throws MalformedError where there is no batch.
 */
export function scanBatch(bytes: Gather, at: number, into: ScannedBatch): boolean {
  if (at + BATCH_HEADER_BYTES > bytes.end) return false;
  const length = BATCH_OVERHEAD_BYTES + bytes.int32(at + BATCH_LENGTH_AT);
  if (length < BATCH_HEADER_BYTES) {
    throw new MalformedError("stored batch is shorter than a header");
  }
  into.start = at;
  into.end = at + length;
  into.baseOffset = bytes.int64(at);
  into.lastOffset = into.baseOffset + bytes.int32(at + BATCH_LAST_OFFSET_DELTA_AT);
  into.maxTimestampMs = bytes.int64(at + BATCH_MAX_TIMESTAMP_AT);
  into.attributes = (bytes.uint8(at + BATCH_ATTRIBUTES_AT) << 8) |
    bytes.uint8(at + BATCH_ATTRIBUTES_AT + 1);
  return true;
}
