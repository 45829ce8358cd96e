/** The commit log's part of a partition: it must go on where the manifest ends, without a hole. */
import { sameChain } from "../metadata/assignments.ts";
import { chainSlotOfKey, slotKey } from "../storage/keys.ts";
import type { Manifest, ProducerEntry } from "../storage/manifest.ts";
import { WAL_HEADER_BYTES } from "../storage/wal/format.ts";
import { readChainRecords } from "./catalog.ts";
import type { PartitionCheck } from "./partition_check.ts";
import type { PartitionEntries, Run } from "./wal_entries.ts";

export interface Tail {
  /** Runs that reach beyond the manifest, ascending. */
  readonly runs: readonly Run[];
  /** Where the next rewriting starts: the first entry of a loaded partition's tail. */
  readonly start: number;
  /** Exclusive end of the log. */
  readonly end: number;
  /** Whether all of `[start, end)`, both at or above the log start, is in segments or entries. */
  holds(start: number, end: number): boolean;
}

interface Hole {
  readonly start: number;
  readonly end: number;
}

const SEQUENCE_MODULUS = 2 ** 31;

export async function joinTail(
  check: PartitionCheck,
  manifest: Manifest | undefined,
  entries: PartitionEntries | undefined,
): Promise<Tail> {
  const covered = manifest?.coveredOffset ?? 0;
  const logStart = manifest?.logStartOffset ?? 0;
  const runs = (entries?.runs ?? []).filter((run) => run.end > covered)
    .sort((a, b) => a.start - b.start || a.end - b.end);
  const holes = segmentHoles(manifest);
  let end = covered;
  for (const [index, run] of runs.entries()) {
    const where = `partition ${check.partition} of ${check.topic.name}`;
    if (run.start > end) {
      holes.push({ start: end, end: run.start });
      const lost = entries!.lost.some((each) => each.start < run.start && each.end > end);
      const text = `${where}: offsets ${end} to ${run.start - 1} are in no segment and in no slot`;
      // Where a slot is known to be gone, that is the finding.
      if (!lost) check.found("wal-hole", run.firstKey, text);
    } else if (index > 0 && run.start < end) {
      const text = `${where}: offsets ${run.start} to ${Math.min(end, run.end) - 1} are in other ` +
        `slots, too (${runs[index - 1]!.lastKey})`;
      check.found("wal-overlap", run.firstKey, text);
    }
    end = Math.max(end, run.end);
  }
  const holds = (from: number, to: number): boolean => {
    const start = Math.max(from, logStart);
    if (start >= to) return true;
    return to <= end && !holes.some((hole) => hole.start < to && hole.end > start);
  };
  for (const { start, end: lostEnd, key } of entries?.lost ?? []) {
    if (lostEnd <= covered || holds(start, lostEnd)) continue;
    const text = `is gone, and it alone held offsets ${start} to ${lostEnd - 1} of partition ` +
      `${check.partition} of ${check.topic.name}`;
    check.found("wal-object-missing", key, text);
  }
  checkAssigned(check, runs);
  const start = runs[0]?.start ?? 0;
  checkSequences(check, manifest?.producers ?? [], entries, covered, start);
  await checkGap(check, entries, covered);
  return { runs, start: Math.min(runs[0]?.start ?? covered, covered), end, holds };
}

/** Who takes the partition over reads the chains that its assignment names, and no others. */
function checkAssigned(check: PartitionCheck, runs: readonly Run[]): void {
  const { assignment } = check;
  if (assignment === undefined) return;
  const { owner, sources } = assignment;
  for (const { chain, firstKey, start, end } of runs) {
    if (sameChain(owner, chain) || sources.some((source) => sameChain(source, chain))) continue;
    const text = `offsets ${start} to ${end - 1} of partition ${check.partition} of ` +
      `${check.topic.name} are here alone, and its assignment does not name this chain`;
    check.found("wal-chain-unassigned", firstKey, text);
  }
}

function segmentHoles(manifest: Manifest | undefined): Hole[] {
  const holes: Hole[] = [];
  let end = manifest?.logStartOffset ?? 0;
  for (const { baseOffset, lastOffset } of manifest?.segments ?? []) {
    if (baseOffset > end) holes.push({ start: end, end: baseOffset });
    end = Math.max(end, lastOffset + 1);
  }
  if (manifest !== undefined && end < manifest.coveredOffset) {
    holes.push({ start: end, end: manifest.coveredOffset });
  }
  return holes;
}

/** A producer's first batch in the commit log goes on where the manifest leaves it. */
function checkSequences(
  check: PartitionCheck,
  producers: readonly ProducerEntry[],
  entries: PartitionEntries | undefined,
  covered: number,
  start: number,
): void {
  // Behind entries of another chain a producer's first batch may be a later one.
  if (entries === undefined || entries.followedFrom > start) return;
  for (const { producerId, producerEpoch, batches } of producers) {
    const here = entries.producers.get(producerId);
    const newest = batches.at(-1);
    if (here === undefined || newest === undefined) continue;
    if (here.firstOffset < covered || here.firstEpoch !== producerEpoch) continue;
    const next = (newest.lastSequence + 1) % SEQUENCE_MODULUS;
    if (here.firstSequence === next) continue;
    const text = `producer ${producerId} has sequence ${here.firstSequence} at offset ` +
      `${here.firstOffset}, where ${next} comes next`;
    check.found("producer-sequence", check.prefix, text);
  }
}

/**
 * Only committed entries get into segments. So when a segment holds an entry that lies behind the
 * first free slot of an unsealed chain, that slot was there.
 */
async function checkGap(
  check: PartitionCheck,
  entries: PartitionEntries | undefined,
  covered: number,
): Promise<void> {
  const behind = entries?.uncommitted;
  if (behind === undefined || behind.baseOffset >= covered) return;
  const { bucket, metadata, namespace } = check.context;
  const first = chainSlotOfKey(namespace, `${behind.chain}${"0".repeat(20)}.wal`);
  if (first === undefined) return;
  const { brokerId, brokerEpoch } = first;
  const key = slotKey(namespace, brokerId, brokerEpoch, behind.gap);
  // The broker may be alive, and have filled or deleted it since.
  if (await bucket.get(key, { start: 0, end: WAL_HEADER_BYTES }) !== undefined) return;
  const { chains } = await readChainRecords(await metadata());
  const now = chains.find((each) => each.brokerId === brokerId && each.epoch === brokerEpoch);
  if (now === undefined || now.lowWaterSlot > behind.gap) return;
  const text = `is gone: offset ${behind.baseOffset} of partition ${check.partition} of ` +
    `${check.topic.name}, which a later slot holds, was committed`;
  check.found("wal-gap", key, text);
}
