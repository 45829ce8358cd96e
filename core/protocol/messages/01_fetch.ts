/**
 * Fetch (1) v4-18: Reads record batches from partitions, within a session or without one
 * (KIP-227).
 *
 *   Fetch v4-18 => cluster_id replica_id {replica_state replica_id replica_epoch} max_wait_ms
 *     min_bytes max_bytes isolation_level session_id session_epoch [topics topic topic_id
 *     [partitions partition current_leader_epoch fetch_offset last_fetched_epoch
 *     log_start_offset partition_max_bytes replica_directory_id high_watermark]]
 *     [forgotten_topics_data topic topic_id [partitions]] rack_id
 *   answer => throttle_time_ms error_code session_id [responses topic topic_id [partitions
 *     partition_index error_code high_watermark last_stable_offset log_start_offset
 *     {diverging_epoch epoch end_offset} {current_leader leader_id leader_epoch} {snapshot_id
 *     end_offset epoch} [aborted_transactions producer_id first_offset] preferred_read_replica
 *     records]] [node_endpoints node_id host port rack]
 *
 * v5: log start offset
 * v7: fetch sessions (KIP-227)
 * v9: leader epoch of the reader (KIP-320)
 * v10: zstd (KIP-110)
 * v11: rack, preferred read replica (KIP-392)
 * v12: compact lengths and tagged fields (KIP-482), epoch of the last record read (KIP-595)
 * v13: topic ids instead of names (KIP-516)
 * v14: OFFSET_MOVED_TO_TIERED_STORAGE may be answered (KIP-405)
 * v15: replica id and epoch as one tagged field (KIP-903)
 * v16: leader addresses in the response (KIP-951)
 * v17: directory id of a replica (KIP-853)
 * v18: high watermark that a replica knows (KIP-1166)
 */
import {
  api,
  array,
  int16,
  int32,
  int64,
  int8,
  recordParts,
  string,
  struct,
  uuid,
} from "../schema.ts";

export const fetch = api({
  key: 1,
  name: "Fetch",
  versions: [4, 18],
  flexibleFrom: 12,
  request: {
    /** Null: not checked. */
    clusterId: string.orNull().tag(0).since(12),
    /** -1: a consumer. */
    replicaId: int32.or(-1).until(14),
    replicaState: struct({
      replicaId: int32.or(-1),
      replicaEpoch: int64.or(-1),
    }).tag(1).since(15),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: int32.or(0x7fffffff),
    /** 0 read_uncommitted, 1 read_committed. */
    isolationLevel: int8,
    /** 0 with epoch 0: open a session. */
    sessionId: int32.since(7),
    /** -1: no session. */
    sessionEpoch: int32.or(-1).since(7),
    topics: array({
      topic: string.until(12),
      topicId: uuid.since(13),
      partitions: array({
        partition: int32,
        currentLeaderEpoch: int32.or(-1).since(9),
        fetchOffset: int64,
        lastFetchedEpoch: int32.or(-1).since(12),
        logStartOffset: int64.or(-1).since(5),
        partitionMaxBytes: int32,
        replicaDirectoryId: uuid.tag(0).since(17),
        /** What is left out on the wire is int64's maximum. */
        highWatermark: int64.or(2 ** 63).tag(1).since(18),
      }),
    }),
    forgottenTopicsData: array({
      topic: string.until(12),
      topicId: uuid.since(13),
      partitions: array(int32),
    }).since(7),
    rackId: string.since(11),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16.since(7),
    sessionId: int32.since(7),
    responses: array({
      topic: string.until(12),
      topicId: uuid.since(13),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        highWatermark: int64,
        /** Exclusive end for read_committed. */
        lastStableOffset: int64.or(-1),
        logStartOffset: int64.or(-1).since(5),
        divergingEpoch: struct({
          epoch: int32.or(-1),
          endOffset: int64.or(-1),
        }).tag(0).since(12),
        currentLeader: struct({
          leaderId: int32.or(-1),
          leaderEpoch: int32.or(-1),
        }).tag(1).since(12),
        snapshotId: struct({
          endOffset: int64.or(-1),
          epoch: int32.or(-1),
        }).tag(2).since(12),
        /** Null under read_uncommitted. */
        abortedTransactions: array({ producerId: int64, firstOffset: int64 }).nullable(),
        /** -1: read here. */
        preferredReadReplica: int32.or(-1).since(11),
        records: recordParts,
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.orNull(),
    }).tag(0).since(16),
  },
});
