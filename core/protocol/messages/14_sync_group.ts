/**
 * SyncGroup (14) v0-5: Hands the leader's assignment to the coordinator and each member its
 * part.
 *
 *   SyncGroup v0-5 => group_id generation_id member_id group_instance_id protocol_type
 *     protocol_name [assignments member_id assignment]
 *   answer => throttle_time_ms error_code protocol_type protocol_name assignment
 *
 * v1: throttle time
 * v3: static membership (KIP-345)
 * v4: compact lengths and tagged fields (KIP-482)
 * v5: protocol type and name, which must match (KIP-559)
 */
import { api, array, bytes, int16, int32, string } from "../schema.ts";

export const syncGroup = api({
  key: 14,
  name: "SyncGroup",
  versions: [0, 5],
  flexibleFrom: 4,
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.orNull().since(3),
    protocolType: string.orNull().since(5),
    protocolName: string.orNull().since(5),
    assignments: array({ memberId: string, assignment: bytes }),
  },
  response: {
    throttleTimeMs: int32.since(1),
    errorCode: int16,
    protocolType: string.orNull().since(5),
    protocolName: string.orNull().since(5),
    assignment: bytes,
  },
});
