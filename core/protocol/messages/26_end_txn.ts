/**
 * EndTxn (26) v0-5: Commits or aborts a transaction (KIP-98).
 *
 *   EndTxn v0-5 => transactional_id producer_id producer_epoch committed
 *   answer => throttle_time_ms error_code producer_id producer_epoch
 *
 * v2: PRODUCER_FENCED may be answered (KIP-588)
 * v3: compact lengths and tagged fields (KIP-482)
 * v4: TRANSACTION_ABORTABLE may be answered (KIP-890)
 * v5: each transaction raises the epoch (KIP-890)
 */
import { api, boolean, int16, int32, int64, string } from "../schema.ts";

export const endTxn = api({
  key: 26,
  name: "EndTxn",
  versions: [0, 5],
  flexibleFrom: 3,
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    committed: boolean,
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    producerId: int64.or(-1).since(5),
    producerEpoch: int16.or(-1).since(5),
  },
});
