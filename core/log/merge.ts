/**
 * Merging small segments into a larger one (docs/decisions/0005). The merged object takes the key
 * of its first part, and so replaces it. What makes that safe:
 *
 * - The plan is in the manifest before anything is written, and its bytes are a function of the
 *   plan: every executor, however late or fenced, writes the same.
 * - A key is replaced once in its life: a merged segment is never the first part of another merge,
 *   and a plan goes away only by being carried out, or with its first part by retention.
 * - The first part's body is the front of the merged one's, at the same position: who still holds
 *   the former manifest reads the same batches.
 *
 * A crash anywhere leaves the plan, and the next owner carries it out.
 */
import { concat, crc32c, Gather, MalformedError } from "../bytes/mod.ts";
import { segmentKey } from "../storage/keys.ts";
import type { MergePlan, SegmentInfo } from "../storage/manifest.ts";
import { persist } from "../storage/retry.ts";
import {
  decodeSegmentEnds,
  decodeSegmentHeader,
  encodeSegment,
  SEGMENT_FOOTER_BYTES,
  SEGMENT_HEADER_BYTES,
  segmentBodyCrc,
  type SegmentHeader,
} from "../storage/segment/mod.ts";
import { SlabBuffer } from "../storage/wal/slab_pool.ts";
import { planMerge, plannedParts } from "./merge_plan.ts";
import type { PartitionLogState } from "./partition_log.ts";
import { scanBody, writeIndex } from "./segment_index.ts";
import { SegmentGoneError } from "./segment_reader.ts";

/** Read at once of a part: what a GET of a sequential reader brings. */
const READ_BYTES = 4 << 20;

/**
 * Carries out the merge that the newest manifest plans. Resolves to the number of segments that
 * became one; 0 when there was nothing to do or a rival is ahead.
 */
export async function mergeSegments(log: PartitionLogState): Promise<number> {
  const { checkpoint, context } = log;
  let count = 0;
  let planned: MergePlan | undefined;
  const done = await checkpoint.update(async () => {
    planned = checkpoint.merge;
    if (log.closed !== 0 || planned === undefined) return undefined;
    const { at, parts } = plannedParts(checkpoint.segments, planned);
    const merged = await writeMerged(log, parts);
    if (merged === undefined) {
      // A part is gone: a rival was faster, and its manifest is the newest.
      await checkpoint.load();
      return undefined;
    }
    count = parts.length;
    const segments = checkpoint.segments.toSpliced(at, parts.length, merged);
    const removedMs = context.runtime.clock.wallMs();
    const left = parts.slice(1).map(({ baseOffset }) => ({ baseOffset, removedMs }));
    return {
      change: {
        segments,
        removed: [...checkpoint.removed, ...left],
        merge: planMerge(segments, context.settings(log.info)),
      },
    };
  });
  if (!done) return 0;
  const { topic, partition } = log;
  const resumed = planned?.firstBase === log.inheritedMerge?.firstBase;
  context.runtime.log.debug("merged segments", { topic, partition, count, resumed });
  return count;
}

/** Puts the merged object and its index; undefined when a part is gone. */
async function writeMerged(
  log: PartitionLogState,
  parts: readonly SegmentInfo[],
): Promise<SegmentInfo | undefined> {
  const { pool, runtime, signal, store } = log.context;
  const { baseOffset } = parts[0]!;
  const { lastOffset } = parts.at(-1)!;
  const copy = new SlabBuffer(pool);
  try {
    const first = await copyPart(log, parts[0]!, copy);
    for (const part of parts.slice(1)) await copyPart(log, part, copy);
    const body = copy.parts();
    const end = SEGMENT_HEADER_BYTES + copy.bytes;
    const scan = scanBody(new Gather(body, SEGMENT_HEADER_BYTES), SEGMENT_HEADER_BYTES, end);
    if (scan.entries[0]?.baseOffset !== baseOffset || scan.lastOffset !== lastOffset) {
      throw new MalformedError("the batches of merged segments do not fill their offsets");
    }
    const head = {
      baseOffset,
      lastOffset,
      recordCount: lastOffset - baseOffset + 1,
      createdMs: first.createdMs,
    };
    const turn = () => new Promise<void>((resolve) => runtime.timers.soon(resolve));
    const object = encodeSegment(body, head, await segmentBodyCrc(body, turn));
    // The index last: tools that go by it never look behind the end of the object.
    const key = segmentKey(log.prefix, baseOffset);
    await persist(log.context, (attempt) => store.put(key, object, { signal, attempt }));
    await writeIndex(log, baseOffset, scan.entries);
    return {
      baseOffset,
      lastOffset,
      bytes: end + SEGMENT_FOOTER_BYTES,
      maxTimestampMs: latest(parts),
      merged: true,
    };
  } catch (error) {
    if (error instanceof SegmentGoneError) return undefined;
    throw error;
  } finally {
    copy.release();
  }
}

/** Without any timestamp: when the newest of them was stored, as SegmentInfo has it. */
function latest(parts: readonly SegmentInfo[]): number {
  const times = parts.map(({ maxTimestampMs }) => maxTimestampMs);
  const greatest = Math.max(...times);
  return greatest >= 0 ? greatest : Math.min(...times);
}

/**
 * Copies the body of a part behind what `into` holds, and verifies it. Its header, which for the
 * first part may be that of the merged object, from an attempt before this one.
 */
async function copyPart(
  log: PartitionLogState,
  part: SegmentInfo,
  into: SlabBuffer,
): Promise<SegmentHeader> {
  const { cache, runtime, signal } = log.context;
  const key = segmentKey(log.prefix, part.baseOffset);
  const bodyEnd = part.bytes - SEGMENT_FOOTER_BYTES;
  const read = async (start: number, end: number, take: (bytes: Uint8Array) => void) => {
    const lease = await cache.read(key, part.bytes, start, end, signal);
    if (lease === undefined) throw new SegmentGoneError("a segment to merge is gone");
    for (const bytes of lease.parts) take(bytes);
    lease.release();
  };
  const bytesOf = async (start: number, end: number) => {
    const found: Uint8Array[] = [];
    await read(start, end, (bytes) => found.push(bytes.slice()));
    return concat(found);
  };
  const header = await bytesOf(0, SEGMENT_HEADER_BYTES);
  const isFirst = into.bytes === 0;
  let crc = 0;
  for (let at = SEGMENT_HEADER_BYTES; at < bodyEnd; at += READ_BYTES) {
    await read(at, Math.min(bodyEnd, at + READ_BYTES), (bytes) => {
      crc = crc32c(bytes, 0, bytes.length, crc);
      into.copyIn(bytes, 0, bytes.length);
    });
    await new Promise<void>((resolve) => runtime.timers.soon(resolve));
  }
  const found = decodeSegmentHeader(header);
  const span = part.lastOffset - part.baseOffset + 1;
  // Replaced already: there is no footer behind its body any more.
  if (isFirst && found.recordCount > span) return found;
  const { head, bodyCrc } = decodeSegmentEnds(header, await bytesOf(bodyEnd, part.bytes));
  if (head.baseOffset !== part.baseOffset || head.lastOffset !== part.lastOffset) {
    throw new MalformedError("a segment is not the one that its manifest names");
  }
  if (bodyCrc !== crc) throw new MalformedError("segment body does not match its CRC");
  return found;
}
