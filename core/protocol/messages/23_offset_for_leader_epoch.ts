/**
 * OffsetForLeaderEpoch (23) v2-4: Finds where a leader epoch ended, so that a reader can tell a
 * truncated log (KIP-320).
 *
 *   OffsetForLeaderEpoch v2-4 => replica_id [topics topic [partitions partition
 *     current_leader_epoch leader_epoch]]
 *   answer => throttle_time_ms [topics topic [partitions error_code partition leader_epoch
 *     end_offset]]
 *
 * v3: replica id
 * v4: compact lengths and tagged fields (KIP-482)
 */
import { api, array, int16, int32, int64, string } from "../schema.ts";

export const offsetForLeaderEpoch = api({
  key: 23,
  name: "OffsetForLeaderEpoch",
  versions: [2, 4],
  flexibleFrom: 4,
  request: {
    replicaId: int32.or(-2).since(3),
    topics: array({
      topic: string,
      partitions: array({
        partition: int32,
        currentLeaderEpoch: int32.or(-1),
        leaderEpoch: int32,
      }),
    }),
  },
  response: {
    throttleTimeMs: int32,
    topics: array({
      topic: string,
      partitions: array({
        errorCode: int16,
        partition: int32,
        leaderEpoch: int32.or(-1),
        endOffset: int64.or(-1),
      }),
    }),
  },
});
