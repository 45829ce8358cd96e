/**
 * ConsumerGroupDescribe (69) v0-1: Describes groups of the consumer protocol (KIP-848).
 *
 *   ConsumerGroupDescribe v0-1 => [group_ids] include_authorized_operations
 *   answer => throttle_time_ms [groups error_code error_message group_id group_state group_epoch
 *     assignment_epoch assignor_name [members member_id instance_id rack_id member_epoch
 *     client_id client_host [subscribed_topic_names] subscribed_topic_regex {assignment
 *     [topic_partitions topic_id topic_name [partitions]]} {target_assignment [topic_partitions
 *     topic_id topic_name [partitions]]} member_type] authorized_operations]
 *
 * v0: compact lengths and tagged fields (KIP-482)
 * v1: member types (KIP-1099)
 */
import { api, array, boolean, int16, int32, int8, string, struct, uuid } from "../schema.ts";

const topicPartitions = { topicId: uuid, topicName: string, partitions: array(int32) };
const assignment = { topicPartitions: array(topicPartitions) };

export const consumerGroupDescribe = api({
  key: 69,
  name: "ConsumerGroupDescribe",
  versions: [0, 1],
  flexibleFrom: 0,
  request: {
    groupIds: array(string),
    includeAuthorizedOperations: boolean,
  },
  response: {
    throttleTimeMs: int32,
    groups: array({
      errorCode: int16,
      errorMessage: string.orNull(),
      groupId: string,
      groupState: string,
      groupEpoch: int32,
      assignmentEpoch: int32,
      assignorName: string,
      members: array({
        memberId: string,
        instanceId: string.orNull(),
        rackId: string.orNull(),
        memberEpoch: int32,
        clientId: string,
        clientHost: string,
        subscribedTopicNames: array(string),
        subscribedTopicRegex: string.orNull(),
        assignment: struct(assignment),
        targetAssignment: struct(assignment),
        memberType: int8.or(-1).since(1),
      }),
      authorizedOperations: int32.or(-(2 ** 31)),
    }),
  },
});
