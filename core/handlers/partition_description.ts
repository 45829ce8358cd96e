/** A partition as Metadata and DescribeTopicPartitions tell it. */
import type { TopicInfo } from "../metadata/topics.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import type { Rooms } from "./rooms.ts";

export interface PartitionDescription {
  readonly errorCode: ErrorCodeValue;
  readonly partitionIndex: number;
  readonly leaderId: number;
  readonly leaderEpoch: number;
  /** Its leader, first, and the readers that were given. Brokers hold no copies, so all keep up. */
  readonly replicaNodes: readonly number[];
  readonly isrNodes: readonly number[];
  readonly offlineReplicas: readonly number[];
}

export function describePartition(
  rooms: Rooms,
  topic: TopicInfo,
  partitionIndex: number,
  readers: readonly number[] = [],
): PartitionDescription {
  const { leaderId, leaderEpoch } = rooms.cluster.leader(topic.id, partitionIndex);
  const replicas = leaderId < 0 ? [] : [leaderId, ...readers];
  return {
    errorCode: leaderId < 0 ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.NONE,
    partitionIndex,
    leaderId,
    leaderEpoch,
    replicaNodes: replicas,
    isrNodes: replicas,
    offlineReplicas: [],
  };
}
