import type { BrokerInfo, ClusterView } from "../handlers/rooms.ts";

/** The cluster as one broker alone sees it: it leads everything, from epoch 0 on. */
export function singleNode(clusterId: string, self: () => BrokerInfo): ClusterView {
  return {
    clusterId,
    get brokerId() {
      return self().nodeId;
    },
    get controllerId() {
      return self().nodeId;
    },
    brokers: () => [self()],
    readReplicas: () => [],
    readReplica: () => -1,
    coordinator: () => self().nodeId,
    shared: false,
    canLead: (brokerId) => brokerId === self().nodeId,
    placement: () => ({ ownerId: self().nodeId, preferredId: -1, movingTo: undefined }),
    prefer: () => Promise.resolve(),
    isNew: () => false,
    leader: () => ({ leaderId: self().nodeId, leaderEpoch: LEADER_EPOCH }),
  };
}

/** A restart of the same broker changes no leader: nothing that was visible can be taken back. */
export const LEADER_EPOCH = 0;
