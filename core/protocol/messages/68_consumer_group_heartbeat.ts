/**
 * ConsumerGroupHeartbeat (68) v0-1: The one request of the consumer group protocol: joins,
 * reports, gets its assignment, leaves (KIP-848).
 *
 *   ConsumerGroupHeartbeat v0-1 => group_id member_id member_epoch instance_id rack_id
 *     rebalance_timeout_ms [subscribed_topic_names] subscribed_topic_regex server_assignor
 *     [topic_partitions topic_id [partitions]]
 *   answer => throttle_time_ms error_code error_message member_id member_epoch
 *     heartbeat_interval_ms {assignment [topic_partitions topic_id [partitions]]}
 *
 * v0: compact lengths and tagged fields (KIP-482)
 * v1: subscription by regular expression (KIP-848), member ids made by the client (KIP-1082)
 */
import { api, array, int16, int32, string, struct, uuid } from "../schema.ts";

const topicPartitions = { topicId: uuid, partitions: array(int32) };

export const consumerGroupHeartbeat = api({
  key: 68,
  name: "ConsumerGroupHeartbeat",
  versions: [0, 1],
  flexibleFrom: 0,
  request: {
    groupId: string,
    memberId: string,
    /** 0 joins, -1 leaves, -2 leaves and will be back (static). */
    memberEpoch: int32,
    instanceId: string.orNull(),
    rackId: string.orNull(),
    rebalanceTimeoutMs: int32.or(-1),
    subscribedTopicNames: array(string).orNull(),
    subscribedTopicRegex: string.orNull().since(1),
    serverAssignor: string.orNull(),
    topicPartitions: array({ topicId: uuid, partitions: array(int32) }).orNull(),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.orNull(),
    memberId: string.orNull(),
    memberEpoch: int32,
    heartbeatIntervalMs: int32,
    assignment: struct({ topicPartitions: array(topicPartitions) }).orNull(),
  },
});
