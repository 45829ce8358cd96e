/**
 * Heartbeat (12) v0-4: Keeps a member of a classic group alive, and learns of a rebalance.
 *
 *   Heartbeat v0-4 => group_id generation_id member_id group_instance_id
 *   answer => throttle_time_ms error_code
 *
 * v1: throttle time
 * v3: static membership (KIP-345)
 * v4: compact lengths and tagged fields (KIP-482)
 */
import { api, int16, int32, string } from "../schema.ts";

export const heartbeat = api({
  key: 12,
  name: "Heartbeat",
  versions: [0, 4],
  flexibleFrom: 4,
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.orNull().since(3),
  },
  response: {
    throttleTimeMs: int32.since(1),
    errorCode: int16,
  },
});
