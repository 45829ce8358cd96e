/**
 * SyncGroup (key 14), versions 0 to 5. Answered when the leader's assignments are stored.
 *
 *     SyncGroup => group_id generation member_id instance_id protocol_type protocol_name
 *       [member_id assignment]
 *
 * Assignments pass through untouched. From v5 on protocol type and name have to match (KIP-559).
 */
import { ErrorCode } from "../protocol/errors.ts";
import { syncGroup } from "../protocol/messages/14_sync_group.ts";
import { handler } from "./handler.ts";

const PROTOCOL_SINCE = 5;

export const syncGroupHandler = handler(syncGroup, (rooms, context, request) => {
  const unnamed = request.protocolType === null || request.protocolName === null;
  if (context.apiVersion >= PROTOCOL_SINCE && unnamed) {
    return { errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL };
  }
  return rooms.groups.sync(request);
});
