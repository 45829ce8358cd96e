/**
 * DescribeTopicPartitions (75) v0: Describes topics page by page: at most so many partitions,
 * then a cursor (KIP-966).
 *
 *   DescribeTopicPartitions v0 => [topics name] response_partition_limit {cursor topic_name
 *     partition_index}
 *   answer => throttle_time_ms [topics error_code name topic_id is_internal [partitions
 *     error_code partition_index leader_id leader_epoch [replica_nodes] [isr_nodes]
 *     [eligible_leader_replicas] [last_known_elr] [offline_replicas]]
 *     topic_authorized_operations] {next_cursor topic_name partition_index}
 *
 * v0: compact lengths and tagged fields (KIP-482)
 */
import { api, array, boolean, int16, int32, string, struct, uuid } from "../schema.ts";

export const describeTopicPartitions = api({
  key: 75,
  name: "DescribeTopicPartitions",
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    topics: array({ name: string }),
    responsePartitionLimit: int32.or(2000),
    cursor: struct({ topicName: string, partitionIndex: int32 }).orNull(),
  },
  response: {
    throttleTimeMs: int32,
    topics: array({
      errorCode: int16,
      name: string.nullable(),
      topicId: uuid,
      isInternal: boolean,
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.or(-1),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        eligibleLeaderReplicas: array(int32).orNull(),
        lastKnownElr: array(int32).orNull(),
        offlineReplicas: array(int32),
      }),
      topicAuthorizedOperations: int32.or(-(2 ** 31)),
    }),
    nextCursor: struct({ topicName: string, partitionIndex: int32 }).orNull(),
  },
});
