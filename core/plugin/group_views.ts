/** Groups and their lag, as plugins see them. */
import type { GroupCoordinator } from "../groups/coordinator.ts";
import type { GroupEntry } from "../groups/offset_requests.ts";
import { boundedMap } from "../handlers/bounded_map.ts";
import type { Logs } from "../log/logs.ts";
import { PartitionLogState } from "../log/partition_log.ts";
import type { TopicRegistry } from "../metadata/topics.ts";
import type { GroupView, LagView, MemberView, PartitionLag } from "./broker_view.ts";

/** Partitions that one question for lag loads at the same time. */
const LOADS_PARALLEL = 16;

export function groupView({ group }: GroupEntry): GroupView {
  const { groupId, state, generationId, roster } = group;
  return {
    groupId,
    type: "classic",
    state,
    protocolType: roster.protocolType,
    protocol: roster.protocolName,
    generationId,
    members: roster.members.size,
  };
}

export function memberViews({ group }: GroupEntry): MemberView[] {
  return Array.from(group.roster.members.values(), (member) => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
  }));
}

export interface LagRooms {
  readonly groups: GroupCoordinator;
  readonly topics: TopicRegistry;
  readonly logs: Logs;
}

/** See BrokerView.lag. */
export async function groupLag(
  { groups, topics, logs }: LagRooms,
  groupId: string,
  loadsMax: number,
): Promise<LagView | undefined> {
  const ledger = groups.entry(groupId)?.ledger;
  if (ledger === undefined) return undefined;
  let loads = 0;
  let offsets = ledger.cached();
  if (offsets === undefined) {
    if (loadsMax < 1) return undefined;
    loads++;
    offsets = await ledger.offsets();
    if (offsets === undefined) return undefined;
  }
  // of a topic that was deleted an offset counts as never committed (I8)
  const committed = Array.from(offsets.entries())
    .filter(({ topic, value }) => topics.byName(topic)?.id === value.topicId);
  const partitions = await boundedMap(
    committed,
    LOADS_PARALLEL,
    async ({ topic, partition, value }): Promise<PartitionLag> => {
      let log = logs.loadedAt(value.topicId, partition);
      if (log === undefined && loads < loadsMax) {
        loads++;
        const state = await logs.state(value.topicId, partition);
        if (state instanceof PartitionLogState) log = state;
      }
      return {
        topic,
        partition,
        committedOffset: value.offset,
        committedAtMs: value.committedAtMs,
        highWatermark: log?.highWatermark ?? null,
        lag: log === undefined ? null : Math.max(0, log.highWatermark - value.offset),
      };
    },
  );
  return { partitions, loads };
}
