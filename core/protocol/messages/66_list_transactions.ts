/**
 * ListTransactions (66) v0-2: Lists the transactions that this broker coordinates (KIP-664).
 *
 *   ListTransactions v0-2 => [state_filters] [producer_id_filters] duration_filter
 *     transactional_id_pattern
 *   answer => throttle_time_ms error_code [unknown_state_filters] [transaction_states
 *     transactional_id producer_id transaction_state]
 *
 * v0: compact lengths and tagged fields (KIP-482)
 * v1: by age (KIP-994)
 * v2: by a pattern of the id (KIP-1152)
 */
import { api, array, int16, int32, int64, string } from "../schema.ts";

export const listTransactions = api({
  key: 66,
  name: "ListTransactions",
  versions: [0, 2],
  flexibleFrom: 0,
  request: {
    stateFilters: array(string),
    producerIdFilters: array(int64),
    durationFilter: int64.or(-1).since(1),
    transactionalIdPattern: string.orNull().since(2),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    unknownStateFilters: array(string),
    transactionStates: array({
      transactionalId: string,
      producerId: int64,
      transactionState: string,
    }),
  },
});
