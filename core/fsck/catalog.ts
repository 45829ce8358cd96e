/** What the metadata says there should be. */
import { assignmentOf, type PartitionAssignment } from "../metadata/assignments.ts";
import {
  ASSIGNMENTS_PREFIX,
  BROKER_CHAINS_PREFIX,
  brokerChainsOf,
  type ChainRecord,
  type Entry,
  GROUP_HEADS_PREFIX,
  LIVE_TOPICS_PREFIX,
  MetadataError,
  type MetadataStore,
  offsetOfKey,
  offsetsPrefix,
  TOPIC_DELETION,
  TOPIC_DELETIONS_PREFIX,
  TOPIC_NAME_USED,
  type TopicInfo,
  TOPICS_PREFIX,
  unseal,
  USED_NAMES_PREFIX,
} from "../metadata/mod.ts";
import { topicOf } from "../metadata/topic_view.ts";
import { unsealHead, unsealOffset } from "../groups/snapshot.ts";
import { type Finding, finding } from "./finding.ts";

/** Topics as of one revision. */
export interface Topics {
  readonly byId: ReadonlyMap<string, TopicInfo>;
  readonly byDirectory: ReadonlyMap<string, TopicInfo>;
  /** Ids of topics whose deletion the metadata remembers. */
  readonly deletedIds: ReadonlySet<string>;
  /** Directories whose objects a broker is still to delete. */
  readonly dyingDirectories: ReadonlySet<string>;
  /** Names of deleted topics, with the id of the last one that had it. */
  readonly usedNames: ReadonlyMap<string, string>;
  readonly findings: readonly Finding[];
}

export async function readTopics(metadata: MetadataStore): Promise<Topics> {
  const byId = new Map<string, TopicInfo>();
  const byDirectory = new Map<string, TopicInfo>();
  const deletedIds = new Set<string>();
  const dyingDirectories = new Set<string>();
  const usedNames = new Map<string, string>();
  const findings: Finding[] = [];
  const { entries } = await metadata.list(TOPICS_PREFIX);
  for (const entry of entries) {
    tolerantly(entry, findings, () => {
      if (entry.key.startsWith(LIVE_TOPICS_PREFIX)) {
        const topic = topicOf(entry);
        const other = byDirectory.get(topic.directory);
        if (other !== undefined) {
          const text = `has the directory ${topic.directory}, which is the topic ${other.name}'s`;
          findings.push(finding("topic-directory-shared", entry.key, text));
        }
        byId.set(topic.id, topic);
        byDirectory.set(topic.directory, topic);
      } else if (entry.key.startsWith(TOPIC_DELETIONS_PREFIX)) {
        const deletion = unseal(TOPIC_DELETION, entry.key, entry.value);
        deletedIds.add(deletion.topic_id);
        dyingDirectories.add(deletion.directory);
      } else if (entry.key.startsWith(USED_NAMES_PREFIX)) {
        const used = unseal(TOPIC_NAME_USED, entry.key, entry.value);
        deletedIds.add(used.last_topic_id);
        usedNames.set(used.name, used.last_topic_id);
      }
    });
  }
  return { byId, byDirectory, deletedIds, dyingDirectories, usedNames, findings };
}

/**
 * Whether the metadata proves that the topic of a directory, which is no live one's, was deleted:
 * the directory without a suffix is that of the first topic of its name, so a later one has its
 * own. Of topics in between nothing is kept; metadata that is older than the bucket lacks the
 * newest.
 */
export function isProvenDeleted({ usedNames }: Topics, directory: string): boolean {
  const tilde = directory.lastIndexOf("~");
  if (tilde < 0) return usedNames.has(directory);
  const last = usedNames.get(directory.slice(0, tilde));
  return last !== undefined && tilde + 1 < directory.length &&
    last.startsWith(directory.slice(tilde + 1));
}

/** Assignments by topic id; brokers that lead everything by themselves write none. */
export type Assignments = ReadonlyMap<string, readonly PartitionAssignment[]>;

export async function readAssignments(
  metadata: MetadataStore,
): Promise<{ assignments: Assignments; findings: readonly Finding[] }> {
  const assignments = new Map<string, readonly PartitionAssignment[]>();
  const findings: Finding[] = [];
  const { entries } = await metadata.list(ASSIGNMENTS_PREFIX);
  for (const entry of entries) {
    tolerantly(entry, findings, () => {
      const { topicId, partitions } = assignmentOf(entry);
      assignments.set(topicId, partitions);
    });
  }
  return { assignments, findings };
}

/** The chains that may hold unadopted entries, and the epochs that were given out. */
export interface Chains {
  readonly chains: readonly ChainRecord[];
  /** Broker id to its last epoch. */
  readonly lastEpochs: ReadonlyMap<number, number>;
  readonly findings: readonly Finding[];
}

export async function readChainRecords(metadata: MetadataStore): Promise<Chains> {
  const chains: ChainRecord[] = [];
  const lastEpochs = new Map<number, number>();
  const findings: Finding[] = [];
  const { entries } = await metadata.list(BROKER_CHAINS_PREFIX);
  for (const entry of entries) {
    tolerantly(entry, findings, () => {
      const of = brokerChainsOf(entry);
      lastEpochs.set(of.brokerId, of.lastEpoch);
      chains.push(...of.chains);
    });
  }
  return { chains, lastEpochs, findings };
}

/** The greatest offset that a group has committed for a partition. */
export interface CommittedMaximum {
  readonly offset: number;
  readonly groupId: string;
  readonly key: string;
}

/** By topic id and partition: as much as there are partitions, whatever the number of groups. */
export type CommittedMaxima = ReadonlyMap<string, ReadonlyMap<number, CommittedMaximum>>;

export interface Committed {
  readonly maxima: CommittedMaxima;
  readonly groups: number;
  readonly findings: readonly Finding[];
}

export async function readCommitted(metadata: MetadataStore): Promise<Committed> {
  const maxima = new Map<string, Map<number, CommittedMaximum>>();
  const findings: Finding[] = [];
  const heads = await metadata.list(GROUP_HEADS_PREFIX);
  for (const head of heads.entries) {
    const groupId = tolerantly(head, findings, () => unsealHead(head.key, head.value).groupId);
    if (groupId === undefined) continue;
    const { entries } = await metadata.list(offsetsPrefix(groupId));
    for (const entry of entries) {
      const id = offsetOfKey(groupId, entry.key);
      const committed = tolerantly(entry, findings, () => unsealOffset(entry.key, entry.value));
      if (id === undefined || committed === undefined) continue;
      const { offset, topicId } = committed;
      let partitions = maxima.get(topicId);
      if (partitions === undefined) maxima.set(topicId, partitions = new Map());
      if (offset <= (partitions.get(id.partition)?.offset ?? -1)) continue;
      partitions.set(id.partition, { offset, groupId, key: entry.key });
    }
  }
  return { maxima, groups: heads.entries.length, findings };
}

/** A record that cannot be read is a finding, and the others are looked at all the same. */
function tolerantly<T>(entry: Entry, findings: Finding[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    findings.push(finding("metadata-damaged", entry.key, error.message));
    return undefined;
  }
}
