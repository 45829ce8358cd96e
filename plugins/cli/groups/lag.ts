/** How far groups are behind. */
import type { Admin, Group } from "@platformatic/kafka";
import { askCoordinator } from "../client.ts";
import { committedOffsets, EARLIEST, LATEST, listOffsets, partitionsOf } from "./offsets.ts";

export interface Member {
  readonly id: string;
  readonly clientId: string;
  readonly host: string;
}

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  /** Null before the first commit. */
  readonly committed: number | null;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  /** Records from the committed offset, or from the log's start if that is later. */
  readonly lag: number | null;
  /** Who has it now. */
  readonly member: Member | null;
}

export interface GroupLag {
  readonly group: string;
  /** Kafka's name of it; "Dead" where there is no such group. */
  readonly state: string;
  readonly assignor: string;
  readonly members: readonly Member[];
  /** Of all partitions that have a commit. */
  readonly lag: number;
  /** Assigned or committed ones, in order. */
  readonly partitions: readonly PartitionLag[];
}

/** Groups in the order that they are asked for, whether they exist or not. */
export async function groupLags(admin: Admin, groups: readonly string[]): Promise<GroupLag[]> {
  if (groups.length === 0) return [];
  const [listed, described, committed] = await Promise.all([
    // also knows the groups of the newer protocol, which are described by another API
    admin.listGroups(),
    askCoordinator(() => admin.describeGroups({ groups: [...groups] })),
    committedOffsets(admin, groups),
  ]);
  const topics = new Set<string>();
  for (const offsets of committed.values()) for (const topic of offsets.keys()) topics.add(topic);
  for (const group of described.values()) for (const { topic } of owners(group)) topics.add(topic);
  // commits outlive the topics that they are for
  const existing = new Set(await admin.listTopics({ includeInternals: true }));
  const partitions = await partitionsOf(admin, [...topics].filter((each) => existing.has(each)));
  const [starts, ends] = await Promise.all([
    listOffsets(admin, partitions, EARLIEST),
    listOffsets(admin, partitions, LATEST),
  ]);
  return groups.map((name) => {
    const group = described.get(name);
    const offsets = committed.get(name) ?? new Map();
    const owned = new Map(
      owners(group).map(({ topic, partition, member }) => [`${topic}/${partition}`, member]),
    );
    const rows = [...partitions].flatMap(([topic, indexes]) =>
      indexes.map((partition): PartitionLag => {
        const at = offsets.get(topic)?.get(partition) ?? null;
        const logStartOffset = starts.get(topic)?.get(partition) ?? 0;
        const logEndOffset = ends.get(topic)?.get(partition) ?? 0;
        const lag = at === null ? null : Math.max(0, logEndOffset - Math.max(at, logStartOffset));
        const member = owned.get(`${topic}/${partition}`) ?? null;
        return { topic, partition, committed: at, logStartOffset, logEndOffset, lag, member };
      })
    ).filter(({ committed, member }) => committed !== null || member !== null);
    return {
      group: name,
      state: listed.get(name)?.state ?? NO_GROUP,
      assignor: group?.protocol ?? "",
      members: [...group?.members.values() ?? []].map(memberOf),
      lag: rows.reduce((sum, { lag }) => sum + (lag ?? 0), 0),
      partitions: rows.toSorted((a, b) => compare(a.topic, b.topic) || a.partition - b.partition),
    };
  });
}

/** As Kafka says it of a group that there isn't. */
export const NO_GROUP = "Dead";

function owners(group: Group | undefined) {
  return [...group?.members.values() ?? []].flatMap((member) =>
    [...member.assignments?.values() ?? []].flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition, member: memberOf(member) }))
    )
  );
}

function memberOf(each: { id: string; clientId: string; clientHost: string }): Member {
  return { id: each.id, clientId: each.clientId, host: each.clientHost.replace(/^\//, "") };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
