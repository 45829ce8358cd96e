/**
 * Offsets by timestamp (KIP-33, KIP-79, KIP-734): segments and batches by header, records inside.
 */
import { concat } from "../bytes/mod.ts";
import { recordTimestamps } from "../protocol/records.ts";
import type { Isolation, TimestampOffset } from "./partition.ts";
import type { PartitionLogState } from "./partition_log.ts";
import { readLog, reloaded } from "./read.ts";

const NONE: TimestampOffset = { offset: -1, timestampMs: -1, leaderEpoch: -1 };

/** The first offset, at or behind the log start, whose record is not older than `timestampMs`. */
export async function findTimestamp(
  log: PartitionLogState,
  timestampMs: number,
  isolation: Isolation,
): Promise<TimestampOffset> {
  const limit = log.limit(isolation);
  let from = log.logStartOffset;
  for (;;) {
    const base = await reloaded(log, () => firstBatch(log, from, (max) => max >= timestampMs));
    if (base === undefined || base >= limit) return NONE;
    const found = await inBatch(
      log,
      base,
      (record) => record.timestampMs >= timestampMs && record.offset >= log.logStartOffset,
    );
    if (found !== undefined) return found.offset < limit ? found : NONE;
    // Its only young records lie below the log start: go on behind it.
    from = await behind(log, base);
  }
}

/** The record with the greatest timestamp; the first of several. */
export async function findMaxTimestamp(log: PartitionLogState): Promise<TimestampOffset> {
  let greatest = -1;
  for (const { maxTimestampMs, lastOffset } of log.checkpoint.segments) {
    if (lastOffset >= log.logStartOffset) greatest = Math.max(greatest, maxTimestampMs);
  }
  for (const { row } of log.tail.entries) greatest = Math.max(greatest, row.maxTimestampMs);
  if (greatest < 0) return NONE;
  return await findTimestamp(log, greatest, "read_uncommitted");
}

/** Base offset of the first batch that ends at or behind `from` and whose max timestamp fits. */
async function firstBatch(
  log: PartitionLogState,
  from: number,
  fits: (maxTimestampMs: number) => boolean,
): Promise<number | undefined> {
  const { sequence, segments } = log.checkpoint;
  for (const segment of segments) {
    if (segment.lastOffset < from || !fits(segment.maxTimestampMs)) continue;
    let base: number | undefined;
    await log.context.segments.scan(log.prefix, segment, (batch) => {
      if (batch.lastOffset >= from && fits(batch.maxTimestampMs)) base = batch.baseOffset;
      return base === undefined;
    }, log.context.signal);
    if (base !== undefined) return base;
  }
  // What was in the tail may have gone into segments that this scan didn't see.
  if (log.checkpoint.sequence !== sequence) return await firstBatch(log, from, fits);
  for (const { row } of log.tail.entries) {
    if (row.baseOffset + row.lastOffsetDelta >= from && fits(row.maxTimestampMs)) {
      return row.baseOffset;
    }
  }
  return undefined;
}

interface RecordTime {
  readonly offset: number;
  readonly timestampMs: number;
}

async function inBatch(
  log: PartitionLogState,
  baseOffset: number,
  fits: (record: RecordTime) => boolean,
): Promise<TimestampOffset | undefined> {
  const bytes = await batchAt(log, Math.max(baseOffset, log.logStartOffset));
  if (bytes === undefined) return undefined;
  for (const record of recordTimestamps(bytes)) {
    if (fits(record)) return { ...record, leaderEpoch: log.epochs.epochOf(record.offset) };
  }
  return undefined;
}

async function behind(log: PartitionLogState, baseOffset: number): Promise<number> {
  const bytes = await batchAt(log, Math.max(baseOffset, log.logStartOffset));
  if (bytes === undefined) return log.highWatermark;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Number(view.getBigInt64(0)) + view.getInt32(23) + 1;
}

async function batchAt(log: PartitionLogState, offset: number): Promise<Uint8Array | undefined> {
  const read = await readLog(log, {
    offset,
    maxBytes: 1,
    isolation: "read_uncommitted",
    atLeastOneBatch: true,
    signal: log.context.signal,
  });
  try {
    return read.bytes === 0 ? undefined : concat(read.records.map((part) => part.slice()));
  } finally {
    read.release();
  }
}
