/**
 * ListOffsets (2) v1-10: Finds one offset per partition by timestamp, or by one of the special
 * values below.
 *
 *   ListOffsets v1-10 => replica_id isolation_level [topics name [partitions partition_index
 *     current_leader_epoch timestamp]] timeout_ms
 *   answer => throttle_time_ms [topics name [partitions partition_index error_code timestamp
 *     offset leader_epoch]]
 *
 * v2: isolation level (KIP-98), throttle time
 * v4: leader epochs (KIP-320)
 * v5: OFFSET_NOT_AVAILABLE may be answered (KIP-207)
 * v6: compact lengths and tagged fields (KIP-482)
 * v7: -3, offset of the largest timestamp (KIP-734)
 * v8: -4, earliest local offset (KIP-405)
 * v9: -5, latest offset in tiered storage (KIP-1005)
 * v10: time limit for remote lookups (KIP-1075)
 */
import { api, array, int16, int32, int64, int8, string } from "../schema.ts";

export const listOffsets = api({
  key: 2,
  name: "ListOffsets",
  versions: [1, 10],
  flexibleFrom: 6,
  request: {
    /** -1: a consumer. */
    replicaId: int32,
    isolationLevel: int8.since(2),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        currentLeaderEpoch: int32.or(-1).since(4),
        /** -1 latest, -2 earliest, -3 max timestamp, -4 earliest local, -5 latest tiered. */
        timestamp: int64,
      }),
    }),
    timeoutMs: int32.since(10),
  },
  response: {
    throttleTimeMs: int32.since(2),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        timestamp: int64.or(-1),
        offset: int64.or(-1),
        leaderEpoch: int32.or(-1).since(4),
      }),
    }),
  },
});
