/**
 * AddOffsetsToTxn (25) v0-4: Adds a group's offsets to a transaction (KIP-98).
 *
 *   AddOffsetsToTxn v0-4 => transactional_id producer_id producer_epoch group_id
 *   answer => throttle_time_ms error_code
 *
 * v2: PRODUCER_FENCED may be answered (KIP-588)
 * v3: compact lengths and tagged fields (KIP-482)
 * v4: TRANSACTION_ABORTABLE may be answered (KIP-890)
 */
import { api, int16, int32, int64, string } from "../schema.ts";

export const addOffsetsToTxn = api({
  key: 25,
  name: "AddOffsetsToTxn",
  versions: [0, 4],
  flexibleFrom: 3,
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    groupId: string,
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
  },
});
