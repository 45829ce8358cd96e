/**
 * DescribeTransactions (65) v0: Describes transactions by their ids (KIP-664).
 *
 *   DescribeTransactions v0 => [transactional_ids]
 *   answer => throttle_time_ms [transaction_states error_code transactional_id transaction_state
 *     transaction_timeout_ms transaction_start_time_ms producer_id producer_epoch [topics topic
 *     [partitions]]]
 *
 * v0: compact lengths and tagged fields (KIP-482)
 */
import { api, array, int16, int32, int64, string } from "../schema.ts";

export const describeTransactions = api({
  key: 65,
  name: "DescribeTransactions",
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    transactionalIds: array(string),
  },
  response: {
    throttleTimeMs: int32,
    transactionStates: array({
      errorCode: int16,
      transactionalId: string,
      transactionState: string,
      transactionTimeoutMs: int32,
      transactionStartTimeMs: int64,
      producerId: int64,
      producerEpoch: int16,
      topics: array({ topic: string, partitions: array(int32) }),
    }),
  },
});
