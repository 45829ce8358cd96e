/**
 * Metadata (3) v0-13: Describes the brokers and topics; null topics (in v0 an empty list) means
 * all.
 *
 *   Metadata v0-13 => [topics topic_id name] allow_auto_topic_creation
 *     include_cluster_authorized_operations include_topic_authorized_operations
 *   answer => throttle_time_ms [brokers node_id host port rack] cluster_id controller_id [topics
 *     error_code name topic_id is_internal [partitions error_code partition_index leader_id
 *     leader_epoch [replica_nodes] [isr_nodes] [offline_replicas]] topic_authorized_operations]
 *     cluster_authorized_operations error_code
 *
 * v1: racks, controller, internal flag
 * v2: cluster id (KIP-78)
 * v3: throttle time
 * v4: auto-creation may be declined
 * v5: offline replicas (KIP-112)
 * v7: leader epochs (KIP-320)
 * v8: authorized operations (KIP-430)
 * v9: compact lengths and tagged fields (KIP-482)
 * v10: topic ids in the response (KIP-516)
 * v11: no cluster operations any more (KIP-700)
 * v12: topics by id, with a null name
 * v13: top-level error (KIP-1102)
 */
import { api, array, boolean, int16, int32, string, uuid } from "../schema.ts";

export const metadata = api({
  key: 3,
  name: "Metadata",
  versions: [0, 13],
  flexibleFrom: 9,
  request: {
    /** Null: all. */
    topics: array({
      topicId: uuid.since(10),
      /** Null: by id. */
      name: string.nullable(10),
    }).nullable(1),
    allowAutoTopicCreation: boolean.or(true).since(4),
    includeClusterAuthorizedOperations: boolean.since(8).until(10),
    includeTopicAuthorizedOperations: boolean.since(8),
  },
  response: {
    throttleTimeMs: int32.since(3),
    brokers: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.orNull().since(1),
    }),
    clusterId: string.orNull().since(2),
    controllerId: int32.or(-1).since(1),
    topics: array({
      errorCode: int16,
      name: string.nullable(12),
      topicId: uuid.since(10),
      isInternal: boolean.since(1),
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.or(-1).since(7),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        offlineReplicas: array(int32).since(5),
      }),
      topicAuthorizedOperations: int32.or(-(2 ** 31)).since(8),
    }),
    clusterAuthorizedOperations: int32.or(-(2 ** 31)).since(8).until(10),
    errorCode: int16.since(13),
  },
});
