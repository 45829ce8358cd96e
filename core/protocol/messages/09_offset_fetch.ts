/**
 * OffsetFetch (9) v1-9: Reads a group's offsets; null topics means all that have one.
 *
 *   OffsetFetch v1-9 => group_id [topics name [partition_indexes]] [groups group_id member_id
 *     member_epoch [topics name [partition_indexes]]] require_stable
 *   answer => throttle_time_ms [topics name [partitions partition_index committed_offset
 *     committed_leader_epoch metadata error_code]] error_code [groups group_id [topics name
 *     [partitions partition_index committed_offset committed_leader_epoch metadata error_code]]
 *     error_code]
 *
 * v2: null topics, top-level error
 * v3: throttle time
 * v5: leader epochs (KIP-320)
 * v6: compact lengths and tagged fields (KIP-482)
 * v7: only stable offsets, on wish (KIP-447)
 * v8: many groups in one request (KIP-709)
 * v9: member epochs of the consumer protocol (KIP-848)
 */
import { api, array, boolean, int16, int32, int64, string } from "../schema.ts";

export const offsetFetch = api({
  key: 9,
  name: "OffsetFetch",
  versions: [1, 9],
  flexibleFrom: 6,
  request: {
    groupId: string.until(7),
    /** Null: all. */
    topics: array({ name: string, partitionIndexes: array(int32) }).nullable(2).until(7),
    groups: array({
      groupId: string,
      memberId: string.orNull().since(9),
      memberEpoch: int32.or(-1).since(9),
      topics: array({ name: string, partitionIndexes: array(int32) }).nullable(),
    }).since(8),
    requireStable: boolean.since(7),
  },
  response: {
    throttleTimeMs: int32.since(3),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.or(-1).since(5),
        metadata: string.nullable(),
        errorCode: int16,
      }),
    }).until(7),
    errorCode: int16.since(2).until(7),
    groups: array({
      groupId: string,
      topics: array({
        name: string,
        partitions: array({
          partitionIndex: int32,
          committedOffset: int64,
          committedLeaderEpoch: int32.or(-1),
          metadata: string.nullable(),
          errorCode: int16,
        }),
      }),
      errorCode: int16,
    }).since(8),
  },
});
