/**
 * DeleteGroups (42) v0-2: Deletes empty groups and their offsets (KIP-229).
 *
 *   DeleteGroups v0-2 => [groups_names]
 *   answer => throttle_time_ms [results group_id error_code]
 *
 * v2: compact lengths and tagged fields (KIP-482)
 */
import { api, array, int16, int32, string } from "../schema.ts";

export const deleteGroups = api({
  key: 42,
  name: "DeleteGroups",
  versions: [0, 2],
  flexibleFrom: 2,
  request: {
    groupsNames: array(string),
  },
  response: {
    throttleTimeMs: int32,
    results: array({ groupId: string, errorCode: int16 }),
  },
});
