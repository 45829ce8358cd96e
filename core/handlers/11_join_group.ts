/**
 * JoinGroup (key 11), versions 0 to 9. Answered when the rebalance that it takes part in is
 * complete.
 *
 *     JoinGroup => group_id session_timeout rebalance_timeout member_id instance_id protocol_type
 *       [protocol metadata] reason
 *
 * v0 has no rebalance time-out: the session time-out serves for it. From v4 on a new dynamic member
 * is first told its id (MEMBER_ID_REQUIRED, KIP-394). From v9 on a static leader that comes back
 * into an unchanged group is told to skip the assignment (KIP-814).
 */
import { joinGroup } from "../protocol/messages/11_join_group.ts";
import { handler } from "./handler.ts";
import { clientHost } from "./client_host.ts";

const KNOWS_MEMBER_ID_REQUIRED = 4;
const KNOWS_SKIP_ASSIGNMENT = 9;

export const joinGroupHandler = handler(joinGroup, (rooms, context, request) => {
  const { sessionTimeoutMs, rebalanceTimeoutMs } = request;
  return rooms.groups.join({
    groupId: request.groupId,
    memberId: request.memberId,
    groupInstanceId: request.groupInstanceId,
    clientId: context.clientId ?? "",
    clientHost: clientHost(context.remoteAddress),
    sessionTimeoutMs,
    rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
    protocolType: request.protocolType,
    protocols: request.protocols,
    reason: request.reason,
    knowsMemberIdRequired: context.apiVersion >= KNOWS_MEMBER_ID_REQUIRED,
    knowsSkipAssignment: context.apiVersion >= KNOWS_SKIP_ASSIGNMENT,
  });
});
