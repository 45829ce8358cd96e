/**
 * OffsetCommit (8) v2-9: Stores a group's offsets.
 *
 *   OffsetCommit v2-9 => group_id generation_id_or_member_epoch member_id group_instance_id
 *     retention_time_ms [topics name [partitions partition_index committed_offset
 *     committed_leader_epoch committed_metadata]]
 *   answer => throttle_time_ms [topics name [partitions partition_index error_code]]
 *
 * v3: throttle time
 * v5: no retention time any more (KIP-211)
 * v6: leader epochs (KIP-320)
 * v7: static membership (KIP-345)
 * v8: compact lengths and tagged fields (KIP-482)
 * v9: member epochs of the consumer protocol (KIP-848)
 */
import { api, array, int16, int32, int64, string } from "../schema.ts";

export const offsetCommit = api({
  key: 8,
  name: "OffsetCommit",
  versions: [2, 9],
  flexibleFrom: 8,
  request: {
    groupId: string,
    /** -1: no member, a plain commit. */
    generationIdOrMemberEpoch: int32.or(-1),
    memberId: string,
    groupInstanceId: string.orNull().since(7),
    /** -1: the broker's setting. */
    retentionTimeMs: int64.or(-1).until(4),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.or(-1).since(6),
        committedMetadata: string.nullable(),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.since(3),
    topics: array({
      name: string,
      partitions: array({ partitionIndex: int32, errorCode: int16 }),
    }),
  },
});
