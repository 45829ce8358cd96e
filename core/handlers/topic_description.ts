/** How a topic's partitions look to clients: the same in Metadata and DescribeTopicPartitions. */
import type { TopicInfo } from "../metadata/topics.ts";
import { topicNameFault } from "../metadata/topic_names.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import type { ClusterView } from "./rooms.ts";

export interface PartitionDescription {
  readonly errorCode: ErrorCodeValue;
  readonly partitionIndex: number;
  /** -1: none at the moment. */
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly replicaNodes: readonly number[];
  readonly isrNodes: readonly number[];
  readonly offlineReplicas: readonly number[];
}

/**
 * Partitions `from` up to, not including, `to`. Copies are the object store's business, so the
 * leader is the one replica, always in sync.
 */
export function describePartitions(
  cluster: ClusterView,
  topic: TopicInfo,
  from = 0,
  to = topic.partitionCount,
): PartitionDescription[] {
  const partitions: PartitionDescription[] = [];
  for (let partitionIndex = from; partitionIndex < to; partitionIndex++) {
    const { leaderId, leaderEpoch } = cluster.leader(topic.id, partitionIndex);
    const replicas = leaderId < 0 ? [] : [leaderId];
    partitions.push({
      errorCode: leaderId < 0 ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.NONE,
      partitionIndex,
      leaderId,
      leaderEpoch,
      replicaNodes: replicas,
      isrNodes: replicas,
      offlineReplicas: [],
    });
  }
  return partitions;
}

/** Why there is no topic of this name. */
export function missingTopicError(name: string): ErrorCodeValue {
  return topicNameFault(name) === undefined
    ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    : ErrorCode.INVALID_TOPIC_EXCEPTION;
}
