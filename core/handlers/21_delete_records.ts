/**
 * DeleteRecords (key 21), versions 0 to 2.
 *
 *     DeleteRecords => [topic [partition offset]] timeout_ms
 *
 * Moves the log start offset up to `offset` (-1: the high watermark) and answers when that is
 * durable (KIP-107). OFFSET_OUT_OF_RANGE above the high watermark; POLICY_VIOLATION where the
 * topic's cleanup.policy doesn't delete; TOPIC_AUTHORIZATION_FAILED while admin APIs are off.
 */
import { OFFSET_LOOKUPS_PARALLEL } from "../config/limits.ts";
import type { LooseResponseOf } from "../protocol/api.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { deleteRecords } from "../protocol/messages/21_delete_records.ts";
import { boundedMap } from "./bounded_map.ts";
import { handler } from "./handler.ts";
import { openByName } from "./partition_access.ts";
import type { Rooms } from "./rooms.ts";

type TopicResponse = NonNullable<LooseResponseOf<typeof deleteRecords>["topics"]>[number];
type PartitionResponse = NonNullable<TopicResponse["partitions"]>[number];

const HIGH_WATERMARK = -1;

export const deleteRecordsHandler = handler(deleteRecords, async (rooms, _context, request) => {
  const topics: TopicResponse[] = [];
  for (const { name, partitions } of request.topics) {
    const answers = await boundedMap(
      partitions,
      OFFSET_LOOKUPS_PARALLEL,
      ({ partitionIndex, offset }) => deleteUpTo(rooms, name, partitionIndex, offset),
    );
    topics.push({ name, partitions: answers });
  }
  return { topics };
});

async function deleteUpTo(
  rooms: Rooms,
  topic: string,
  partitionIndex: number,
  offset: number,
): Promise<PartitionResponse> {
  if (!rooms.config.allowAdminApis) {
    return refusal(partitionIndex, ErrorCode.TOPIC_AUTHORIZATION_FAILED);
  }
  const policy = rooms.topics.byName(topic)?.configs.get("cleanup.policy") ?? "delete";
  if (!policy.split(",").some((part) => part.trim() === "delete")) {
    return refusal(partitionIndex, ErrorCode.POLICY_VIOLATION);
  }
  const log = await openByName(rooms, topic, partitionIndex);
  if (typeof log === "number") return refusal(partitionIndex, log);
  if (offset < HIGH_WATERMARK || offset > log.highWatermark) {
    return refusal(partitionIndex, ErrorCode.OFFSET_OUT_OF_RANGE);
  }
  const { errorCode, logStartOffset } = await log.deleteRecords(offset);
  if (errorCode !== ErrorCode.NONE) return refusal(partitionIndex, errorCode);
  return { partitionIndex, errorCode, lowWatermark: logStartOffset };
}

function refusal(partitionIndex: number, errorCode: ErrorCodeValue): PartitionResponse {
  return { partitionIndex, errorCode, lowWatermark: -1 };
}
