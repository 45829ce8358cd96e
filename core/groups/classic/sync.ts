/** What a SyncGroup does to a group; state.ts has the table. */
import { GROUP_STATE_BYTES_MAX } from "../../config/limits.ts";
import { ErrorCode, type ErrorCodeValue } from "../../protocol/errors.ts";
import type { SyncReply, SyncRequest } from "../requests.ts";
import type { ClassicGroup } from "./group.ts";
import { metadataOf } from "./member.ts";
import { syncError } from "./replies.ts";

type Answer = (reply: SyncReply) => void;

/** Answers exactly once: now, or when the leader's assignments are stored or given up. */
export function sync(group: ClassicGroup, request: SyncRequest, answer: Answer): void {
  const { roster } = group;
  const refused = refusal(group, request);
  const member = roster.members.get(request.memberId);
  if (refused !== ErrorCode.NONE || member === undefined) return answer(syncError(refused));
  group.noteSync(member.memberId);
  if (group.state === "Stable") {
    return answer({
      errorCode: ErrorCode.NONE,
      protocolType: roster.protocolType,
      protocolName: roster.protocolName,
      assignment: member.assignment,
    });
  }
  // the same member on a new connection: whoever still holds the old one should try again
  group.answerSync(member, ErrorCode.REBALANCE_IN_PROGRESS);
  member.syncReply = answer;
  if (roster.leaderId === member.memberId) void storeAssignments(group, request);
}

function refusal(group: ClassicGroup, request: SyncRequest): ErrorCodeValue {
  if (group.state === "Dead") return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  const unknown = group.checkMember(request.memberId, request.groupInstanceId);
  if (unknown !== ErrorCode.NONE) return unknown;
  if (request.generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION;
  const { protocolType, protocolName } = group.roster;
  if (
    differs(request.protocolType, protocolType) || differs(request.protocolName, protocolName)
  ) return ErrorCode.INCONSISTENT_GROUP_PROTOCOL;
  if (group.state === "PreparingRebalance") return ErrorCode.REBALANCE_IN_PROGRESS;
  return group.state === "Empty" ? ErrorCode.UNKNOWN_MEMBER_ID : ErrorCode.NONE;
}

/** Names that both sides know and that are not the same (KIP-559). */
function differs(said: string | null, known: string | null): boolean {
  return said !== null && known !== null && said !== known;
}

/** Stores the leader's assignments, untouched; then, and only then, members receive them. */
async function storeAssignments(group: ClassicGroup, request: SyncRequest): Promise<void> {
  const { generationId } = group;
  const assignments = new Map<string, Uint8Array>();
  for (const { memberId, assignment } of request.assignments) {
    assignments.set(memberId, assignment);
  }
  const errorCode = fits(group, assignments)
    ? await group.host.save(group, group.snapshot(assignments))
    : ErrorCode.MESSAGE_TOO_LARGE;
  // a rebalance that began meanwhile has answered everybody
  if (group.state !== "CompletingRebalance" || group.generationId !== generationId) return;
  if (errorCode === ErrorCode.NONE) return group.propagateAssignments(assignments);
  group.failSyncs(errorCode);
  group.prepareRebalance(`assignments could not be stored (error ${errorCode})`);
}

function fits(group: ClassicGroup, assignments: ReadonlyMap<string, Uint8Array>): boolean {
  let bytes = 0;
  for (const member of group.roster.members.values()) {
    bytes += metadataOf(member, group.roster.protocolName).length +
      (assignments.get(member.memberId)?.length ?? 0);
  }
  return bytes <= GROUP_STATE_BYTES_MAX;
}
