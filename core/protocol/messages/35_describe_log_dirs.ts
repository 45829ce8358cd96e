/**
 * DescribeLogDirs (35) v1-4: Says how many bytes each partition takes in each log directory
 * (KIP-113); null topics means all.
 *
 *   DescribeLogDirs v1-4 => [topics topic [partitions]]
 *   answer => throttle_time_ms error_code [results error_code log_dir [topics name [partitions
 *     partition_index partition_size offset_lag is_future_key]] total_bytes usable_bytes]
 *
 * v2: compact lengths and tagged fields (KIP-482)
 * v3: top-level error (KIP-784)
 * v4: total and usable bytes (KIP-827)
 */
import { api, array, boolean, int16, int32, int64, string } from "../schema.ts";

export const describeLogDirs = api({
  key: 35,
  name: "DescribeLogDirs",
  versions: [1, 4],
  flexibleFrom: 2,
  request: {
    /** Null: all. */
    topics: array({ topic: string, partitions: array(int32) }).nullable(),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16.since(3),
    results: array({
      errorCode: int16,
      logDir: string,
      topics: array({
        name: string,
        partitions: array({
          partitionIndex: int32,
          partitionSize: int64,
          offsetLag: int64,
          isFutureKey: boolean,
        }),
      }),
      totalBytes: int64.or(-1).since(4),
      usableBytes: int64.or(-1).since(4),
    }),
  },
});
