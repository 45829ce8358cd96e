/**
 * What a crash or a late write leaves in a partition's directory, and that no manifest can name any
 * more. Decided without clocks: offsets below the covered offset are never written again, so an
 * object that starts there, and that the manifest at hand doesn't name, is dead for good, even when
 * that manifest isn't the newest. Anything of another name is left alone; `kafscale fsck` shows it.
 */
import { type SegmentObject, segmentOfKey, sequenceOfKey } from "../storage/keys.ts";
import {
  decodeSegmentEnds,
  SEGMENT_FOOTER_BYTES,
  SEGMENT_HEADER_BYTES,
} from "../storage/segment/mod.ts";
import type { PartitionLogState } from "./partition_log.ts";

/** Keys deleted with one call. */
const DELETE_BATCH = 500;

interface Candidate extends SegmentObject {
  readonly key: string;
  readonly size: number;
}

/** Deletes them; resolves to how many there were. Costs one listing per 1,000 objects. */
export async function sweepPartition(log: PartitionLogState): Promise<number> {
  const { store, signal } = log.context;
  const dead: string[] = [];
  const candidates: Candidate[] = [];
  for await (const { key, size } of store.list(log.prefix, undefined, { signal })) {
    const sequence = sequenceOfKey(key);
    const segment = segmentOfKey(key);
    if (sequence !== undefined && sequence < log.checkpoint.sequence - 1) dead.push(key);
    else if (segment !== undefined && below(log, segment.baseOffset)) {
      candidates.push({ ...segment, key, size });
    }
  }
  const bodies = new Map(
    candidates.filter(({ kind }) => kind === "kfs").map((each) => [each.baseOffset, each]),
  );
  for (const { key, baseOffset } of candidates) {
    const body = bodies.get(baseOffset);
    if (body === undefined || await isPast(log, body)) dead.push(key);
  }
  if (log.closed !== 0) return 0;
  for (let at = 0; at < dead.length; at += DELETE_BATCH) {
    await store.delete(dead.slice(at, at + DELETE_BATCH), { signal });
  }
  return dead.length;
}

/** Whether it starts below the covered offset, and nobody names it. */
function below(log: PartitionLogState, baseOffset: number): boolean {
  const { coveredOffset, segments, removed } = log.checkpoint;
  return baseOffset < coveredOffset &&
    !segments.some((segment) => segment.baseOffset === baseOffset) &&
    !removed.some((segment) => segment.baseOffset === baseOffset);
}

/**
 * Whether a segment that is `below` can not become one of the log. It still can where DeleteRecords
 * covered the front of a batch that is in the WAL: its segment starts below the covered offset.
 */
async function isPast(log: PartitionLogState, { key, size }: Candidate): Promise<boolean> {
  const { coveredOffset, logStartOffset } = log.checkpoint;
  if (coveredOffset > logStartOffset) return true;
  const { store, signal } = log.context;
  const header = await store.get(key, { start: 0, end: SEGMENT_HEADER_BYTES }, { signal });
  const footer = await store.get(
    key,
    { start: Math.max(0, size - SEGMENT_FOOTER_BYTES), end: size },
    { signal },
  );
  if (header === undefined || footer === undefined) return true;
  return decodeSegmentEnds(header, footer).head.lastOffset < coveredOffset;
}
