/**
 * Heartbeat (key 12), versions 0 to 4.
 *
 *     Heartbeat => group_id generation member_id instance_id
 *
 * REBALANCE_IN_PROGRESS tells the member to join again.
 */
import { heartbeat } from "../protocol/messages/12_heartbeat.ts";
import { handler } from "./handler.ts";

export const heartbeatHandler = handler(heartbeat, async (rooms, _context, request) => {
  return { errorCode: await rooms.groups.heartbeat(request) };
});
