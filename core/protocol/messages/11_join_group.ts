/**
 * JoinGroup (11) v0-9: Enters a classic group, or its next generation; answered when the
 * generation is complete.
 *
 *   JoinGroup v0-9 => group_id session_timeout_ms rebalance_timeout_ms member_id
 *     group_instance_id protocol_type [protocols name metadata] reason
 *   answer => throttle_time_ms error_code generation_id protocol_type protocol_name leader
 *     skip_assignment member_id [members member_id group_instance_id metadata]
 *
 * v1: rebalance timeout (KIP-62)
 * v2: throttle time
 * v4: MEMBER_ID_REQUIRED before the first join (KIP-394)
 * v5: static membership (KIP-345)
 * v6: compact lengths and tagged fields (KIP-482)
 * v7: protocol type in the response (KIP-559)
 * v8: reason (KIP-800)
 * v9: the leader may be told to skip the assignment (KIP-814)
 */
import { api, array, boolean, bytes, int16, int32, string } from "../schema.ts";

export const joinGroup = api({
  key: 11,
  name: "JoinGroup",
  versions: [0, 9],
  flexibleFrom: 6,
  request: {
    groupId: string,
    sessionTimeoutMs: int32,
    /** -1: the session timeout. */
    rebalanceTimeoutMs: int32.or(-1).since(1),
    memberId: string,
    groupInstanceId: string.orNull().since(5),
    protocolType: string,
    protocols: array({ name: string, metadata: bytes }),
    reason: string.orNull().since(8),
  },
  response: {
    throttleTimeMs: int32.since(2),
    errorCode: int16,
    generationId: int32.or(-1),
    protocolType: string.orNull().since(7),
    protocolName: string.nullable(7),
    leader: string,
    skipAssignment: boolean.since(9),
    memberId: string,
    members: array({
      memberId: string,
      groupInstanceId: string.orNull().since(5),
      metadata: bytes,
    }),
  },
});
