/**
 * ListGroups (16) v0-5: Lists the groups that this broker coordinates.
 *
 *   ListGroups v0-5 => [states_filter] [types_filter]
 *   answer => throttle_time_ms error_code [groups group_id protocol_type group_state group_type]
 *
 * v1: throttle time
 * v3: compact lengths and tagged fields (KIP-482)
 * v4: states (KIP-518)
 * v5: types (KIP-848)
 */
import { api, array, int16, int32, string } from "../schema.ts";

export const listGroups = api({
  key: 16,
  name: "ListGroups",
  versions: [0, 5],
  flexibleFrom: 3,
  request: {
    statesFilter: array(string).since(4),
    typesFilter: array(string).since(5),
  },
  response: {
    throttleTimeMs: int32.since(1),
    errorCode: int16,
    groups: array({
      groupId: string,
      protocolType: string,
      groupState: string.since(4),
      groupType: string.since(5),
    }),
  },
});
