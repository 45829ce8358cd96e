/**
 * What ends a partition's old data: retention by time and by size, and DeleteRecords. All move the
 * log start offset in a manifest first; objects go only after a grace period in which no manifest
 * names them, and the manifest remembers them until they are gone, so a crash leaves nothing
 * behind.
 */
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { indexKey, segmentKey } from "../storage/keys.ts";
import type { RemovedSegment, SegmentInfo } from "../storage/manifest.ts";
import { StoreError } from "../storage/object_store.ts";
import { planMerge } from "./merge_plan.ts";
import type { PartitionLogState } from "./partition_log.ts";
import { ProducerStates } from "./producer_state.ts";

/** See PartitionLog.deleteRecords. */
export async function deleteRecords(
  log: PartitionLogState,
  offset: number,
): Promise<{ errorCode: ErrorCodeValue; logStartOffset: number }> {
  if (log.closed !== 0) return { errorCode: log.closed, logStartOffset: -1 };
  const wanted = offset === -1 ? log.highWatermark : offset;
  if (wanted < 0 || wanted > log.highWatermark) {
    const errorCode = await log.confirm() || ErrorCode.OFFSET_OUT_OF_RANGE;
    return { errorCode, logStartOffset: -1 };
  }
  // A lost race reloads the rival's checkpoint, which may not be there yet: go again.
  try {
    while (log.checkpoint.logStartOffset < wanted && log.closed === 0) {
      await moveLogStart(log, () => wanted);
    }
  } catch (error) {
    if (!(error instanceof StoreError) && !log.context.signal.aborted) throw error;
    return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, logStartOffset: -1 };
  }
  // Manifests take anybody's word, and a successor may have read the one before.
  const errorCode = log.closed || await log.confirm() || log.closed;
  return { errorCode, logStartOffset: errorCode === 0 ? log.logStartOffset : -1 };
}

/** Applies retention.ms and retention.bytes once. Returns whether the log start offset moved. */
export async function enforceRetention(log: PartitionLogState): Promise<boolean> {
  const { retentionMs, retentionBytes, deleted } = log.context.settings(log.info);
  if (!deleted || (retentionMs < 0 && retentionBytes < 0)) return false;
  const nowMs = log.context.runtime.clock.wallMs();
  if (retainedFrom(log, nowMs) <= log.logStartOffset) return false;
  return await moveLogStart(log, () => retainedFrom(log, nowMs));
}

/**
 * The offset from which on retention keeps the log: whole segments, then whole batches of the tail.
 */
function retainedFrom(log: PartitionLogState, nowMs: number): number {
  const { retentionMs, retentionBytes } = log.context.settings(log.info);
  let excess = retentionBytes < 0 ? 0 : log.sizeBytes - retentionBytes;
  let from = log.logStartOffset;
  const gone = (maxTimestampMs: number, bytes: number): boolean => {
    const expired = retentionMs >= 0 && Math.abs(maxTimestampMs) < nowMs - retentionMs;
    // As in Kafka: what is deleted must leave at least retention.bytes.
    if (!expired && excess < bytes) return false;
    excess -= bytes;
    return true;
  };
  for (const segment of log.checkpoint.segments) {
    if (!gone(segment.maxTimestampMs, segment.bytes)) return Math.max(from, log.logStartOffset);
    from = segment.lastOffset + 1;
  }
  for (const { row, object } of log.tail.entries) {
    const { maxTimestampMs, length } = row;
    if (!gone(maxTimestampMs < 0 ? object.createdMs : maxTimestampMs, length)) break;
    from = row.baseOffset + row.lastOffsetDelta + 1;
  }
  return Math.max(from, log.logStartOffset);
}

async function moveLogStart(log: PartitionLogState, target: () => number): Promise<boolean> {
  const { checkpoint } = log;
  const moved = await checkpoint.update(() => {
    const logStartOffset = target();
    if (log.closed !== 0 || logStartOffset <= checkpoint.logStartOffset) {
      return Promise.resolve(undefined);
    }
    const nowMs = log.context.runtime.clock.wallMs();
    const dropped = checkpoint.segments.filter((s) => s.lastOffset < logStartOffset);
    const removed: RemovedSegment[] = [
      ...checkpoint.removed,
      ...dropped.map(({ baseOffset }) => ({ baseOffset, removedMs: nowMs })),
    ];
    const coveredOffset = Math.max(checkpoint.coveredOffset, logStartOffset);
    const segments = checkpoint.segments.slice(dropped.length);
    // A plan whose first segment goes, goes with it: what others still put there is swept.
    const { merge } = checkpoint;
    const planned = merge !== undefined && merge.firstBase >= (segments[0]?.baseOffset ?? Infinity);
    const producers = new ProducerStates(checkpoint.producers.entries());
    for (const { row, object } of log.tail.entries) {
      if (row.baseOffset + row.lastOffsetDelta >= coveredOffset) break;
      producers.apply(row, undefined, object.createdMs);
    }
    return Promise.resolve({
      change: {
        logStartOffset,
        coveredOffset,
        segments,
        removed,
        leaderEpochs: log.epochs.below(Math.max(coveredOffset, logStartOffset + 1)),
        merge: planned ? merge : planMerge(segments, log.context.settings(log.info)),
      },
      producers,
    });
  });
  if (moved) {
    const { topic, partition, logStartOffset } = log;
    log.context.runtime.log.debug("moved the log start", { topic, partition, logStartOffset });
    log.notify();
  }
  return moved;
}

/** Deletes the objects of removed segments whose grace period is over, then forgets them. */
export async function deleteRemoved(log: PartitionLogState): Promise<void> {
  const { checkpoint, context } = log;
  const nowMs = context.runtime.clock.wallMs();
  const graceMs = context.settings(log.info).fileDeleteDelayMs;
  const due = (removed: RemovedSegment) => removed.removedMs + graceMs <= nowMs;
  if (!checkpoint.removed.some(due)) return;
  await checkpoint.update(async () => {
    const gone = checkpoint.removed.filter(due);
    const live = new Set(checkpoint.segments.map((segment: SegmentInfo) => segment.baseOffset));
    const bases = gone.map(({ baseOffset }) => baseOffset).filter((base) => !live.has(base));
    if (bases.length === 0 || log.closed !== 0) return undefined;
    for (const base of bases) context.segments.forget(log.prefix, base);
    const keys = bases.flatMap((b) => [segmentKey(log.prefix, b), indexKey(log.prefix, b)]);
    await context.store.delete(keys, context);
    return { change: { removed: checkpoint.removed.filter((removed) => !due(removed)) } };
  });
}
