/**
 * DescribeGroups (key 15), versions 0 to 6.
 *
 *     DescribeGroups => [group_id] include_authorized_operations
 *
 * An unknown group is Dead without an error up to v5, GROUP_ID_NOT_FOUND with a text from v6 on
 * (KIP-1043).
 */
import { ErrorCode } from "../protocol/errors.ts";
import { describeGroups } from "../protocol/messages/15_describe_groups.ts";
import { handler } from "./handler.ts";

const NOT_FOUND_SINCE = 6;

/**
 * READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS, as bits by Kafka's ACL operation
 * codes.
 */
const ALL_GROUP_OPERATIONS = (1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11);

export const describeGroupsHandler = handler(describeGroups, async (rooms, context, request) => {
  const described = await rooms.groups.describe(request.groups);
  const groups = described.map((group) => {
    const hidden = group.errorCode === ErrorCode.GROUP_ID_NOT_FOUND &&
      context.apiVersion < NOT_FOUND_SINCE;
    const errorCode = hidden ? ErrorCode.NONE : group.errorCode;
    // without ACLs everybody may do everything
    const operations = request.includeAuthorizedOperations && errorCode === ErrorCode.NONE;
    return operations
      ? { ...group, errorCode, authorizedOperations: ALL_GROUP_OPERATIONS }
      : { ...group, errorCode };
  });
  return { groups };
});
