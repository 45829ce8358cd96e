/** What Heartbeat, LeaveGroup and OffsetCommit do to a group's members; state.ts has the table. */
import { ErrorCode, type ErrorCodeValue } from "../../protocol/errors.ts";
import type { HeartbeatRequest, LeaveReply, LeavingMember } from "../requests.ts";
import type { ClassicGroup } from "./group.ts";
import { CONSUMER_PROTOCOL } from "./subscription.ts";

export function heartbeat(group: ClassicGroup, request: HeartbeatRequest): ErrorCodeValue {
  if (group.state === "Dead") return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  const refused = group.checkMember(request.memberId, request.groupInstanceId);
  if (refused !== ErrorCode.NONE) return refused;
  if (request.generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION;
  extendSession(group, request.memberId);
  return group.state === "PreparingRebalance" ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE;
}

/** Everything that a member says while it is in the group shows that it lives. */
function extendSession(group: ClassicGroup, memberId: string): void {
  const member = group.roster.members.get(memberId);
  // on its first join a member has the longer time of those who cannot heartbeat
  if (member !== undefined && !member.isNew) member.session.set(member.sessionTimeoutMs);
}

export function leave(group: ClassicGroup, leaving: readonly LeavingMember[]): LeaveReply {
  if (group.state === "Dead") {
    return { errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, members: [] };
  }
  const before = group.roster.members.size;
  const members = leaving.map((member) => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    errorCode: removeLeaving(group, member),
  }));
  const left = before - group.roster.members.size;
  if (left > 0) group.afterRemoval(`${left} members left`);
  else group.afterPendingRemoval();
  return { errorCode: ErrorCode.NONE, members };
}

function removeLeaving(group: ClassicGroup, leaving: LeavingMember): ErrorCodeValue {
  const { roster } = group;
  const { groupInstanceId } = leaving;
  let memberId = leaving.memberId;
  if (memberId === "") {
    // an administrator removes a static member by its instance id
    const known = groupInstanceId === null ? undefined : roster.staticIds.get(groupInstanceId);
    if (known === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
    memberId = known;
  } else if (roster.removePending(memberId)) return ErrorCode.NONE;
  const refused = group.checkMember(memberId, groupInstanceId);
  const member = roster.members.get(memberId);
  if (refused !== ErrorCode.NONE || member === undefined) return refused;
  group.host.runtime.log.info("member leaves its group", {
    group: group.groupId,
    member: memberId,
    reason: leaving.reason ?? "no reason given",
  });
  group.removeMember(member);
  return ErrorCode.NONE;
}

export interface Committer {
  /** Negative: not a member's commit. */
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

/** NONE, or why the committer may not commit offsets; a commit also counts as a heartbeat. */
export function admitCommit(group: ClassicGroup, from: Committer): ErrorCodeValue {
  if (group.state === "Dead") return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  if (from.generationId < 0 && group.state === "Empty") return ErrorCode.NONE;
  if (from.generationId < 0 && from.memberId === "" && from.groupInstanceId === null) {
    return ErrorCode.UNKNOWN_MEMBER_ID;
  }
  const refused = group.checkMember(from.memberId, from.groupInstanceId);
  if (refused !== ErrorCode.NONE) return refused;
  if (from.generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION;
  if (group.state === "CompletingRebalance") return ErrorCode.REBALANCE_IN_PROGRESS;
  extendSession(group, from.memberId);
  return ErrorCode.NONE;
}

/** NONE, or why the group may not be deleted. */
export function admitDelete(group: ClassicGroup): ErrorCodeValue {
  if (group.state === "Dead") return ErrorCode.GROUP_ID_NOT_FOUND;
  return group.state === "Empty" ? ErrorCode.NONE : ErrorCode.NON_EMPTY_GROUP;
}

/**
 * NONE, or why no offset of the group may be deleted: of its topics, only a consumer's are known.
 */
export function admitOffsetDelete(group: ClassicGroup): ErrorCodeValue {
  if (group.state === "Dead") return ErrorCode.GROUP_ID_NOT_FOUND;
  if (group.state === "Empty" || group.roster.protocolType === CONSUMER_PROTOCOL) {
    return ErrorCode.NONE;
  }
  return ErrorCode.NON_EMPTY_GROUP;
}

/**
 * Wall time from which the retention of an offset counts, or undefined when it cannot expire now:
 * for a group that members have left, since then; for simple consumers, and for topics that a
 * stable group of consumers doesn't read, since the commit.
 */
export function retentionStartMs(
  group: ClassicGroup,
  topic: string,
  committedAtMs: number,
): number | undefined {
  const { roster, state } = group;
  if (roster.protocolType === null) return committedAtMs;
  if (state === "Empty") return group.stateSinceMs;
  const known = roster.protocolType === CONSUMER_PROTOCOL && roster.subscription !== null;
  if (state !== "Stable" || !known || roster.isSubscribedTo(topic)) return undefined;
  return committedAtMs;
}
