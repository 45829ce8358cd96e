/**
 * DeleteGroups (key 42), versions 0 to 2.
 *
 *     DeleteGroups => [group_id]
 *
 * Only empty groups can be deleted (NON_EMPTY_GROUP); their offsets go with them.
 */
import { deleteGroups } from "../protocol/messages/42_delete_groups.ts";
import { handler } from "./handler.ts";

export const deleteGroupsHandler = handler(deleteGroups, async (rooms, _context, request) => {
  const errorCodes = await rooms.groups.deleteGroups(request.groupsNames);
  const results = request.groupsNames.map((groupId, at) => ({
    groupId,
    errorCode: errorCodes[at]!,
  }));
  return { results };
});
