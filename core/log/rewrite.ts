/**
 * Rewriting: a partition's committed WAL bytes become a segment of its own, verbatim, and a
 * manifest covers them (DESIGN 1). A crash between the objects leaves a segment that no manifest
 * names; the next rewriting starts at the same base offset, meets it and takes it over, so nothing
 * is left over.
 */
import { Gather } from "../bytes/mod.ts";
import { invariant } from "../runtime/assert.ts";
import { segmentKey } from "../storage/keys.ts";
import type { SegmentInfo } from "../storage/manifest.ts";
import {
  decodeSegment,
  encodeSegment,
  SEGMENT_FOOTER_BYTES,
  SEGMENT_HEADER_BYTES,
  segmentBodyCrc,
  type SegmentIndexEntry,
} from "../storage/segment/mod.ts";
import { persist } from "../storage/retry.ts";
import { SlabBuffer } from "../storage/wal/slab_pool.ts";
import { builtSegmentBytes, planMerge } from "./merge_plan.ts";
import type { PartitionLogState } from "./partition_log.ts";
import { ProducerStates } from "./producer_state.ts";
import { scanBody, writeIndex } from "./segment_index.ts";
import { lastOffset, type TailEntry } from "./tail.ts";
import type { WalGather } from "./wal_gather.ts";

/**
 * Rewrites the front of the tail into one segment of `segment.bytes`; a rest that doesn't fill one
 * only where `all`. What is in `gathered` is not read again. Returns how many bytes of WAL were
 * covered; 0 when there was nothing to do. One at a time, so that a round over all partitions reads
 * each block of the WAL once.
 */
export async function rewriteTail(
  log: PartitionLogState,
  all: boolean,
  gathered?: WalGather,
): Promise<number> {
  let covered = 0;
  const done = await log.checkpoint.update(async () => {
    if (log.closed !== 0) return undefined;
    const settings = log.context.settings(log.info);
    // The entries stay in place meanwhile: only updates of this partition drop them.
    const entries = log.tail.entries.slice();
    const to = cut(entries, 0, builtSegmentBytes(settings), all);
    if (to === 0) return undefined;
    const segment = await writeSegment(log, entries.slice(0, to), gathered);
    if (segment === undefined || segment.lastOffset > lastOffset(entries.at(-1)!.row)) {
      // A rival is ahead of us: its manifest is the newest, or will be.
      await log.checkpoint.load();
      return undefined;
    }
    const coveredOffset = segment.lastOffset + 1;
    const producers = new ProducerStates(log.checkpoint.producers.entries());
    for (const { row, object } of entries) {
      if (row.baseOffset >= coveredOffset) break;
      producers.apply(row, undefined, object.createdMs);
      covered += row.length;
    }
    const { producerExpirationMs, producersMax, runtime } = log.context;
    producers.expire(runtime.clock.wallMs() - producerExpirationMs, producersMax);
    const segments = [...log.checkpoint.segments, segment];
    return {
      change: {
        coveredOffset,
        segments,
        leaderEpochs: log.epochs.below(coveredOffset),
        merge: log.checkpoint.merge ?? planMerge(segments, settings),
      },
      producers,
    };
  });
  return done ? covered : 0;
}

/** Rewrites what is in the tail now; what producers add meanwhile would keep it going for ever. */
export async function rewriteWhole(log: PartitionLogState): Promise<void> {
  const end = log.highWatermark;
  while (log.closed === 0 && (log.tail.first?.row.baseOffset ?? end) < end) {
    if (await rewriteTail(log, true) === 0) return;
  }
}

/** The exclusive end of the next segment's entries; `from` when they don't fill one. */
function cut(
  entries: readonly TailEntry[],
  from: number,
  segmentBytes: number,
  all: boolean,
): number {
  let bytes = SEGMENT_HEADER_BYTES + SEGMENT_FOOTER_BYTES;
  let to = from;
  while (to < entries.length) {
    bytes += entries[to]!.row.length;
    if (bytes > segmentBytes && to > from) return to;
    to++;
  }
  return all || bytes >= segmentBytes ? to : from;
}

/**
 * Writes (or takes over) the segment that starts at the first entry, with its index. Undefined when
 * a WAL object is gone: a rival's manifest covers it.
 */
async function writeSegment(
  log: PartitionLogState,
  entries: readonly TailEntry[],
  gathered: WalGather | undefined,
): Promise<SegmentInfo | undefined> {
  const { cache, pool, runtime, signal } = log.context;
  // Copied: its batches lie scattered over many times as many blocks, which a lease would hold.
  const copy = new SlabBuffer(pool);
  try {
    for (const { row, object } of entries) {
      const ready = gathered?.find(row);
      for (const part of ready ?? []) copy.copyIn(part, 0, part.length);
      if (ready !== undefined) continue;
      const start = row.position;
      const end = start + row.length;
      const lease = cache.tryRead(object.key, start, end) ??
        await cache.read(object.key, object.size, start, end, signal);
      if (lease === undefined) return undefined;
      for (const part of lease.parts) copy.copyIn(part, 0, part.length);
      lease.release();
    }
    const body = copy.parts();
    const first = entries[0]!.row;
    const last = entries.at(-1)!.row;
    const lastOffset = last.baseOffset + last.lastOffsetDelta;
    const turn = () => new Promise<void>((resolve) => runtime.timers.soon(resolve));
    const head = {
      baseOffset: first.baseOffset,
      lastOffset,
      recordCount: lastOffset - first.baseOffset + 1,
      createdMs: runtime.clock.wallMs(),
    };
    const object = encodeSegment(body, head, await segmentBodyCrc(body, turn));
    const bytes = object.reduce((sum, part) => sum + part.length, 0);
    const key = segmentKey(log.prefix, first.baseOffset);
    const created = await persist(
      log.context,
      (attempt) => log.context.store.putIfAbsent(key, object, { signal, attempt }),
    );
    if (created === "exists") return await takeOver(log, first.baseOffset, lastOffset);
    let position = SEGMENT_HEADER_BYTES;
    const index: SegmentIndexEntry[] = [];
    let maxTimestampMs = -1;
    for (const { row } of entries) {
      index.push({ baseOffset: row.baseOffset, position });
      position += row.length;
      maxTimestampMs = Math.max(maxTimestampMs, row.maxTimestampMs);
    }
    await writeIndex(log, first.baseOffset, index);
    if (maxTimestampMs < 0) maxTimestampMs = -entries.at(-1)!.object.createdMs;
    return { baseOffset: first.baseOffset, lastOffset, bytes, maxTimestampMs, merged: false };
  } finally {
    copy.release();
  }
}

/**
 * An earlier attempt (ours before a crash, or a predecessor's that was still at it) wrote this
 * segment. It holds committed data only, so it serves as it is, however far it goes.
 */
async function takeOver(
  log: PartitionLogState,
  baseOffset: number,
  ourLastOffset: number,
): Promise<SegmentInfo | undefined> {
  const key = segmentKey(log.prefix, baseOffset);
  const bytes = await persist(
    log.context,
    (attempt) => log.context.store.get(key, undefined, { signal: log.context.signal, attempt }),
  );
  // A rival that is ahead of us has removed it again.
  if (bytes === undefined) return undefined;
  const segment = decodeSegment(bytes);
  invariant(segment.baseOffset === baseOffset, "a segment lies under another one's key");
  if (segment.lastOffset !== ourLastOffset) {
    log.context.runtime.log.info("taking over a segment of an earlier attempt", {
      key,
      lastOffset: segment.lastOffset,
    });
  }
  const end = bytes.length - SEGMENT_FOOTER_BYTES;
  const scan = scanBody(new Gather([bytes]), SEGMENT_HEADER_BYTES, end);
  await writeIndex(log, baseOffset, scan.entries);
  const maxTimestampMs = scan.maxTimestampMs < 0 ? -segment.createdMs : scan.maxTimestampMs;
  return {
    baseOffset,
    lastOffset: segment.lastOffset,
    bytes: bytes.length,
    maxTimestampMs,
    merged: false,
  };
}
