/**
 * ListPartitionReassignments (46) v0: Lists the reassignments under way; null topics means all
 * (KIP-455).
 *
 *   ListPartitionReassignments v0 => timeout_ms [topics name [partition_indexes]]
 *   answer => throttle_time_ms error_code error_message [topics name [partitions partition_index
 *     [replicas] [adding_replicas] [removing_replicas]]]
 *
 * v0: compact lengths and tagged fields (KIP-482)
 */
import { api, array, int16, int32, string } from "../schema.ts";

export const listPartitionReassignments = api({
  key: 46,
  name: "ListPartitionReassignments",
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    timeoutMs: int32.or(60_000),
    /** Null: all. */
    topics: array({ name: string, partitionIndexes: array(int32) }).orNull(),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable(),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        replicas: array(int32),
        addingReplicas: array(int32),
        removingReplicas: array(int32),
      }),
    }),
  },
});
