/**
 * IncrementalAlterConfigs (44) v0-1: Sets (0), deletes (1), appends to (2) or subtracts from (3)
 * single configs (KIP-339).
 *
 *   IncrementalAlterConfigs v0-1 => [resources resource_type resource_name [configs name
 *     config_operation value]] validate_only
 *   answer => throttle_time_ms [responses error_code error_message resource_type resource_name]
 *
 * v1: compact lengths and tagged fields (KIP-482)
 */
import { api, array, boolean, int16, int32, int8, string } from "../schema.ts";

export const incrementalAlterConfigs = api({
  key: 44,
  name: "IncrementalAlterConfigs",
  versions: [0, 1],
  flexibleFrom: 1,
  request: {
    resources: array({
      resourceType: int8,
      resourceName: string,
      configs: array({ name: string, configOperation: int8, value: string.nullable() }),
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
