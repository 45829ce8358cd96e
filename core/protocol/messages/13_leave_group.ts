/**
 * LeaveGroup (13) v0-5: Removes members from a classic group.
 *
 *   LeaveGroup v0-5 => group_id member_id [members member_id group_instance_id reason]
 *   answer => throttle_time_ms error_code [members member_id group_instance_id error_code]
 *
 * v1: throttle time
 * v3: many members, static ones too (KIP-345)
 * v4: compact lengths and tagged fields (KIP-482)
 * v5: reason (KIP-800)
 */
import { api, array, int16, int32, string } from "../schema.ts";

export const leaveGroup = api({
  key: 13,
  name: "LeaveGroup",
  versions: [0, 5],
  flexibleFrom: 4,
  request: {
    groupId: string,
    memberId: string.until(2),
    members: array({
      memberId: string,
      groupInstanceId: string.orNull(),
      reason: string.orNull().since(5),
    }).since(3),
  },
  response: {
    throttleTimeMs: int32.since(1),
    errorCode: int16,
    members: array({
      memberId: string,
      groupInstanceId: string.nullable(),
      errorCode: int16,
    }).since(3),
  },
});
