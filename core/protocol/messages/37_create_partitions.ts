/**
 * CreatePartitions (37) v0-3: Raises the number of partitions of topics (KIP-195).
 *
 *   CreatePartitions v0-3 => [topics name count [assignments [broker_ids]]] timeout_ms
 *     validate_only
 *   answer => throttle_time_ms [results name error_code error_message]
 *
 * v2: compact lengths and tagged fields (KIP-482)
 * v3: THROTTLING_QUOTA_EXCEEDED may be answered (KIP-599)
 */
import { api, array, boolean, int16, int32, string } from "../schema.ts";

export const createPartitions = api({
  key: 37,
  name: "CreatePartitions",
  versions: [0, 3],
  flexibleFrom: 2,
  request: {
    topics: array({
      name: string,
      count: int32,
      assignments: array({ brokerIds: array(int32) }).nullable(),
    }),
    timeoutMs: int32,
    validateOnly: boolean,
  },
  response: {
    throttleTimeMs: int32,
    results: array({ name: string, errorCode: int16, errorMessage: string.orNull() }),
  },
});
