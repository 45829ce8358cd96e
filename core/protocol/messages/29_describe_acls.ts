/**
 * DescribeAcls (29) v1-3: Lists the ACLs that match a filter.
 *
 *   DescribeAcls v1-3 => resource_type_filter resource_name_filter pattern_type_filter
 *     principal_filter host_filter operation permission_type
 *   answer => throttle_time_ms error_code error_message [resources resource_type resource_name
 *     pattern_type [acls principal host operation permission_type]]
 *
 * v2: compact lengths and tagged fields (KIP-482)
 * v3: user resources (KIP-373)
 */
import { api, array, int16, int32, int8, string } from "../schema.ts";

export const describeAcls = api({
  key: 29,
  name: "DescribeAcls",
  versions: [1, 3],
  flexibleFrom: 2,
  request: {
    resourceTypeFilter: int8,
    resourceNameFilter: string.nullable(),
    patternTypeFilter: int8.or(3),
    principalFilter: string.nullable(),
    hostFilter: string.nullable(),
    operation: int8,
    permissionType: int8,
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable(),
    resources: array({
      resourceType: int8,
      resourceName: string,
      patternType: int8.or(3),
      acls: array({
        principal: string,
        host: string,
        operation: int8,
        permissionType: int8,
      }),
    }),
  },
});
