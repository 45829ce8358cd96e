/**
 * TxnOffsetCommit (28) v0-5: Stores a group's offsets as part of a transaction (KIP-98).
 *
 *   TxnOffsetCommit v0-5 => transactional_id group_id producer_id producer_epoch generation_id
 *     member_id group_instance_id [topics name [partitions partition_index committed_offset
 *     committed_leader_epoch committed_metadata]]
 *   answer => throttle_time_ms [topics name [partitions partition_index error_code]]
 *
 * v2: leader epochs (KIP-320)
 * v3: compact lengths and tagged fields (KIP-482), member and generation (KIP-447)
 * v4: TRANSACTION_ABORTABLE may be answered (KIP-890)
 * v5: adds the offsets to the transaction implicitly (KIP-890)
 */
import { api, array, int16, int32, int64, string } from "../schema.ts";

export const txnOffsetCommit = api({
  key: 28,
  name: "TxnOffsetCommit",
  versions: [0, 5],
  flexibleFrom: 3,
  request: {
    transactionalId: string,
    groupId: string,
    producerId: int64,
    producerEpoch: int16,
    generationId: int32.or(-1).since(3),
    memberId: string.since(3),
    groupInstanceId: string.orNull().since(3),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.or(-1).since(2),
        committedMetadata: string.nullable(),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32,
    topics: array({
      name: string,
      partitions: array({ partitionIndex: int32, errorCode: int16 }),
    }),
  },
});
