/** Reading a partition: its WAL tail from commits, everything older from segments. */
import { MalformedError } from "../bytes/mod.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { inTime } from "../runtime/in_time.ts";
import { StoreError } from "../storage/object_store.ts";
import type { SegmentInfo } from "../storage/manifest.ts";
import type { LogContext } from "./log_context.ts";
import type { Isolation, ReadResult } from "./partition.ts";
import { SegmentGoneError, type SegmentRead } from "./segment_reader.ts";
import type { Tail } from "./tail.ts";
import { readTail, thenBringing } from "./tail_reader.ts";

export interface ReadRequest {
  readonly offset: number;
  readonly maxBytes: number;
  readonly isolation: Isolation;
  readonly atLeastOneBatch: boolean;
  readonly signal: AbortSignal;
}

/** What a read needs of a partition, led or followed. */
export interface ReadableLog {
  readonly context: Pick<
    LogContext,
    "runtime" | "cache" | "readAhead" | "segments" | "readaheadSegments" | "signal"
  >;
  /** The partition's directory. */
  readonly prefix: string;
  readonly closed: ErrorCodeValue;
  readonly logStartOffset: number;
  readonly highWatermark: number;
  /** A reader may be as far as this, having read at a broker that heard of a commit earlier. */
  readonly logEndOffset: number;
  readonly tail: Tail;
  readonly segments: readonly SegmentInfo[];
  /** Exclusive end of what a reader of this isolation sees. */
  limit(isolation: Isolation): number;
  /** Takes the newest manifest. */
  reload(): Promise<void>;
  countRead(bytes: number): void;
}

const RELOADS_MAX = 3;
/** After it the reader is told to try again. */
const RELOAD_PATIENCE_MS = 10_000;

/** See PartitionLog.read; StoreErrors pass through. */
export async function readLog(log: ReadableLog, o: ReadRequest): Promise<ReadResult> {
  return await reloaded(log, async () => {
    if (log.closed !== 0) return nothing(log.closed, o);
    if (o.offset < log.logStartOffset || o.offset > log.logEndOffset) {
      return nothing(ErrorCode.OFFSET_OUT_OF_RANGE, o);
    }
    if (o.offset >= log.limit(o.isolation)) return nothing(0, o);
    const tailFirst = log.tail.first?.row.baseOffset ?? log.highWatermark;
    const { segments } = log;
    const at = segmentIndex(segments, o.offset);
    const segment = segments[at];
    if (o.offset >= tailFirst) {
      const { parts, bytes, release } = await readTail(log, o);
      return { ...nothing(0, o), records: parts, bytes, release };
    }
    // A hole below the tail cannot be: the manifest covers it, so this read raced an update.
    if (segment === undefined || segment.baseOffset > o.offset) {
      throw new SegmentGoneError("no segment holds the offset");
    }
    const { offset, maxBytes, atLeastOneBatch, signal } = o;
    const read = await log.context.segments.read(
      log.prefix,
      segment,
      offset,
      maxBytes,
      atLeastOneBatch,
      signal,
    );
    log.countRead(read.bytes);
    const bringNext = () => readAhead(log, segments, at, read, maxBytes);
    const { callsAreDear } = log.context.cache;
    if (callsAreDear) bringNext();
    return {
      errorCode: 0,
      records: read.parts,
      bytes: read.bytes,
      abortedTransactions: o.isolation === "read_committed" ? [] : null,
      release: callsAreDear ? read.release : thenBringing(read.release, bringNext, signal),
    };
  });
}

/** After a read of the segment with index `at`: brings what its reader asks for next. */
function readAhead(
  { prefix, context }: ReadableLog,
  segments: readonly SegmentInfo[],
  at: number,
  read: SegmentRead,
  maxBytes: number,
): void {
  const { readaheadSegments: count, signal } = context;
  if (count === 0) return;
  const next = segments.slice(at, at + 1 + count);
  if (read.inOrder) context.segments.readOn(prefix, next, read.end, maxBytes, signal);
  if (!read.last) return;
  next.slice(1).forEach((segment, before) => {
    context.segments.prefetch(prefix, segment, signal, before + 1);
  });
}

/** Bytes that can be read from `offset` on, about, counted up to `enough`; no I/O. */
export function readableBytes(
  log: ReadableLog,
  offset: number,
  isolation: Isolation,
  enough: number,
): number {
  if (offset >= log.limit(isolation) || offset < log.logStartOffset) return 0;
  let bytes = 0;
  for (const segment of log.segments) {
    if (segment.lastOffset >= offset) bytes += segment.bytes;
    if (bytes >= enough) return bytes;
  }
  const { entries } = log.tail;
  for (let index = log.tail.indexOf(offset); index < entries.length; index++) {
    bytes += entries[index]!.row.length;
    if (bytes >= enough) return bytes;
  }
  return bytes;
}

/** Runs `read` again with the newest manifest, a few times, while what it looks for is gone. */
export async function reloaded<T>(log: ReadableLog, read: () => Promise<T>): Promise<T> {
  for (let reloads = 0;; reloads++) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof SegmentGoneError) || reloads >= RELOADS_MAX) throw asStoreError(error);
      // The manifest at hand is old: somebody else's retention went on without us.
      const reload = log.reload().then(() => true);
      // It waits behind other updates, which write until the store takes it.
      const { timers } = log.context.runtime;
      if (await inTime(timers, RELOAD_PATIENCE_MS, reload) === undefined) {
        throw new StoreError("retry", "the partition's manifest could not be read in time");
      }
    }
  }
}

/** Damaged bytes and reads that were given up, as what a caller of the log expects. */
function asStoreError(error: unknown): unknown {
  if (error instanceof MalformedError) {
    return new StoreError("fatal", `a stored segment is damaged: ${error.message}`);
  }
  const aborted = error instanceof Error && error.name === "AbortError";
  return aborted ? new StoreError("retry", "the read was given up") : error;
}

/** Index of the segment that holds `offset`, or of the first one behind it. */
export function segmentIndex(
  segments: readonly { readonly lastOffset: number }[],
  offset: number,
): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (segments[middle]!.lastOffset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nothing(errorCode: ErrorCodeValue, o: ReadRequest): ReadResult {
  return {
    errorCode,
    records: [],
    bytes: 0,
    abortedTransactions: o.isolation === "read_committed" ? [] : null,
    release: () => {},
  };
}
