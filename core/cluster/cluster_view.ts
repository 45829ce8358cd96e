import type { BrokerInfo, ClusterView } from "../handlers/rooms.ts";
import { type AssignmentView, COORDINATORS } from "../metadata/assignments.ts";
import type { Membership } from "./membership.ts";
import type { Preferences } from "./preferences.ts";
import { readReplicas } from "./read_replicas.ts";

/** The cluster as its metadata says: live brokers, and leaders by the assignment records. */
export function clusterView(
  clusterId: string,
  membership: Membership,
  assignments: AssignmentView,
  preferences: Preferences,
  self: () => BrokerInfo,
  shardOf: (groupId: string) => number,
): ClusterView {
  const leader = (topicId: string, partition: number) => {
    const record = assignments.partition(topicId, partition);
    if (record === undefined) return { leaderId: -1, leaderEpoch: -1 };
    const { owner, target, leaderEpoch } = record;
    // Until it has released, the owner serves; a dead one doesn't, and its successor soon will.
    const serving = owner !== undefined && membership.isLive(owner) ? owner.brokerId : target;
    const live = membership.brokers().some(({ brokerId }) => brokerId === serving);
    return { leaderId: live ? serving : -1, leaderEpoch: Math.max(leaderEpoch, 0) };
  };
  const replicas = (topicId: string, partition: number) => {
    const { leaderId } = leader(topicId, partition);
    return readReplicas(membership.brokers(), leaderId, topicId, partition);
  };
  return {
    clusterId,
    brokerId: membership.self.brokerId,
    get controllerId() {
      return membership.controllerId;
    },
    brokers() {
      const live = membership.brokers().map(({ brokerId, host, port, rack }): BrokerInfo => ({
        nodeId: brokerId,
        host,
        port,
        rack,
      }));
      // While it is not registered itself, a client that is here needs an address all the same.
      const listed = live.some(({ nodeId }) => nodeId === membership.self.brokerId);
      return listed ? live : [...live, self()].sort((a, b) => a.nodeId - b.nodeId);
    },
    leader,
    isNew: (topicId, at) => (assignments.partition(topicId, at)?.leaderEpoch ?? -1) < 0,
    shared: true,
    canLead: (brokerId) => preferences.canLead(brokerId),
    placement: (topicId, partition) => preferences.placement(topicId, partition),
    prefer: (topicId, wanted) => preferences.prefer(topicId, wanted),
    readReplicas: replicas,
    readReplica(topicId, partition, rack) {
      const ofRack = new Set(
        membership.brokers().filter((each) => each.rack === rack).map(({ brokerId }) => brokerId),
      );
      return replicas(topicId, partition).find((brokerId) => ofRack.has(brokerId)) ?? -1;
    },
    coordinator: (groupId) => leader(COORDINATORS, shardOf(groupId)).leaderId,
  };
}
