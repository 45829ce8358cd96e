/**
 * ElectLeaders (43) v0-2: Elects preferred (type 0) or any living (type 1) leaders; null topics
 * means all.
 *
 *   ElectLeaders v0-2 => election_type [topic_partitions topic [partitions]] timeout_ms
 *   answer => throttle_time_ms error_code [replica_election_results topic [partition_result
 *     partition_id error_code error_message]]
 *
 * v1: election types, top-level error (KIP-460)
 * v2: compact lengths and tagged fields (KIP-482)
 */
import { api, array, int16, int32, int8, string } from "../schema.ts";

export const electLeaders = api({
  key: 43,
  name: "ElectLeaders",
  versions: [0, 2],
  flexibleFrom: 2,
  request: {
    /** 0 preferred, 1 unclean. */
    electionType: int8.since(1),
    /** Null: all. */
    topicPartitions: array({ topic: string, partitions: array(int32) }).nullable(),
    timeoutMs: int32.or(60_000),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16.since(1),
    replicaElectionResults: array({
      topic: string,
      partitionResult: array({
        partitionId: int32,
        errorCode: int16,
        errorMessage: string.nullable(),
      }),
    }),
  },
});
