/** A partition as Metadata and DescribeTopicPartitions tell it. */
import type { TopicInfo } from "../metadata/topics.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import type { Rooms } from "./rooms.ts";

export interface PartitionDescription {
  readonly errorCode: ErrorCodeValue;
  readonly partitionIndex: number;
  readonly leaderId: number;
  readonly leaderEpoch: number;
  /**
   * The leader, and who serves reads of it in other racks, since a client goes to no other broker.
   * The object store replicates; brokers hold no copies.
   */
  readonly replicaNodes: readonly number[];
  readonly isrNodes: readonly number[];
  readonly offlineReplicas: readonly number[];
}

export function describePartition(
  rooms: Rooms,
  topic: TopicInfo,
  partitionIndex: number,
): PartitionDescription {
  const { leaderId, leaderEpoch } = rooms.cluster.leader(topic.id, partitionIndex);
  const readers = rooms.cluster.readReplicas(topic.id, partitionIndex);
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
