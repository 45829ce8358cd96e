/**
 * Produce (0) v3-13: Appends record batches to partitions. acks 0 gets no response.
 *
 *   Produce v3-13 => transactional_id acks timeout_ms [topic_data name topic_id [partition_data
 *     index records]]
 *   answer => [responses name topic_id [partition_responses index error_code base_offset
 *     log_append_time_ms log_start_offset [record_errors batch_index batch_index_error_message]
 *     error_message {current_leader leader_id leader_epoch}]] throttle_time_ms [node_endpoints
 *     node_id host port rack]
 *
 * v4: KAFKA_STORAGE_ERROR may be answered
 * v5: log start offset in the response
 * v7: zstd (KIP-110)
 * v8: errors per record, error text (KIP-467)
 * v9: compact lengths and tagged fields (KIP-482)
 * v10: leader hints in the response (KIP-951)
 * v11: TRANSACTION_ABORTABLE may be answered (KIP-890)
 * v12: adds the partition to the transaction implicitly (KIP-890)
 * v13: topic ids instead of names (KIP-516)
 */
import { api, array, int16, int32, int64, records, string, struct, uuid } from "../schema.ts";

export const produce = api({
  key: 0,
  name: "Produce",
  versions: [3, 13],
  flexibleFrom: 9,
  advertisedFrom: 0,
  request: {
    /** Null: not a transaction. */
    transactionalId: string.orNull(),
    /** 0, 1 or -1 (all). */
    acks: int16,
    timeoutMs: int32,
    topicData: array({
      name: string.until(12),
      topicId: uuid.since(13),
      partitionData: array({ index: int32, records }),
    }),
  },
  response: {
    responses: array({
      name: string.until(12),
      topicId: uuid.since(13),
      partitionResponses: array({
        index: int32,
        errorCode: int16,
        baseOffset: int64,
        /** -1 when the topic keeps the producer's timestamps. */
        logAppendTimeMs: int64.or(-1),
        logStartOffset: int64.or(-1).since(5),
        recordErrors: array({
          batchIndex: int32,
          batchIndexErrorMessage: string.orNull(),
        }).since(8),
        errorMessage: string.orNull().since(8),
        currentLeader: struct({
          leaderId: int32.or(-1),
          leaderEpoch: int32.or(-1),
        }).tag(0).since(10),
      }),
    }),
    throttleTimeMs: int32,
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.orNull(),
    }).tag(0).since(10),
  },
});
