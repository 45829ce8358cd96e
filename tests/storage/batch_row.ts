import type { BatchRow } from "../../core/storage/wal/format.ts";

/** A slot's row for a batch of one record without a producer, not yet placed in a body. */
export function batchRow(baseOffset: number, place: Partial<BatchRow> = {}): BatchRow {
  return {
    baseOffset,
    lastOffsetDelta: 0,
    position: -1,
    length: -1,
    maxTimestampMs: 0,
    leaderEpoch: 0,
    attributes: 0,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    object: 0,
    ...place,
  };
}
