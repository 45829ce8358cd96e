/**
 * AlterPartitionReassignments (45) v0-1: Starts reassignments, or cancels them by null replicas
 * (KIP-455).
 *
 *   AlterPartitionReassignments v0-1 => timeout_ms allow_replication_factor_change [topics name
 *     [partitions partition_index [replicas]]]
 *   answer => throttle_time_ms allow_replication_factor_change error_code error_message
 *     [responses name [partitions partition_index error_code error_message]]
 *
 * v0: compact lengths and tagged fields (KIP-482)
 * v1: a change of the replication factor may be forbidden (KIP-860)
 */
import { api, array, boolean, int16, int32, string } from "../schema.ts";

export const alterPartitionReassignments = api({
  key: 45,
  name: "AlterPartitionReassignments",
  versions: [0, 1],
  flexibleFrom: 0,
  request: {
    timeoutMs: int32.or(60_000),
    allowReplicationFactorChange: boolean.or(true).since(1),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        /** Null: cancel. */
        replicas: array(int32).orNull(),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32,
    allowReplicationFactorChange: boolean.or(true).since(1),
    errorCode: int16,
    errorMessage: string.nullable(),
    responses: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.nullable(),
      }),
    }),
  },
});
