/**
 * InitProducerId (22) v0-5: Hands out a producer id and epoch, for idempotence and for
 * transactions (KIP-98).
 *
 *   InitProducerId v0-5 => transactional_id transaction_timeout_ms producer_id producer_epoch
 *   answer => throttle_time_ms error_code producer_id producer_epoch
 *
 * v2: compact lengths and tagged fields (KIP-482)
 * v3: the producer's present id and epoch, to go on with (KIP-360)
 * v4: PRODUCER_FENCED may be answered (KIP-588)
 * v5: TRANSACTION_ABORTABLE may be answered (KIP-890)
 */
import { api, int16, int32, int64, string } from "../schema.ts";

export const initProducerId = api({
  key: 22,
  name: "InitProducerId",
  versions: [0, 5],
  flexibleFrom: 2,
  request: {
    /** Null: idempotence only. */
    transactionalId: string.nullable(),
    transactionTimeoutMs: int32,
    producerId: int64.or(-1).since(3),
    producerEpoch: int16.or(-1).since(3),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    producerId: int64.or(-1),
    producerEpoch: int16,
  },
});
