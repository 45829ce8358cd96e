/**
 * OffsetCommit, OffsetFetch and OffsetDelete between the wire's topic names and a group's ledger.
 */
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import type { Runtime } from "../runtime/mod.ts";
import type { ClassicGroup } from "./classic/group.ts";
import type { GroupSettings, GroupTopics } from "./group_settings.ts";
import type { Ledger, Outcome } from "./ledger.ts";
import type { GroupOffsets, OffsetChange } from "./offsets.ts";
import type {
  FetchedOffset,
  OffsetCommit,
  OffsetCommitPartition,
  OffsetCommitTopic,
  OffsetDelete,
  OffsetFetch,
  OffsetFetchReply,
  PartitionResult,
  TopicResult,
} from "./requests.ts";
import type { CommittedOffset, GroupSnapshot } from "./snapshot.ts";

/** A group in memory with its stored side. */
export interface GroupEntry {
  readonly group: ClassicGroup;
  readonly ledger: Ledger;
}

export interface CheckedCommit {
  /** The offsets that may be stored. */
  readonly changes: readonly OffsetChange[];
  /** Every partition of the request, in order; those to be stored with `stored`. */
  results(stored?: ErrorCodeValue): TopicResult[];
}

export class OffsetRequests {
  readonly #runtime: Runtime;
  readonly #topics: GroupTopics;
  readonly #settings: GroupSettings;

  constructor(options: { runtime: Runtime; topics: GroupTopics; settings: GroupSettings }) {
    this.#runtime = options.runtime;
    this.#topics = options.topics;
    this.#settings = options.settings;
  }

  /** Tells the offsets that can be stored from those of unknown partitions, or too long. */
  check(request: OffsetCommit): CheckedCommit {
    const now = this.#runtime.clock.wallMs();
    const expiresAtMs = request.retentionTimeMs < 0
      ? null
      : Math.min(now + request.retentionTimeMs, Number.MAX_SAFE_INTEGER);
    const changes: OffsetChange[] = [];
    const refused = request.topics.map((topic) =>
      topic.partitions.map((partition) => {
        const known = this.#topics.byName(topic.name);
        const errorCode = this.#refusal(known?.partitionCount ?? 0, partition);
        if (errorCode === ErrorCode.NONE) {
          const value: CommittedOffset = {
            offset: partition.committedOffset,
            leaderEpoch: partition.committedLeaderEpoch,
            metadata: partition.committedMetadata ?? "",
            committedAtMs: now,
            expiresAtMs,
            topicId: known!.id,
          };
          changes.push({ topic: topic.name, partition: partition.partitionIndex, value });
        }
        return errorCode;
      })
    );
    return {
      changes,
      results: (stored = ErrorCode.NONE) => merge(request.topics, refused, stored),
    };
  }

  #refusal(partitionCount: number, partition: OffsetCommitPartition): ErrorCodeValue {
    const { partitionIndex, committedOffset, committedMetadata } = partition;
    if (partitionIndex < 0 || partitionIndex >= partitionCount) {
      return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    }
    if ((committedMetadata?.length ?? 0) > this.#settings.offsetMetadataMaxBytes) {
      return ErrorCode.OFFSET_METADATA_TOO_LARGE;
    }
    // no log has such an offset, and it could not be given back exactly
    if (!Number.isSafeInteger(committedOffset)) return ErrorCode.INVALID_COMMIT_OFFSET_SIZE;
    return ErrorCode.NONE;
  }

  commit(entry: GroupEntry, changes: readonly OffsetChange[]): Promise<Outcome> {
    return entry.ledger.change(changes, baseline(entry.group));
  }

  /** Of a group that is unknown, nothing is committed. */
  async fetch(entry: GroupEntry | undefined, request: OffsetFetch): Promise<OffsetFetchReply> {
    const offsets = entry === undefined ? undefined : await this.#offsetsOf(entry, request);
    if (entry !== undefined && offsets === undefined) {
      return { errorCode: ErrorCode.NOT_COORDINATOR, topics: [] };
    }
    if (request.topics === null) {
      return { errorCode: ErrorCode.NONE, topics: this.#all(offsets) };
    }
    const topics = request.topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partition) => {
        const offset = offsets?.get(name, partition);
        return fetched(partition, offset !== undefined && this.#current(name, offset) && offset);
      }),
    }));
    return { errorCode: ErrorCode.NONE, topics };
  }

  #offsetsOf(
    { ledger }: GroupEntry,
    request: OffsetFetch,
  ): Promise<GroupOffsets | undefined> | GroupOffsets {
    const cached = ledger.cached();
    return cached === undefined || (request.requireStable && ledger.busy)
      ? ledger.offsets()
      : cached;
  }

  #all(offsets: GroupOffsets | undefined): { name: string; partitions: FetchedOffset[] }[] {
    const topics = new Map<string, FetchedOffset[]>();
    for (const { topic, partition, value } of offsets?.entries() ?? []) {
      if (!this.#current(topic, value)) continue;
      const partitions = topics.get(topic) ?? [];
      partitions.push(fetched(partition, value));
      topics.set(topic, partitions);
    }
    return Array.from(topics, ([name, partitions]) => ({ name, partitions }));
  }

  /** False for an offset of a topic that was deleted, whatever topic has its name now (I8). */
  #current(topic: string, offset: CommittedOffset): boolean {
    return this.#topics.byName(topic)?.id === offset.topicId;
  }

  checkDelete(
    group: ClassicGroup,
    request: OffsetDelete,
  ): { changes: OffsetChange[]; topics: TopicResult[] } {
    const changes: OffsetChange[] = [];
    const topics = request.topics.map(({ name, partitions }) => {
      const count = this.#topics.byName(name)?.partitionCount ?? 0;
      const subscribed = group.roster.isSubscribedTo(name);
      const results = partitions.map((partitionIndex): PartitionResult => {
        if (partitionIndex < 0 || partitionIndex >= count) {
          return { partitionIndex, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
        }
        if (subscribed) return { partitionIndex, errorCode: ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC };
        changes.push({ topic: name, partition: partitionIndex, value: undefined });
        return { partitionIndex, errorCode: ErrorCode.NONE };
      });
      return { name, partitions: results };
    });
    return { changes, topics };
  }
}

function fetched(partitionIndex: number, offset: CommittedOffset | false): FetchedOffset {
  return {
    partitionIndex,
    committedOffset: offset ? offset.offset : -1,
    committedLeaderEpoch: offset ? offset.leaderEpoch : -1,
    metadata: offset ? offset.metadata : "",
    errorCode: ErrorCode.NONE,
  };
}

function merge(
  topics: readonly OffsetCommitTopic[],
  refused: readonly (readonly ErrorCodeValue[])[],
  stored: ErrorCodeValue,
): TopicResult[] {
  return topics.map(({ name, partitions }, at) => ({
    name,
    partitions: partitions.map(({ partitionIndex }, index) => ({
      partitionIndex,
      errorCode: refused[at]![index] || stored,
    })),
  }));
}

/** Stored with the first offsets of a group: its members are stored only with their assignments. */
function baseline(group: ClassicGroup): GroupSnapshot {
  return {
    generationId: group.generationId,
    protocolType: group.roster.protocolType,
    protocolName: null,
    leaderId: null,
    stateSinceMs: group.stateSinceMs,
    members: [],
  };
}
