/**
 * DescribeProducers (61) v0: Lists the producers that a partition remembers (KIP-664).
 *
 *   DescribeProducers v0 => [topics name [partition_indexes]]
 *   answer => throttle_time_ms [topics name [partitions partition_index error_code error_message
 *     [active_producers producer_id producer_epoch last_sequence last_timestamp
 *     coordinator_epoch current_txn_start_offset]]]
 *
 * v0: compact lengths and tagged fields (KIP-482)
 */
import { api, array, int16, int32, int64, string } from "../schema.ts";

export const describeProducers = api({
  key: 61,
  name: "DescribeProducers",
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    topics: array({ name: string, partitionIndexes: array(int32) }),
  },
  response: {
    throttleTimeMs: int32,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.orNull(),
        activeProducers: array({
          producerId: int64,
          producerEpoch: int32,
          lastSequence: int32.or(-1),
          lastTimestamp: int64.or(-1),
          coordinatorEpoch: int32,
          currentTxnStartOffset: int64.or(-1),
        }),
      }),
    }),
  },
});
