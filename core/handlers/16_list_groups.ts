/**
 * ListGroups (key 16), versions 0 to 5.
 *
 *     ListGroups => [state] [type]
 *
 * Filters by state (v4, KIP-518) and type (v5, KIP-848) go without regard to case; empty ones let
 * everything through.
 */
import { listGroups } from "../protocol/messages/16_list_groups.ts";
import { handler } from "./handler.ts";

export const listGroupsHandler = handler(
  listGroups,
  (rooms, _context, request) => rooms.groups.list(request.statesFilter, request.typesFilter),
);
