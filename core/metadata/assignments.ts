/**
 * Who leads which partition: one record per topic, changed by compare-and-set alone
 * (docs/decisions/0008), and a view of all of them in memory.
 */
import { changeKey } from "./cas.ts";
import { seal, unseal } from "./envelope.ts";
import { assignmentKey, ASSIGNMENTS_PREFIX } from "./keys.ts";
import type { Compare, Entry, MetadataStore, Op, Revision, WatchEvent } from "./metadata_store.ts";
import { TOPIC_ASSIGNMENT } from "./records.ts";

/** The pseudo topic whose partitions are the shards of group coordinators. */
export const COORDINATORS = "coordinators";

/** One incarnation of a broker, and so its chain. */
export interface ChainRef {
  readonly brokerId: number;
  readonly brokerEpoch: number;
}

export interface PartitionAssignment {
  /** Broker id that shall lead; -1: none. */
  readonly target: number;
  /** Broker id that an operator asked for; -1: none. */
  readonly preferred: number;
  /** -1 until somebody led it. */
  readonly leaderEpoch: number;
  /** The incarnation that leads. */
  readonly owner: ChainRef | undefined;
  /** Other chains that may hold entries that no manifest covers. */
  readonly sources: readonly ChainRef[];
}

export interface TopicAssignment {
  readonly topicId: string;
  /** By partition index. */
  readonly partitions: readonly PartitionAssignment[];
}

export const UNASSIGNED: PartitionAssignment = {
  target: -1,
  preferred: -1,
  leaderEpoch: -1,
  owner: undefined,
  sources: [],
};

export function sameChain(a: ChainRef | undefined, b: ChainRef | undefined): boolean {
  return a?.brokerId === b?.brokerId && a?.brokerEpoch === b?.brokerEpoch;
}

/**
 * Changes a topic's record by compare-and-set. `change` sees what is there (undefined: no record)
 * and returns the new partitions, `"delete"`, or undefined to leave it. It may run several times.
 * Returns the record as it is afterwards.
 */
export async function changeAssignment(
  store: MetadataStore,
  topicId: string,
  change: (
    partitions: readonly PartitionAssignment[] | undefined,
  ) => readonly PartitionAssignment[] | undefined,
): Promise<readonly PartitionAssignment[] | undefined> {
  return await changeKey(store, assignmentKey(topicId), (entry) => {
    const present = entry === undefined ? undefined : assignmentOf(entry).partitions;
    const partitions = change(present);
    if (partitions === undefined) return { result: present };
    return { value: encodeAssignment({ topicId, partitions }), result: partitions };
  });
}

/**
 * The record of a topic that gets further partitions from `from` on, to be led by the brokers that
 * `preferred` names: for a new topic the first record, otherwise what `entry` holds and they.
 */
export function assignmentWith(
  topicId: string,
  entry: Entry | undefined,
  from: number,
  preferred: readonly number[],
): { if: Compare; then: Op } {
  const present = entry === undefined ? [] : assignmentOf(entry).partitions;
  const last = Math.max(present.length, from + preferred.length);
  const partitions = Array.from({ length: last }, (_, at) => {
    const partition = present[at] ?? UNASSIGNED;
    return at < from ? partition : { ...partition, preferred: preferred[at - from] ?? -1 };
  });
  const key = assignmentKey(topicId);
  return {
    if: { key, revision: entry?.revision ?? 0 },
    then: { put: key, value: encodeAssignment({ topicId, partitions }) },
  };
}

/** Deletes a topic's record, whatever it says: the topic is gone. */
export async function deleteAssignment(store: MetadataStore, topicId: string): Promise<void> {
  await store.commit({ if: [], then: [{ delete: assignmentKey(topicId) }] });
}

export function encodeAssignment({ topicId, partitions }: TopicAssignment): Uint8Array {
  const chain = ({ brokerId, brokerEpoch }: ChainRef) => ({
    broker_id: brokerId,
    broker_epoch: brokerEpoch,
  });
  return seal(TOPIC_ASSIGNMENT, {
    topic_id: topicId,
    partitions: partitions.map(({ target, preferred, leaderEpoch, owner, sources }) => ({
      target,
      preferred,
      leader_epoch: leaderEpoch,
      owner: owner === undefined ? [] : [chain(owner)],
      sources: sources.map(chain),
    })),
  });
}

export function assignmentOf(entry: Entry): TopicAssignment {
  const record = unseal(TOPIC_ASSIGNMENT, entry.key, entry.value);
  const chain = (c: { broker_id: number; broker_epoch: number }): ChainRef => ({
    brokerId: c.broker_id,
    brokerEpoch: c.broker_epoch,
  });
  return {
    topicId: record.topic_id,
    partitions: record.partitions.map((p) => ({
      target: p.target,
      preferred: p.preferred,
      leaderEpoch: p.leader_epoch,
      owner: p.owner[0] === undefined ? undefined : chain(p.owner[0]),
      sources: p.sources.map(chain),
    })),
  };
}

/** Whether a record has the chain as an owner's, or as one that may hold entries. */
export function namesChain(records: AssignmentView, chain: ChainRef): boolean {
  for (const { partitions } of records.all()) {
    const named = partitions.some(({ owner, sources }) =>
      sameChain(owner, chain) || sources.some((source) => sameChain(source, chain))
    );
    if (named) return true;
  }
  return false;
}

/** All records at one revision. Pure: no I/O, no time. */
export class AssignmentView {
  readonly #topics = new Map<string, { value: TopicAssignment; revision: Revision }>();

  of(topicId: string): TopicAssignment | undefined {
    return this.#topics.get(topicId)?.value;
  }

  partition(topicId: string, partition: number): PartitionAssignment | undefined {
    return this.#topics.get(topicId)?.value.partitions[partition];
  }

  /** The record with the revision of its last write. */
  known(
    topicId: string,
  ):
    | { readonly revision: Revision; readonly partitions: TopicAssignment["partitions"] }
    | undefined {
    const held = this.#topics.get(topicId);
    return held && { revision: held.revision, partitions: held.value.partitions };
  }

  *all(): Generator<TopicAssignment> {
    for (const { value } of this.#topics.values()) yield value;
  }

  load(entries: readonly Entry[]): void {
    const present = new Set(entries.map((entry) => entry.key));
    for (const topicId of [...this.#topics.keys()]) {
      if (!present.has(assignmentKey(topicId))) this.#topics.delete(topicId);
    }
    for (const entry of entries) this.#put(entry);
  }

  apply(events: readonly WatchEvent[]): void {
    for (const event of events) {
      if (event.type === "put") this.#put(event.entry);
      else this.#topics.delete(event.key.slice(ASSIGNMENTS_PREFIX.length));
    }
  }

  #put(entry: Entry): void {
    const topicId = entry.key.slice(ASSIGNMENTS_PREFIX.length);
    const held = this.#topics.get(topicId);
    if (held !== undefined && held.revision >= entry.revision) return;
    this.#topics.set(topicId, { value: assignmentOf(entry), revision: entry.revision });
  }
}
