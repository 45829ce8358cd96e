/** What of a group is stored, and its records' forms. */
import {
  COMMITTED_OFFSET,
  CONSUMER_GROUP,
  CONSUMER_GROUP_MEMBERS,
  seal,
  unseal,
} from "../metadata/mod.ts";

export interface MemberSnapshot {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** For the selected protocol only. */
  readonly metadata: Uint8Array;
  readonly assignment: Uint8Array;
}

/** A group between rebalances: with members it is Stable, without it is Empty. */
export interface GroupSnapshot {
  readonly generationId: number;
  /** Null: only simple consumers ever committed here. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leaderId: string | null;
  /** Wall time since when the group is in this state; offsets of an empty group age from here. */
  readonly stateSinceMs: number;
  readonly members: readonly MemberSnapshot[];
}

/** Names one write: which coordinator instance, and which of its writes. */
export interface WriteId {
  readonly writer: string;
  readonly sequence: number;
}

export interface GroupHead extends WriteId {
  readonly groupId: string;
  readonly snapshot: Omit<GroupSnapshot, "members">;
}

export interface CommittedOffset {
  readonly offset: number;
  /** -1: unknown. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly committedAtMs: number;
  /** Null: by the broker's retention. */
  readonly expiresAtMs: number | null;
  /** Of a topic that was deleted, the offset counts as never committed (I8). */
  readonly topicId: string;
}

export function sealHead(head: GroupHead, state: "Empty" | "Stable"): Uint8Array {
  const { snapshot } = head;
  return seal(CONSUMER_GROUP, {
    group_id: head.groupId,
    state,
    protocol_type: snapshot.protocolType ?? "",
    protocol: snapshot.protocolName ?? "",
    leader: snapshot.leaderId ?? "",
    generation_id: snapshot.generationId,
    state_since: new Date(snapshot.stateSinceMs).toISOString(),
    writer: head.writer,
    sequence: head.sequence,
  });
}

/** Throws a fatal MetadataError that names the key when the bytes are damaged. */
export function unsealHead(key: string, bytes: Uint8Array): GroupHead {
  const record = unseal(CONSUMER_GROUP, key, bytes);
  const stateSinceMs = Date.parse(record.state_since);
  return {
    groupId: record.group_id,
    writer: record.writer,
    sequence: record.sequence,
    snapshot: {
      generationId: record.generation_id,
      protocolType: record.protocol_type || null,
      protocolName: record.protocol || null,
      leaderId: record.leader || null,
      stateSinceMs: Number.isNaN(stateSinceMs) ? 0 : stateSinceMs,
    },
  };
}

export function sealMembers(members: readonly MemberSnapshot[]): Uint8Array {
  return seal(CONSUMER_GROUP_MEMBERS, {
    members: members.map((member) => ({
      client_id: member.clientId,
      client_host: member.clientHost,
      member_id: member.memberId,
      is_static: member.groupInstanceId !== null,
      instance_id: member.groupInstanceId ?? "",
      session_timeout_ms: member.sessionTimeoutMs,
      rebalance_timeout_ms: member.rebalanceTimeoutMs,
      metadata: member.metadata,
      assignment: member.assignment,
    })),
  });
}

export function unsealMembers(key: string, bytes: Uint8Array): MemberSnapshot[] {
  return unseal(CONSUMER_GROUP_MEMBERS, key, bytes).members.map((member) => ({
    memberId: member.member_id,
    groupInstanceId: member.is_static ? member.instance_id : null,
    clientId: member.client_id,
    clientHost: member.client_host,
    sessionTimeoutMs: member.session_timeout_ms,
    rebalanceTimeoutMs: member.rebalance_timeout_ms,
    metadata: member.metadata,
    assignment: member.assignment,
  }));
}

export function sealOffset(offset: CommittedOffset): Uint8Array {
  return seal(COMMITTED_OFFSET, {
    offset: offset.offset,
    metadata: offset.metadata,
    committed_at: new Date(offset.committedAtMs).toISOString(),
    leader_epoch: offset.leaderEpoch,
    topic_id: offset.topicId,
    expires_at_ms: offset.expiresAtMs ?? 0,
  });
}

export function unsealOffset(key: string, bytes: Uint8Array): CommittedOffset {
  const record = unseal(COMMITTED_OFFSET, key, bytes);
  const committedAtMs = Date.parse(record.committed_at);
  return {
    offset: record.offset,
    leaderEpoch: record.leader_epoch,
    metadata: record.metadata,
    committedAtMs: Number.isNaN(committedAtMs) ? 0 : committedAtMs,
    expiresAtMs: record.expires_at_ms === 0 ? null : record.expires_at_ms,
    topicId: record.topic_id,
  };
}
