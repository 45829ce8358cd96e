/**
 * DeleteRecords (key 21), versions 0 to 2.
 *
 *     DeleteRecords => [topic [partition offset]] timeout_ms
 *
 * Moves the log start offset up to `offset` (-1: the high watermark) and answers when that is
 * durable (KIP-107), or with REQUEST_TIMED_OUT after `timeout_ms`: it may still come about.
 * OFFSET_OUT_OF_RANGE above the high watermark; POLICY_VIOLATION where the topic's cleanup.policy
 * doesn't delete; KAFKA_STORAGE_ERROR while the store is unavailable; TOPIC_AUTHORIZATION_FAILED
 * while admin APIs are off.
 */
import { OFFSET_LOOKUPS_PARALLEL } from "../config/limits.ts";
import type { LooseResponseOf } from "../protocol/api.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { deleteRecords } from "../protocol/messages/21_delete_records.ts";
import { inTime } from "../runtime/mod.ts";
import { boundedMap } from "./bounded_map.ts";
import { handler } from "./handler.ts";
import { openByName } from "./partition_access.ts";
import type { Rooms } from "./rooms.ts";

type TopicResponse = NonNullable<LooseResponseOf<typeof deleteRecords>["topics"]>[number];
type PartitionResponse = NonNullable<TopicResponse["partitions"]>[number];

const HIGH_WATERMARK = -1;
/** A client's time-out of 0 or less is no wish for REQUEST_TIMED_OUT. */
const TIMEOUT_MIN_MS = 1_000;

export const deleteRecordsHandler = handler(deleteRecords, async (rooms, _context, request) => {
  const topics: TopicResponse[] = [];
  for (const { name, partitions } of request.topics) {
    const answers = await boundedMap(
      partitions,
      OFFSET_LOOKUPS_PARALLEL,
      ({ partitionIndex, offset }) =>
        deleteUpTo(
          rooms,
          name,
          partitionIndex,
          offset,
          Math.max(request.timeoutMs, TIMEOUT_MIN_MS),
        ),
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
  timeoutMs: number,
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
  if (offset < HIGH_WATERMARK) return refusal(partitionIndex, ErrorCode.OFFSET_OUT_OF_RANGE);
  if (rooms.logs.refusal !== 0) return refusal(partitionIndex, rooms.logs.refusal);
  const done = await inTime(rooms.runtime.timers, timeoutMs, log.deleteRecords(offset));
  if (done === undefined) return refusal(partitionIndex, ErrorCode.REQUEST_TIMED_OUT);
  if (done.errorCode !== ErrorCode.NONE) return refusal(partitionIndex, done.errorCode);
  return { partitionIndex, errorCode: done.errorCode, lowWatermark: done.logStartOffset };
}

function refusal(partitionIndex: number, errorCode: ErrorCodeValue): PartitionResponse {
  return { partitionIndex, errorCode, lowWatermark: -1 };
}
