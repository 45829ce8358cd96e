/**
 * OffsetDelete (47) v0: Deletes offsets of a group for topics that it isn't subscribed to
 * (KIP-496).
 *
 *   OffsetDelete v0 => group_id [topics name [partitions partition_index]]
 *   answer => error_code throttle_time_ms [topics name [partitions partition_index error_code]]
 */
import { api, array, int16, int32, string } from "../schema.ts";

export const offsetDelete = api({
  key: 47,
  name: "OffsetDelete",
  versions: [0, 0],
  request: {
    groupId: string,
    topics: array({
      name: string,
      partitions: array({ partitionIndex: int32 }),
    }),
  },
  response: {
    errorCode: int16,
    throttleTimeMs: int32,
    topics: array({
      name: string,
      partitions: array({ partitionIndex: int32, errorCode: int16 }),
    }),
  },
});
