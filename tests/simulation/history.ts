/**
 * What clients saw: each call with its start and end. What a checker says about a run, it says from
 * this alone. An append without a clear answer stays "maybe": it may show up, once, or never.
 */

import type { Leadership } from "./leadership.ts";
import type { ReadRecord } from "./record_batch.ts";

/** Virtual time is too coarse to order by: ticks count recorded moments. */
export type Moment = number;

export type Outcome = "open" | "acked" | "refused" | "maybe";

/** One batch, over all its retries. */
export interface ProduceCall {
  readonly producer: string;
  readonly idempotent: boolean;
  readonly topicId: string;
  readonly partition: number;
  /** Position among the producer's batches for this partition. */
  readonly sequence: number;
  readonly values: readonly string[];
  readonly start: Moment;
  end: Moment;
  outcome: Outcome;
  /** Where the broker said that the first record lies. */
  baseOffset: number;
  /** Who answered; -1 while nobody has. */
  incarnation: number;
}

/** One answered read of one partition, by Fetch or ListOffsets. */
export interface Observation {
  readonly reader: string;
  /** Number of the broker incarnation that answered. */
  readonly incarnation: number;
  readonly topicId: string;
  readonly partition: number;
  readonly start: Moment;
  readonly end: Moment;
  readonly logStartOffset: number;
  /** -1 where the answer has none. */
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly records: readonly { readonly offset: number; readonly value: string }[];
}

export interface TopicEvent {
  readonly kind: "create" | "delete";
  readonly name: string;
  /** Empty while unknown. */
  topicId: string;
  readonly start: Moment;
  end: Moment;
  outcome: Outcome;
  /** Who acknowledged it; -1 while nobody has. */
  incarnation: number;
}

/** One DeleteRecords of one partition. */
export interface TrimCall {
  readonly topicId: string;
  readonly partition: number;
  /** As asked; Infinity: all that there is. */
  readonly offset: number;
  readonly start: Moment;
  end: Moment;
  outcome: Outcome;
  /** The log start offset that was answered. */
  lowWatermark: number;
  /** Who answered; -1 while nobody has. */
  incarnation: number;
}

/** A committed group offset, written or read. */
export interface OffsetCall {
  readonly kind: "commit" | "fetch";
  readonly group: string;
  readonly member: string;
  readonly topic: string;
  readonly partition: number;
  readonly start: Moment;
  end: Moment;
  outcome: Outcome;
  /** -1: none is committed. */
  offset: number;
  /** Who answered; -1 while nobody has. */
  incarnation: number;
}

/** What a member of a group was told in one generation. */
export interface AssignmentSeen {
  readonly group: string;
  readonly generation: number;
  readonly member: string;
  readonly partitions: readonly number[];
}

/** A whole partition, read when everything had come to rest. */
export interface FinalLog {
  readonly topicId: string;
  readonly partition: number;
  readonly logStartOffset: number;
  readonly highWatermark: number;
  readonly records: readonly { readonly offset: number; readonly value: string }[];
}

/** A time in which a broker could not reach the metadata service. */
export interface MetadataCut {
  readonly incarnation: number;
  readonly from: Moment;
  /** Infinity while it lasts. */
  to: Moment;
}

/** A produce that was answered with NOT_LEADER_OR_FOLLOWER. */
export interface NotLeader {
  readonly incarnation: number;
  readonly topicId: string;
  readonly partition: number;
  readonly start: Moment;
  readonly end: Moment;
}

export class History {
  readonly produced: ProduceCall[] = [];
  readonly observed: Observation[] = [];
  /** Records that brokers gave which did not lead their partition all the while. */
  followed = 0;
  readonly topics: TopicEvent[] = [];
  readonly trims: TrimCall[] = [];
  /** Topics in which retention may delete anything, by id. */
  readonly retained = new Set<string>();
  readonly offsets: OffsetCall[] = [];
  readonly assignments: AssignmentSeen[] = [];
  readonly finals: FinalLog[] = [];
  /** Of a cluster: who led what, and whom metadata was out of reach for. */
  leadership: Leadership | undefined;
  readonly cuts: MetadataCut[] = [];
  /** Refusals by somebody who was no leader, as it said. */
  readonly notLeader: NotLeader[] = [];
  /** Values of batches that were broken on purpose: no reader may ever see one. */
  readonly poison = new Set<string>();
  /** What was wrong at once, in words. */
  readonly problems: string[] = [];
  /** By partition: offset → leader epoch of its batch, as it was read first. */
  readonly epochs = new Map<string, Map<number, number>>();
  #moment: Moment = 0;

  /** I2: the leader epoch of a batch is a part of it and never changes. */
  sawEpochs(topicId: string, partition: number, records: readonly ReadRecord[]): void {
    const key = `${topicId}/${partition}`;
    let known = this.epochs.get(key);
    if (known === undefined) this.epochs.set(key, known = new Map());
    for (const { offset, leaderEpoch } of records) {
      const before = known.get(offset);
      if (before === undefined) known.set(offset, leaderEpoch);
      else if (before !== leaderEpoch) {
        this.problem(`I2: ${key} offset ${offset} had leader epoch ${before}, now ${leaderEpoch}`);
      }
    }
  }

  now(): Moment {
    return ++this.#moment;
  }

  problem(text: string): void {
    if (this.problems.length < 100) this.problems.push(text);
  }
}
