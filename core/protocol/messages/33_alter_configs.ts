/**
 * AlterConfigs (33) v0-2: Replaces all configs of a resource. Old: IncrementalAlterConfigs takes
 * its place (KIP-339).
 *
 *   AlterConfigs v0-2 => [resources resource_type resource_name [configs name value]]
 *     validate_only
 *   answer => throttle_time_ms [responses error_code error_message resource_type resource_name]
 *
 * v2: compact lengths and tagged fields (KIP-482)
 */
import { api, array, boolean, int16, int32, int8, string } from "../schema.ts";

export const alterConfigs = api({
  key: 33,
  name: "AlterConfigs",
  versions: [0, 2],
  flexibleFrom: 2,
  request: {
    resources: array({
      resourceType: int8,
      resourceName: string,
      configs: array({ name: string, value: string.nullable() }),
    }),
    validateOnly: boolean,
  },
  response: {
    throttleTimeMs: int32,
    responses: array({
      errorCode: int16,
      errorMessage: string.nullable(),
      resourceType: int8,
      resourceName: string,
    }),
  },
});
