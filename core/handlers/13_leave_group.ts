/**
 * LeaveGroup (key 13), versions 0 to 5.
 *
 *     LeaveGroup v0-2 => group_id member_id
 *     LeaveGroup v3+  => group_id [member_id instance_id reason]
 *
 * Before v3 there is one member, whose error is the group's. An administrator leaves the member id
 * empty and names the instance.
 */
import { ErrorCode } from "../protocol/errors.ts";
import { leaveGroup } from "../protocol/messages/13_leave_group.ts";
import { handler } from "./handler.ts";

const BATCHED_SINCE = 3;

export const leaveGroupHandler = handler(leaveGroup, async (rooms, context, request) => {
  if (context.apiVersion >= BATCHED_SINCE) {
    return await rooms.groups.leave(request.groupId, request.members);
  }
  const member = { memberId: request.memberId, groupInstanceId: null, reason: null };
  const { errorCode, members } = await rooms.groups.leave(request.groupId, [member]);
  return { errorCode: errorCode || (members[0]?.errorCode ?? ErrorCode.NONE) };
});
