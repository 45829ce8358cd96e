/** Groups as DescribeGroups and ListGroups show them. */
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import type { ClassicGroup } from "./classic/group.ts";
import { metadataOf, NO_BYTES } from "./classic/member.ts";
import type { DescribedGroup, ListedGroup } from "./requests.ts";

export function describe(group: ClassicGroup): DescribedGroup {
  const { roster } = group;
  const stable = group.state === "Stable";
  return {
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    groupId: group.groupId,
    groupState: group.state,
    protocolType: roster.protocolType ?? "",
    protocolData: stable ? roster.protocolName ?? "" : "",
    members: Array.from(roster.members.values(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: stable ? metadataOf(member, roster.protocolName) : NO_BYTES,
      memberAssignment: member.assignment,
    })),
  };
}

/** A group that is not there, or of which nothing can be said now. */
export function missing(groupId: string, errorCode: ErrorCodeValue): DescribedGroup {
  const unknown = errorCode === ErrorCode.GROUP_ID_NOT_FOUND;
  return {
    errorCode,
    errorMessage: unknown ? `Group ${groupId} not found.` : null,
    groupId,
    groupState: unknown ? "Dead" : "",
    protocolType: "",
    protocolData: "",
    members: [],
  };
}

export function listed(group: ClassicGroup): ListedGroup {
  return {
    groupId: group.groupId,
    protocolType: group.roster.protocolType ?? "",
    groupState: group.state,
    groupType: "classic",
  };
}
