/** What handlers ask of the coordinator and what it answers; field names are Kafka's. */
import type { ErrorCodeValue } from "../protocol/errors.ts";

export interface MemberProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

export interface JoinRequest {
  readonly groupId: string;
  /** Empty: a new member. */
  readonly memberId: string;
  /** Null: a dynamic member (KIP-345). */
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  /** As DescribeGroups shows it: `/address`. */
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  /** In the member's order of preference. */
  readonly protocols: readonly MemberProtocol[];
  /** Why the client joins, for the log (KIP-800). */
  readonly reason: string | null;
  /** The client understands MEMBER_ID_REQUIRED (KIP-394, JoinGroup v4). */
  readonly knowsMemberIdRequired: boolean;
  /** The client understands skipAssignment (KIP-814, JoinGroup v9). */
  readonly knowsSkipAssignment: boolean;
}

export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Uint8Array;
}

export interface JoinReply {
  readonly errorCode: ErrorCodeValue;
  /** -1 on error. */
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** Empty on error. */
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly memberId: string;
  /** Everybody, for the leader; empty for followers. */
  readonly members: readonly JoinedMember[];
}

export interface SyncRequest {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly generationId: number;
  /** Null: not said (before v5), not checked. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[];
}

export interface SyncReply {
  readonly errorCode: ErrorCodeValue;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Uint8Array;
}

export interface HeartbeatRequest {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly generationId: number;
}

export interface LeavingMember {
  /** Empty: an administrator names the instance only. */
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly reason: string | null;
}

export interface LeaveReply {
  /** Of the group; the members' own codes count only when it is NONE. */
  readonly errorCode: ErrorCodeValue;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly errorCode: ErrorCodeValue;
  }[];
}

export interface DescribedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** Empty unless the group is stable. */
  readonly memberMetadata: Uint8Array;
  readonly memberAssignment: Uint8Array;
}

export interface DescribedGroup {
  /** GROUP_ID_NOT_FOUND for an unknown group, whose state is then Dead. */
  readonly errorCode: ErrorCodeValue;
  readonly errorMessage: string | null;
  readonly groupId: string;
  readonly groupState: string;
  readonly protocolType: string;
  /** The protocol's name; empty unless the group is stable. */
  readonly protocolData: string;
  readonly members: readonly DescribedMember[];
}

export interface ListedGroup {
  readonly groupId: string;
  readonly protocolType: string;
  readonly groupState: string;
  readonly groupType: string;
}

export interface OffsetCommitPartition {
  readonly partitionIndex: number;
  readonly committedOffset: number;
  /** -1: unknown. */
  readonly committedLeaderEpoch: number;
  readonly committedMetadata: string | null;
}

export interface OffsetCommitTopic {
  readonly name: string;
  readonly partitions: readonly OffsetCommitPartition[];
}

export interface OffsetCommit {
  readonly groupId: string;
  /** Negative: not a member's commit. */
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  /** -1: the broker's retention. Clients before OffsetCommit v5 could choose. */
  readonly retentionTimeMs: number;
  /** Answered for a generation of a group that doesn't exist (GROUP_ID_NOT_FOUND from v9). */
  readonly missingGroupError: ErrorCodeValue;
  readonly topics: readonly OffsetCommitTopic[];
}

export interface PartitionResult {
  readonly partitionIndex: number;
  readonly errorCode: ErrorCodeValue;
}

export interface TopicResult {
  readonly name: string;
  readonly partitions: readonly PartitionResult[];
}

export interface OffsetFetch {
  readonly groupId: string;
  /** Null: every topic that the group committed offsets of. */
  readonly topics:
    | readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[]
    | null;
  /** Wait for commits under way. */
  readonly requireStable: boolean;
}

export interface FetchedOffset {
  readonly partitionIndex: number;
  /** -1: none committed. */
  readonly committedOffset: number;
  readonly committedLeaderEpoch: number;
  readonly metadata: string;
  readonly errorCode: ErrorCodeValue;
}

export interface OffsetFetchReply {
  readonly errorCode: ErrorCodeValue;
  readonly topics: readonly { readonly name: string; readonly partitions: FetchedOffset[] }[];
}

export interface OffsetDelete {
  readonly groupId: string;
  readonly topics: readonly { readonly name: string; readonly partitions: readonly number[] }[];
}

export interface OffsetDeleteReply {
  readonly errorCode: ErrorCodeValue;
  readonly topics: readonly TopicResult[];
}
