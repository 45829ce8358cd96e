/**
 * DeleteRecords (21) v0-2: Raises the log start offset of partitions; -1 means up to the high
 * watermark (KIP-107).
 *
 *   DeleteRecords v0-2 => [topics name [partitions partition_index offset]] timeout_ms
 *   answer => throttle_time_ms [topics name [partitions partition_index low_watermark
 *     error_code]]
 *
 * v2: compact lengths and tagged fields (KIP-482)
 */
import { api, array, int16, int32, int64, string } from "../schema.ts";

export const deleteRecords = api({
  key: 21,
  name: "DeleteRecords",
  versions: [0, 2],
  flexibleFrom: 2,
  request: {
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        /** -1: the high watermark. */
        offset: int64,
      }),
    }),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: int32,
    topics: array({
      name: string,
      partitions: array({ partitionIndex: int32, lowWatermark: int64, errorCode: int16 }),
    }),
  },
});
