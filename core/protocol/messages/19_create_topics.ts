/**
 * CreateTopics (19) v2-7: Creates topics; -1 partitions or replicas means the broker's default.
 *
 *   CreateTopics v2-7 => [topics name num_partitions replication_factor [assignments
 *     partition_index [broker_ids]] [configs name value]] timeout_ms validate_only
 *   answer => throttle_time_ms [topics name topic_id error_code error_message
 *     topic_config_error_code num_partitions replication_factor [configs name value read_only
 *     config_source is_sensitive]]
 *
 * v4: the defaults are allowed (KIP-464)
 * v5: compact lengths and tagged fields (KIP-482), configs in the response (KIP-525)
 * v6: THROTTLING_QUOTA_EXCEEDED may be answered (KIP-599)
 * v7: topic ids in the response (KIP-516)
 */
import { api, array, boolean, int16, int32, int8, string, uuid } from "../schema.ts";

export const createTopics = api({
  key: 19,
  name: "CreateTopics",
  versions: [2, 7],
  flexibleFrom: 5,
  request: {
    topics: array({
      name: string,
      /** -1: the broker's default. */
      numPartitions: int32,
      /** -1: the broker's default. */
      replicationFactor: int16,
      assignments: array({ partitionIndex: int32, brokerIds: array(int32) }),
      configs: array({ name: string, value: string.nullable() }),
    }),
    timeoutMs: int32.or(60_000),
    validateOnly: boolean,
  },
  response: {
    throttleTimeMs: int32,
    topics: array({
      name: string,
      topicId: uuid.since(7),
      errorCode: int16,
      errorMessage: string.nullable(),
      topicConfigErrorCode: int16.tag(0).since(5),
      numPartitions: int32.or(-1).since(5),
      replicationFactor: int16.or(-1).since(5),
      configs: array({
        name: string,
        value: string.nullable(),
        readOnly: boolean,
        configSource: int8.or(-1),
        isSensitive: boolean,
      }).nullable().since(5),
    }),
  },
});
