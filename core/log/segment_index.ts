/** Building and writing the index of a segment whose batches are in memory. */
import { concat, type Gather, MalformedError } from "../bytes/mod.ts";
import { indexKey } from "../storage/keys.ts";
import { encodeIndex, type SegmentIndexEntry, thinnedIndex } from "../storage/segment/mod.ts";
import { persist } from "../storage/retry.ts";
import { emptyScan, scanBatch } from "./batch_scan.ts";
import type { PartitionLogState } from "./partition_log.ts";

export interface ScannedBody {
  readonly entries: SegmentIndexEntry[];
  /** -1: no record has a timestamp. */
  readonly maxTimestampMs: number;
  /** Inclusive; -1 where there is no batch. */
  readonly lastOffset: number;
}

/** Every batch in `[start, end)`, by its header; positions are those of `bytes`. */
export function scanBody(bytes: Gather, start: number, end: number): ScannedBody {
  const batch = emptyScan();
  const entries: SegmentIndexEntry[] = [];
  let maxTimestampMs = -1;
  let lastOffset = -1;
  for (let at = start; at < end; at = batch.end) {
    if (!scanBatch(bytes, at, batch) || batch.end > end || batch.baseOffset <= lastOffset) {
      throw new MalformedError("segment holds a broken batch");
    }
    entries.push({ baseOffset: batch.baseOffset, position: at });
    maxTimestampMs = Math.max(maxTimestampMs, batch.maxTimestampMs);
    lastOffset = batch.lastOffset;
  }
  return { entries, maxTimestampMs, lastOffset };
}

/**
 * Writes the index of a segment, thinned to one entry per `index.interval.bytes`. A function of the
 * segment's bytes, so replacing it is harmless; one that is late, and of a segment before it was
 * merged, is the front of the right one: reads find their way with it, only slower.
 */
export async function writeIndex(
  log: PartitionLogState,
  baseOffset: number,
  entries: readonly SegmentIndexEntry[],
): Promise<void> {
  const interval = log.context.settings(log.info).indexIntervalBytes;
  const index = thinnedIndex(interval);
  for (const { baseOffset, position } of entries) index.add(baseOffset, position);
  const bytes = concat([encodeIndex(index.entries, interval)]);
  const { store, signal } = log.context;
  const key = indexKey(log.prefix, baseOffset);
  await persist(log.context, (attempt) => store.put(key, [bytes], { signal, attempt }));
}
