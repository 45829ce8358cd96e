/**
 * DescribeGroups (15) v0-6: Describes classic groups and their members.
 *
 *   DescribeGroups v0-6 => [groups] include_authorized_operations
 *   answer => throttle_time_ms [groups error_code error_message group_id group_state
 *     protocol_type protocol_data [members member_id group_instance_id client_id client_host
 *     member_metadata member_assignment] authorized_operations]
 *
 * v1: throttle time
 * v3: authorized operations (KIP-430)
 * v4: static membership (KIP-345)
 * v5: compact lengths and tagged fields (KIP-482)
 * v6: GROUP_ID_NOT_FOUND with a text, instead of a dead group (KIP-1043)
 */
import { api, array, boolean, bytes, int16, int32, string } from "../schema.ts";

export const describeGroups = api({
  key: 15,
  name: "DescribeGroups",
  versions: [0, 6],
  flexibleFrom: 5,
  request: {
    groups: array(string),
    includeAuthorizedOperations: boolean.since(3),
  },
  response: {
    throttleTimeMs: int32.since(1),
    groups: array({
      errorCode: int16,
      errorMessage: string.orNull().since(6),
      groupId: string,
      groupState: string,
      protocolType: string,
      protocolData: string,
      members: array({
        memberId: string,
        groupInstanceId: string.orNull().since(4),
        clientId: string,
        clientHost: string,
        memberMetadata: bytes,
        memberAssignment: bytes,
      }),
      authorizedOperations: int32.or(-(2 ** 31)).since(3),
    }),
  },
});
