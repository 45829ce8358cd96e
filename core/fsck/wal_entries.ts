/**
 * What the commit log holds of each partition, as runs of offsets: the size of what a check keeps
 * grows with the number of partitions and of gaps, not with that of batches.
 */
import { type ChainRef, sameChain } from "../metadata/assignments.ts";
import type { BatchRow } from "../storage/wal/format.ts";
import { type Finding, finding } from "./finding.ts";

/** Consecutive offsets of one leader epoch; `end` is exclusive. */
export interface Run {
  readonly start: number;
  end: number;
  /** Whose slots, or whose adoption record, vouches for them. */
  readonly chain: ChainRef;
  /** Slots of its first and last batch. */
  readonly firstKey: string;
  lastKey: string;
  readonly leaderEpoch: number;
}

/** Entries whose slot is gone. */
export interface LostRun {
  readonly start: number;
  readonly end: number;
  readonly key: string;
}

/** A producer's batches in runs that join. */
interface Sequence {
  /** The first of them. */
  readonly firstOffset: number;
  readonly firstEpoch: number;
  readonly firstSequence: number;
  epoch: number;
  /** The one that comes next. */
  next: number;
}

export interface PartitionEntries {
  readonly runs: Run[];
  readonly lost: LostRun[];
  /** The lowest entry behind the end of an unsealed chain: not committed, as far as one can see. */
  uncommitted:
    | { readonly baseOffset: number; readonly chain: string; readonly gap: number }
    | undefined;
  /** Where the runs begin that join the last one, in the order in which chains are read. */
  followedFrom: number;
  /** Along these runs. */
  readonly producers: Map<number, Sequence>;
}

/** Producers that are followed, over all partitions; the others' sequences are not looked at. */
const PRODUCERS_MAX = 200_000;

const SEQUENCE_MODULUS = 2 ** 31;

export class WalEntries {
  readonly #topics = new Map<string, Map<number, PartitionEntries>>();
  #producers = 0;

  of(topicId: string, partition: number): PartitionEntries | undefined {
    return this.#topics.get(topicId)?.get(partition);
  }

  topicIds(): Iterable<string> {
    return this.#topics.keys();
  }

  /** Partitions of a topic with entries. */
  partitionsOf(topicId: string): Iterable<number> {
    return this.#topics.get(topicId)?.keys() ?? [];
  }

  /** Adds a committed batch of `chain`; within one they come in the order of the log. */
  add(
    topicId: string,
    partition: number,
    row: BatchRow,
    key: string,
    chain: ChainRef,
    found: (finding: Finding) => void,
  ): void {
    const entries = this.#entries(topicId, partition);
    const end = row.baseOffset + row.lastOffsetDelta + 1;
    const last = entries.runs.at(-1);
    const joins = last?.end === row.baseOffset;
    // Who leads again, with nobody in between, goes on in the same chain with a higher epoch.
    if (joins && sameChain(last.chain, chain) && row.leaderEpoch <= last.leaderEpoch) {
      if (row.leaderEpoch < last.leaderEpoch) {
        found(finding(
          "epoch-order",
          key,
          `partition ${partition} of topic ${topicId} has leader epoch ${row.leaderEpoch} at ` +
            `offset ${row.baseOffset}, behind epoch ${last.leaderEpoch}`,
        ));
      }
      last.end = end;
      last.lastKey = key;
    } else {
      // What lay in between is in segments: sequences are followed as far as offsets are.
      if (!joins) {
        this.#producers -= entries.producers.size;
        entries.producers.clear();
        entries.followedFrom = row.baseOffset;
      }
      entries.runs.push({
        start: row.baseOffset,
        end,
        chain,
        firstKey: key,
        lastKey: key,
        leaderEpoch: row.leaderEpoch,
      });
    }
    const fault = this.#follow(entries, row);
    if (fault === undefined) return;
    found(finding(
      "producer-sequence",
      key,
      `partition ${partition} of topic ${topicId}, offset ${row.baseOffset}: producer ` +
        `${row.producerId} ${fault}`,
    ));
  }

  addLost(topicId: string, partition: number, row: BatchRow, key: string): void {
    const end = row.baseOffset + row.lastOffsetDelta + 1;
    this.#entries(topicId, partition).lost.push({ start: row.baseOffset, end, key });
  }

  /** Notes a batch behind the first free slot, `gap`, of a chain that nobody has sealed. */
  addUncommitted(
    topicId: string,
    partition: number,
    baseOffset: number,
    chain: string,
    gap: number,
  ): void {
    const entries = this.#entries(topicId, partition);
    if (baseOffset >= (entries.uncommitted?.baseOffset ?? Infinity)) return;
    entries.uncommitted = { baseOffset, chain, gap };
  }

  #entries(topicId: string, partition: number): PartitionEntries {
    let partitions = this.#topics.get(topicId);
    if (partitions === undefined) this.#topics.set(topicId, partitions = new Map());
    let entries = partitions.get(partition);
    if (entries === undefined) {
      const producers = new Map<number, Sequence>();
      entries = { runs: [], lost: [], uncommitted: undefined, followedFrom: 0, producers };
      partitions.set(partition, entries);
    }
    return entries;
  }

  /** What is wrong with the batch's sequence after the producer's last one, if anything. */
  #follow({ producers }: PartitionEntries, row: BatchRow): string | undefined {
    if (row.producerId < 0 || row.baseSequence < 0) return undefined;
    const known = producers.get(row.producerId);
    const next = (row.baseSequence + row.lastOffsetDelta + 1) % SEQUENCE_MODULUS;
    if (known === undefined) {
      if (this.#producers >= PRODUCERS_MAX) return undefined;
      this.#producers++;
      producers.set(row.producerId, {
        firstOffset: row.baseOffset,
        firstEpoch: row.producerEpoch,
        firstSequence: row.baseSequence,
        epoch: row.producerEpoch,
        next,
      });
      return undefined;
    }
    const { epoch, next: wanted } = known;
    known.epoch = row.producerEpoch;
    known.next = next;
    if (row.producerEpoch < epoch) return `has epoch ${row.producerEpoch} after epoch ${epoch}`;
    if (row.producerEpoch > epoch || row.baseSequence === wanted) return undefined;
    return `has sequence ${row.baseSequence} where ${wanted} comes next`;
  }
}
