/**
 * AddPartitionsToTxn (24) v0-5: Adds partitions to a transaction (KIP-98). Up to v3 clients send
 * it, from v4 on brokers.
 *
 *   AddPartitionsToTxn v0-5 => [transactions transactional_id producer_id producer_epoch
 *     verify_only [topics name [partitions]]] v3_and_below_transactional_id
 *     v3_and_below_producer_id v3_and_below_producer_epoch [v3_and_below_topics name
 *     [partitions]]
 *   answer => throttle_time_ms error_code [results_by_transaction transactional_id
 *     [topic_results name [results_by_partition partition_index partition_error_code]]]
 *     [results_by_topic_v3_and_below name [results_by_partition partition_index
 *     partition_error_code]]
 *
 * v2: PRODUCER_FENCED may be answered (KIP-588)
 * v3: compact lengths and tagged fields (KIP-482)
 * v4: many transactions, verify-only (KIP-890)
 * v5: TRANSACTION_ABORTABLE may be answered (KIP-890)
 */
import { api, array, boolean, int16, int32, int64, string } from "../schema.ts";

const topic = { name: string, partitions: array(int32) };
const partitionResult = { partitionIndex: int32, partitionErrorCode: int16 };
const topicResult = { name: string, resultsByPartition: array(partitionResult) };

export const addPartitionsToTxn = api({
  key: 24,
  name: "AddPartitionsToTxn",
  versions: [0, 5],
  flexibleFrom: 3,
  request: {
    transactions: array({
      transactionalId: string,
      producerId: int64,
      producerEpoch: int16,
      verifyOnly: boolean,
      topics: array(topic),
    }).since(4),
    v3AndBelowTransactionalId: string.until(3),
    v3AndBelowProducerId: int64.until(3),
    v3AndBelowProducerEpoch: int16.until(3),
    v3AndBelowTopics: array(topic).until(3),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16.since(4),
    resultsByTransaction: array({
      transactionalId: string,
      topicResults: array(topicResult),
    }).since(4),
    resultsByTopicV3AndBelow: array(topicResult).until(3),
  },
});
