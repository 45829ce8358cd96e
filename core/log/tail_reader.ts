/**
 * Reads whole batches out of the WAL. An object holds what all partitions got in a moment, so a
 * partition's bytes lie scattered in it, between those of others. Who reads one partition from far
 * behind mostly reads the others, too: what memory does not have is brought for all of them, in
 * GETs of 4 MiB, and before it is asked for. Where a call costs little beside its bytes, as on a
 * disk, the partition's own are brought alone.
 */
import type { CacheLease, ReadHints } from "../storage/block_cache.ts";
import { inParallel } from "../runtime/in_parallel.ts";
import type { ReadableLog, ReadRequest } from "./read.ts";
import { SegmentGoneError } from "./segment_reader.ts";

/** A slot has one content for ever (DESIGN 1), so a replica that has it has the right one. */
const SLOT: ReadHints = { staleOk: true, scattered: true };

/** Read ahead of a consumer: what its next fetch takes. */
const AHEAD_BYTES = 1 << 20;

/** An object is brought for all of its partitions where this one has a share of one in so many. */
const SHARES_MAX = 16;

/** Runs of one partition that are brought at the same time. */
const READS_PARALLEL = 4;

/** Consecutive bytes of one WAL object. */
interface TailRun {
  readonly key: string;
  readonly size: number;
  readonly start: number;
  end: number;
}

export interface TailRead extends CacheLease {
  readonly bytes: number;
}

/** Whole batches of the tail from `o.offset` on; SegmentGoneError where an object is gone. */
export async function readTail(log: ReadableLog, o: ReadRequest): Promise<TailRead> {
  const { cache, readAhead, signal } = log.context;
  const limit = log.limit(o.isolation);
  // Chosen before the first await: the tail may be compacted away while blocks are read.
  const from = log.tail.indexOf(o.offset);
  const { runs, bytes, next } = runsOf(log, from, limit, o.maxBytes, o.atLeastOneBatch);
  const ahead = runsOf(log, next, limit, AHEAD_BYTES, false).runs;
  const shares = sharesOf([...runs, ...ahead]);
  const leases: (CacheLease | undefined)[] = runs.map((run) =>
    cache.tryRead(run.key, run.start, run.end)
  );
  const missing = [...leases.keys()].filter((at) => leases[at] === undefined);
  const reading = missing.length === 0
    ? undefined
    : inParallel(READS_PARALLEL, missing, async (at) => {
      leases[at] = await bring(log, runs[at]!, shares, o.signal);
    });
  const bringNext = () => {
    for (const run of ahead) {
      if (!cache.mayWiden) break;
      const { start, end } = widened(log, run, shares);
      readAhead.start(run.key, run.size, start, end, signal, SLOT);
    }
  };
  if (cache.callsAreDear) bringNext();
  const release = () => {
    for (const lease of leases.splice(0)) lease?.release();
  };
  try {
    await reading;
    if (leases.includes(undefined)) throw new SegmentGoneError("WAL object is gone");
  } catch (error) {
    release();
    throw error;
  }
  log.countRead(bytes);
  const parts = leases.flatMap((lease) => lease!.parts);
  if (cache.callsAreDear) return { parts, bytes, release };
  return { parts, bytes, release: thenBringing(release, bringNext, o.signal) };
}

/**
 * A reader that has its answer works on it: that is the time to bring what it asks for next, where
 * calls take no longer. Before, it would wait for them, or they would compete with what is sent.
 */
export function thenBringing(
  release: () => void,
  bringNext: () => void,
  signal: AbortSignal,
): () => void {
  return () => {
    release();
    if (!signal.aborted) bringNext();
  };
}

/** The runs of whole batches from entry `from` on, and the entry behind them. */
function runsOf(
  log: ReadableLog,
  from: number,
  limit: number,
  maxBytes: number,
  atLeastOne: boolean,
): { runs: TailRun[]; bytes: number; next: number } {
  const { entries } = log.tail;
  const runs: TailRun[] = [];
  let bytes = 0;
  let next = from;
  for (; next < entries.length; next++) {
    const { row, object } = entries[next]!;
    if (row.baseOffset >= limit) break;
    if (bytes + row.length > maxBytes && !(bytes === 0 && atLeastOne)) break;
    bytes += row.length;
    const last = runs.at(-1);
    if (last !== undefined && last.key === object.key && last.end === row.position) {
      last.end += row.length;
    } else {
      const end = row.position + row.length;
      runs.push({ key: object.key, size: object.size, start: row.position, end });
    }
  }
  return { runs, bytes, next };
}

/** By object: bytes of this partition that are read now or soon. */
function sharesOf(runs: readonly TailRun[]): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  for (const { key, start, end } of runs) shares.set(key, (shares.get(key) ?? 0) + end - start);
  return shares;
}

/** What is brought for the sake of a run: all around it, or the run alone. */
function widened(
  log: ReadableLog,
  { key, size, start, end }: TailRun,
  shares: ReadonlyMap<string, number>,
): { start: number; end: number } {
  const { callsAreDear, readAheadBytes: windowBytes } = log.context.cache;
  if (!callsAreDear) return { start, end };
  const from = start - start % windowBytes;
  const to = Math.min(size, Math.max(end, from + windowBytes));
  const shared = (shares.get(key) ?? 0) * SHARES_MAX >= to - from;
  return shared ? { start: from, end: to } : { start, end };
}

/** A run that is not in memory; undefined where the object is gone. */
async function bring(
  log: ReadableLog,
  run: TailRun,
  shares: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<CacheLease | undefined> {
  const { cache } = log.context;
  const { key, size, start, end } = run;
  const wide = cache.mayWiden ? widened(log, run, shares) : run;
  const all = await cache.read(key, size, wide.start, wide.end, signal, SLOT);
  if (all === undefined || (wide.start === start && wide.end === end)) return all;
  try {
    return cache.tryRead(key, start, end) ??
      await cache.read(key, size, start, end, signal, SLOT);
  } finally {
    all.release();
  }
}
