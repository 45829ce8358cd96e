/** What a JoinGroup does to a group; state.ts has the table. */
import { NEW_MEMBER_JOIN_TIMEOUT_MS } from "../../config/limits.ts";
import { ErrorCode } from "../../protocol/errors.ts";
import type { JoinReply, JoinRequest } from "../requests.ts";
import { memberId as makeMemberId } from "./member_id.ts";
import type { ClassicGroup } from "./group.ts";
import { type Member, memberBytes, protocolBytes, sameProtocols } from "./member.ts";
import { joinError } from "./replies.ts";

type Answer = (reply: JoinReply) => void;

/** Answers exactly once: now, when the rebalance ends, or when the group lets the member go. */
export function join(group: ClassicGroup, request: JoinRequest, answer: Answer): void {
  const { memberId } = request;
  if (group.state === "Dead") {
    return answer(joinError(ErrorCode.COORDINATOR_NOT_AVAILABLE, memberId));
  }
  if (!hasRoom(group, request)) {
    const member = group.roster.members.get(memberId);
    if (member !== undefined) {
      group.removeMember(member);
      group.afterRemoval(`${memberId} is above the group's largest size`);
    } else if (group.roster.removePending(memberId)) group.afterPendingRemoval();
    return answer(joinError(ErrorCode.GROUP_MAX_SIZE_REACHED, ""));
  }
  if (!group.roster.supports(request.protocolType, request.protocols)) {
    return answer(joinError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, memberId));
  }
  if (memberId === "") joinNew(group, request, answer);
  else joinKnown(group, request, answer);
}

/** Members who are in already are counted as what they are; joining again takes no room. */
function hasRoom(group: ClassicGroup, request: JoinRequest): boolean {
  const { roster, state } = group;
  const max = group.host.settings.groupMaxSize;
  const knownId = request.memberId ||
    (request.groupInstanceId !== null && roster.staticIds.get(request.groupInstanceId)) || "";
  const known = roster.members.get(knownId);
  if (known === undefined) {
    if (!roster.hasRoomFor(memberBytes(request))) return false;
    const pending = roster.pendingJoins.size - (roster.pendingJoins.has(knownId) ? 1 : 0);
    if (pending >= max) return false;
  } else {
    const more = protocolBytes(request.protocols) - protocolBytes(known.protocols);
    if (more > 0 && !roster.hasRoomFor(more)) return false;
  }
  switch (state) {
    case "PreparingRebalance":
      // by who waits, so that of too many members the last to rejoin are out
      return known?.joinReply !== undefined || roster.awaitingJoin < max;
    case "CompletingRebalance":
    case "Stable":
      return known !== undefined || roster.members.size < max;
    default:
      return true;
  }
}

function joinNew(group: ClassicGroup, request: JoinRequest, answer: Answer): void {
  const { roster } = group;
  const newId = makeMemberId(
    group.host.runtime.random,
    request.groupInstanceId ?? request.clientId,
  );
  if (request.groupInstanceId !== null) {
    const old = roster.members.get(roster.staticIds.get(request.groupInstanceId) ?? "");
    if (old !== undefined) replaceStatic(group, request, old, newId, answer);
    else addMember(group, request, newId, answer);
  } else if (request.knowsMemberIdRequired) {
    group.addPendingMember(newId, request.sessionTimeoutMs);
    answer(joinError(ErrorCode.MEMBER_ID_REQUIRED, newId));
  } else addMember(group, request, newId, answer);
}

function joinKnown(group: ClassicGroup, request: JoinRequest, answer: Answer): void {
  const { memberId, groupInstanceId } = request;
  const { roster } = group;
  // an id that was given out belongs to a dynamic member
  if (roster.pendingJoins.has(memberId) && groupInstanceId === null) {
    return addMember(group, request, memberId, answer);
  }
  const refused = group.checkMember(memberId, groupInstanceId);
  const member = roster.members.get(memberId);
  if (refused !== ErrorCode.NONE || member === undefined) {
    return answer(joinError(refused, memberId));
  }
  const reason = `${memberId} joins again: ${request.reason ?? "no reason given"}`;
  const unchanged = sameProtocols(member.protocols, request.protocols);
  switch (group.state) {
    case "PreparingRebalance":
      return rejoin(group, request, member, reason, answer);
    case "CompletingRebalance":
      // it may not have received the first answer
      if (unchanged) return answer(group.joinAnswer(member));
      return rejoin(group, request, member, reason, answer);
    case "Stable":
      // a leader asks for a rebalance this way, when the topics have changed
      if (unchanged && roster.leaderId !== memberId) return answer(group.joinAnswer(member));
      return rejoin(group, request, member, reason, answer);
    default:
      return answer(joinError(ErrorCode.UNKNOWN_MEMBER_ID, memberId));
  }
}

function addMember(
  group: ClassicGroup,
  request: JoinRequest,
  memberId: string,
  answer: Answer,
): void {
  const member = group.makeMember({ ...request, memberId }, request.protocols);
  member.isNew = true;
  group.noteNewMember();
  group.roster.add(member);
  group.roster.awaitJoin(member, answer);
  // it has no generation to heartbeat with yet
  member.session.set(NEW_MEMBER_JOIN_TIMEOUT_MS);
  group.rebalanceOrComplete(`${memberId} joins: ${request.reason ?? "no reason given"}`);
}

function rejoin(
  group: ClassicGroup,
  request: JoinRequest,
  member: Member,
  reason: string,
  answer: Answer,
): void {
  group.roster.updateProtocols(member, request.protocols);
  member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
  member.sessionTimeoutMs = request.sessionTimeoutMs;
  // the same member on a new connection: whoever still holds the old one should try again
  group.roster.answerJoin(member, joinError(ErrorCode.REBALANCE_IN_PROGRESS, member.memberId));
  group.roster.awaitJoin(member, answer);
  group.rebalanceOrComplete(reason);
}

/** A static member is back without its id: it gets a new one, whoever has the old one is fenced. */
function replaceStatic(
  group: ClassicGroup,
  request: JoinRequest,
  old: Member,
  newId: string,
  answer: Answer,
): void {
  const { roster } = group;
  const formerLeader = roster.leaderId;
  roster.answerJoin(old, joinError(ErrorCode.FENCED_INSTANCE_ID, old.memberId));
  group.answerSync(old, ErrorCode.FENCED_INSTANCE_ID);
  const member = group.makeMember({ ...request, memberId: newId }, request.protocols);
  roster.replace(old, member);
  roster.assign(member, old.assignment);
  member.session.set(member.sessionTimeoutMs);
  roster.awaitJoin(member, answer);
  const reason = `static member ${request.groupInstanceId} is back as ${newId}: ` +
    (request.reason ?? "no reason given");
  if (group.state === "Stable" && roster.selectProtocol() === roster.protocolName) {
    roster.readSubscription();
    void storeReplacement(group, request, old, member, formerLeader);
  } else if (group.state === "PreparingRebalance") group.completeJoinIfAllJoined();
  // also while assignments are being made: the leader knows the member by its old id
  else group.prepareRebalance(reason);
}

/** Answers with the present generation once the new id is stored, without a rebalance. */
async function storeReplacement(
  group: ClassicGroup,
  request: JoinRequest,
  old: Member,
  member: Member,
  formerLeader: string | null,
): Promise<void> {
  const { roster, generationId } = group;
  const errorCode = await group.host.save(group, group.snapshot());
  const answered = roster.members.get(member.memberId) !== member ||
    member.joinReply === undefined;
  // a rebalance that began meanwhile answers the join when it ends
  if (answered || group.state !== "Stable" || group.generationId !== generationId) return;
  if (errorCode !== ErrorCode.NONE) {
    roster.answerJoin(member, joinError(errorCode, ""));
    const restored = group.makeMember(old, old.protocols);
    roster.replace(member, restored);
    roster.assign(restored, member.assignment);
    restored.session.set(restored.sessionTimeoutMs);
    return;
  }
  member.session.set(member.sessionTimeoutMs);
  const current = group.joinAnswer(member);
  const isLeader = roster.leaderId === member.memberId;
  roster.answerJoin(
    member,
    request.knowsSkipAssignment
      ? { ...current, skipAssignment: isLeader }
      // such a client would make new assignments if it were told that it leads
      : { ...current, leader: formerLeader ?? "", members: [] },
  );
}
