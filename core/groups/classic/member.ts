/** One member of a classic group. */
import type { JoinReply, JoinRequest, MemberProtocol, SyncReply } from "../requests.ts";
import type { MemberSnapshot } from "../snapshot.ts";
import type { Deadline } from "../deadline.ts";

export const NO_BYTES = new Uint8Array(0);

/** Per member in memory, besides its strings and bytes; for the bound only. */
const MEMBER_BYTES = 400;

export interface Member {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly protocolType: string;
  readonly session: Deadline;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly MemberProtocol[];
  assignment: Uint8Array;
  /** Joined for the first time and not yet answered: it has no id to heartbeat with. */
  isNew: boolean;
  /** Answers the parked JoinGroup; set through Roster.awaitJoin only. */
  joinReply: ((reply: JoinReply) => void) | undefined;
  /** Answers the parked SyncGroup. */
  syncReply: ((reply: SyncReply) => void) | undefined;
}

/** Who a member is, from its JoinGroup or from the store. */
export type Identity = Pick<
  JoinRequest,
  | "memberId"
  | "groupInstanceId"
  | "clientId"
  | "clientHost"
  | "protocolType"
  | "sessionTimeoutMs"
  | "rebalanceTimeoutMs"
>;

export function newMember(
  from: Identity,
  protocols: readonly MemberProtocol[],
  session: Deadline,
): Member {
  return {
    memberId: from.memberId,
    groupInstanceId: from.groupInstanceId,
    clientId: from.clientId,
    clientHost: from.clientHost,
    protocolType: from.protocolType,
    sessionTimeoutMs: from.sessionTimeoutMs,
    rebalanceTimeoutMs: from.rebalanceTimeoutMs,
    protocols,
    session,
    assignment: NO_BYTES,
    isNew: false,
    joinReply: undefined,
    syncReply: undefined,
  };
}

/** What is stored of a member, with its assignment out of `assignments` where they are given. */
export function memberSnapshot(
  member: Member,
  protocolName: string | null,
  assignments: ReadonlyMap<string, Uint8Array> | undefined,
): MemberSnapshot {
  return {
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    sessionTimeoutMs: member.sessionTimeoutMs,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    metadata: metadataOf(member, protocolName),
    assignment: assignments === undefined
      ? member.assignment
      : assignments.get(member.memberId) ?? NO_BYTES,
  };
}

/** The member's metadata for a protocol; empty where it doesn't offer it. */
export function metadataOf(member: Member, protocolName: string | null): Uint8Array {
  return member.protocols.find(({ name }) => name === protocolName)?.metadata ?? NO_BYTES;
}

/** Same protocols, same order, same bytes: joining again changes nothing. */
export function sameProtocols(
  left: readonly MemberProtocol[],
  right: readonly MemberProtocol[],
): boolean {
  if (left.length !== right.length) return false;
  return left.every((protocol, at) => {
    const other = right[at]!;
    return protocol.name === other.name && sameBytes(protocol.metadata, other.metadata);
  });
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

/** What protocols weigh in memory. */
export function protocolBytes(protocols: readonly MemberProtocol[]): number {
  let bytes = 0;
  for (const { name, metadata } of protocols) bytes += name.length + metadata.length;
  return bytes;
}

/** What a member weighs in memory, its assignment excluded. */
export function memberBytes(
  member: Pick<Member, "memberId" | "groupInstanceId" | "clientId" | "protocols">,
): number {
  return MEMBER_BYTES + member.memberId.length * 2 + (member.groupInstanceId?.length ?? 0) * 2 +
    member.clientId.length * 2 + protocolBytes(member.protocols);
}

/** Members that wait for a rebalance need not heartbeat meanwhile, except on their first join. */
export function excusedFromHeartbeat(member: Member): boolean {
  if (member.isNew) return false;
  return member.joinReply !== undefined || member.syncReply !== undefined;
}
