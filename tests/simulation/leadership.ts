/**
 * Who led what, and when, by the assignment records: written down at the metadata service in the
 * moment of each compare-and-set, so checkers may know what no client can.
 */
import {
  assignmentOf,
  type ChainRef,
  COORDINATORS,
  type PartitionAssignment,
  sameChain,
  type TopicAssignment,
} from "../../core/metadata/assignments.ts";
import { ASSIGNMENTS_PREFIX, TOPICS_PREFIX } from "../../core/metadata/keys.ts";
import type { CommitResult, Transaction } from "../../core/metadata/metadata_store.ts";
import { TopicView } from "../../core/metadata/topic_view.ts";
import type { Runtime } from "../../core/runtime/mod.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import type { History, Moment } from "./history.ts";

/** One incarnation's time as the owner of a partition. */
export interface Reign {
  readonly owner: ChainRef;
  readonly leaderEpoch: number;
  readonly from: Moment;
  /** Infinity while it lasts. */
  to: Moment;
  /** From when on the owner is the target, too; Infinity while another is. */
  wantedFrom: Moment;
}

export class Leadership {
  readonly #reigns = new Map<string, Reign[]>();
  readonly #incarnations = new Map<string, number>();
  /** Topics whose record was deleted: one that comes back late is of a topic that is gone. */
  readonly #deleted = new Set<string>();
  /** The records that were put back last, by topic. */
  #putBack = new Map<string, readonly PartitionAssignment[]>();

  constructor(readonly history: History) {}

  /** The incarnation `number` of the simulation has this broker epoch. */
  register({ brokerId, brokerEpoch }: ChainRef, number: number): void {
    this.#incarnations.set(`${brokerId}/${brokerEpoch}`, number);
  }

  incarnationOf({ brokerId, brokerEpoch }: ChainRef): number {
    return this.#incarnations.get(`${brokerId}/${brokerEpoch}`) ?? -1;
  }

  reigns(topicId: string, partition: number): readonly Reign[] {
    return this.#reigns.get(`${topicId}/${partition}`) ?? [];
  }

  /** The reign of that incarnation which lasted from `start` to `end`, if there is one. */
  heldThroughout(
    incarnation: number,
    topicId: string,
    partition: number,
    start: Moment,
    end: Moment,
  ): Reign | undefined {
    return this.reigns(topicId, partition).find((reign) =>
      reign.from < start && reign.to > end && this.incarnationOf(reign.owner) === incarnation
    );
  }

  /** The record of a topic is another one now; undefined: it is gone. */
  changed(topicId: string, partitions: readonly PartitionAssignment[] | undefined): void {
    const now = this.history.now();
    if (partitions === undefined) this.#deleted.add(topicId);
    for (const [key, reigns] of this.#reigns) {
      if (partitions !== undefined || !key.startsWith(`${topicId}/`)) continue;
      const last = reigns.at(-1);
      if (last !== undefined) last.to = Math.min(last.to, now);
    }
    partitions?.forEach((record, partition) => this.#note(topicId, partition, record, now));
  }

  /**
   * Metadata was put back, with these records: nobody leads by it, for all brokers are down. Epochs
   * of coordinators go back as well: what they fence is metadata, which went back with them.
   */
  restored(records: readonly TopicAssignment[]): void {
    const now = this.history.now();
    this.#putBack = new Map(records.map(({ topicId, partitions }) => [topicId, partitions]));
    for (const [key, reigns] of this.#reigns) {
      if (key.startsWith(`${COORDINATORS}/`)) reigns.length = 0;
      const last = reigns.at(-1);
      if (last !== undefined) last.to = Math.min(last.to, now);
    }
  }

  #note(topicId: string, partition: number, record: PartitionAssignment, now: Moment): void {
    const key = `${topicId}/${partition}`;
    let reigns = this.#reigns.get(key);
    if (reigns === undefined) this.#reigns.set(key, reigns = []);
    const last = reigns.at(-1);
    const { owner, leaderEpoch, target } = record;
    if (last !== undefined && last.to === Infinity) {
      if (sameChain(owner, last.owner) && leaderEpoch === last.leaderEpoch) {
        if (target !== last.owner.brokerId) last.wantedFrom = Infinity;
        else if (last.wantedFrom === Infinity) last.wantedFrom = now;
        return;
      }
      last.to = now;
    }
    if (owner === undefined) return;
    // The owner of before, which is dead, in a record that was put back.
    const before = this.#putBack.get(topicId)?.[partition];
    if (sameChain(owner, before?.owner) && leaderEpoch === before?.leaderEpoch) return;
    const falls = last !== undefined && leaderEpoch <= last.leaderEpoch;
    if (falls && !this.#deleted.has(topicId)) {
      this.history.problem(
        `I2: the leader epoch of ${key} went from ${last.leaderEpoch} to ${leaderEpoch}`,
      );
    }
    const wantedFrom = target === owner.brokerId ? now : Infinity;
    reigns.push({ owner, leaderEpoch, from: now, to: Infinity, wantedFrom });
  }
}

/** The metadata service, whose changes of leaders are written down. */
export class SimMetadata extends MemoryMetadata {
  constructor(runtime: Pick<Runtime, "timers">, readonly leadership: Leadership) {
    super(runtime);
  }

  override commit(tx: Transaction): CommitResult {
    const result = super.commit(tx);
    if (!result.ok) return result;
    for (const op of tx.then) {
      const key = "put" in op ? op.put : op.delete;
      if (!key.startsWith(ASSIGNMENTS_PREFIX)) continue;
      const entry = this.get(key);
      const record = entry === undefined ? undefined : assignmentOf(entry).partitions;
      const topicId = key.slice(ASSIGNMENTS_PREFIX.length);
      if (record === undefined && this.#lives(topicId)) {
        this.leadership.history.problem(`I7: the record of ${topicId}, which lives, was deleted`);
      }
      this.leadership.changed(topicId, record);
    }
    return result;
  }

  override replace(entries: Parameters<MemoryMetadata["replace"]>[0]): void {
    super.replace(entries);
    this.leadership.restored(this.#records());
  }

  override putBack(copy: Parameters<MemoryMetadata["putBack"]>[0]): void {
    super.putBack(copy);
    this.leadership.restored(this.#records());
  }

  #records(): TopicAssignment[] {
    return this.list(ASSIGNMENTS_PREFIX).entries.map(assignmentOf);
  }

  #lives(topicId: string): boolean {
    const topics = new TopicView();
    const { entries, revision } = this.list(TOPICS_PREFIX);
    topics.load(entries, revision);
    return topics.byId(topicId) !== undefined;
  }
}
