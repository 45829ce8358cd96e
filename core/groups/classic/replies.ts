/** Answers of the classic group protocol that carry little but a code. */
import { ErrorCode, type ErrorCodeValue } from "../../protocol/errors.ts";
import type { JoinReply, LeaveReply, LeavingMember, SyncReply } from "../requests.ts";
import { NO_BYTES } from "./member.ts";

export function joinError(errorCode: ErrorCodeValue, memberId: string): JoinReply {
  return {
    errorCode,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: "",
    skipAssignment: false,
    memberId,
    members: [],
  };
}

export function syncError(errorCode: ErrorCodeValue): SyncReply {
  return { errorCode, protocolType: null, protocolName: null, assignment: NO_BYTES };
}

export const OK: ErrorCodeValue = ErrorCode.NONE;

/** For a group that there is not: nobody of them is a member. */
export function leaveOfStrangers(members: readonly LeavingMember[]): LeaveReply {
  return {
    errorCode: ErrorCode.NONE,
    members: members.map(({ memberId, groupInstanceId }) => ({
      memberId,
      groupInstanceId,
      errorCode: ErrorCode.UNKNOWN_MEMBER_ID,
    })),
  };
}
