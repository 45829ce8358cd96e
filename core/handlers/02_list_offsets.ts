/**
 * ListOffsets (key 2), versions 1 to 10.
 *
 *     ListOffsets => replica_id isolation [topic [partition leader_epoch timestamp]] timeout_ms
 *
 * A timestamp asks for the first record at or after it; negative ones have meanings of their own:
 *
 *     -1  the end: high watermark; for read_committed the last stable offset
 *     -2  log start offset
 *     -3  offset of the greatest timestamp (KIP-734, v7)
 *     -4  local log start (KIP-405, v8): without tiers the same as -2
 *     -5  end of tiered storage (KIP-1005, v9): nothing without tiers
 *
 * In an older version: UNSUPPORTED_VERSION. "Nothing" is offset -1 without an error.
 */
import { OFFSET_LOOKUPS_PARALLEL } from "../config/limits.ts";
import type { Isolation, PartitionLog } from "../log/partition.ts";
import type { LooseResponseOf, RequestOf } from "../protocol/api.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { listOffsets } from "../protocol/messages/02_list_offsets.ts";
import { StoreError } from "../storage/object_store.ts";
import { boundedMap } from "./bounded_map.ts";
import { handler, type RequestContext } from "./handler.ts";
import { leaderEpochError, openByName } from "./partition_access.ts";
import type { Rooms } from "./rooms.ts";

type Request = RequestOf<typeof listOffsets>;
type PartitionRequest = Request["topics"][number]["partitions"][number];
type TopicResponse = NonNullable<LooseResponseOf<typeof listOffsets>["topics"]>[number];
type PartitionResponse = NonNullable<TopicResponse["partitions"]>[number];

const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;
const EARLIEST_LOCAL = -4;
const LATEST_TIERED = -5;
const READ_COMMITTED = 1;

/** First version in which each special timestamp is known. */
const SINCE: ReadonlyMap<number, number> = new Map([
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
]);

interface Found {
  readonly timestamp: number;
  readonly offset: number;
  readonly leaderEpoch: number;
}

const NOTHING: Found = { timestamp: -1, offset: -1, leaderEpoch: -1 };

export const listOffsetsHandler = handler(listOffsets, async (rooms, context, request) => {
  const topics: TopicResponse[] = [];
  const isolation = request.isolationLevel === READ_COMMITTED
    ? "read_committed"
    : "read_uncommitted";
  const repeated = repeatedPartitions(request);
  for (const topic of request.topics) {
    const partitions = await boundedMap(topic.partitions, OFFSET_LOOKUPS_PARALLEL, (asked) => {
      if (repeated.has(`${topic.name}-${asked.partitionIndex}`)) {
        return refusal(asked, ErrorCode.INVALID_REQUEST);
      }
      return lookUp(rooms, context, topic.name, asked, isolation);
    });
    topics.push({ name: topic.name, partitions });
  }
  return { topics };
});

/** Kafka refuses a partition that is asked for twice: one answer cannot say both. */
function repeatedPartitions(request: Request): ReadonlySet<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { name, partitions } of request.topics) {
    for (const { partitionIndex } of partitions) {
      const key = `${name}-${partitionIndex}`;
      (seen.has(key) ? repeated : seen).add(key);
    }
  }
  return repeated;
}

async function lookUp(
  rooms: Rooms,
  context: RequestContext,
  topic: string,
  asked: PartitionRequest,
  isolation: Isolation,
): Promise<PartitionResponse> {
  if (context.apiVersion < (SINCE.get(asked.timestamp) ?? 0)) {
    return refusal(asked, ErrorCode.UNSUPPORTED_VERSION);
  }
  const log = await openByName(rooms, topic, asked.partitionIndex);
  if (typeof log === "number") return refusal(asked, log);
  const fenced = leaderEpochError(log, asked.currentLeaderEpoch);
  if (fenced !== ErrorCode.NONE) return refusal(asked, fenced);
  try {
    const found = await find(log, asked.timestamp, isolation);
    return { partitionIndex: asked.partitionIndex, errorCode: ErrorCode.NONE, ...found };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    rooms.runtime.log.warn("offset lookup failed: the store cannot be read", {
      topic,
      partition: asked.partitionIndex,
      error: error.message,
    });
    return refusal(asked, ErrorCode.KAFKA_STORAGE_ERROR);
  }
}

async function find(log: PartitionLog, timestamp: number, isolation: Isolation): Promise<Found> {
  const end = isolation === "read_committed" ? log.lastStableOffset : log.highWatermark;
  switch (timestamp) {
    case LATEST:
      return { timestamp: -1, offset: end, leaderEpoch: log.leaderEpoch };
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { timestamp: -1, offset: log.logStartOffset, leaderEpoch: -1 };
    case LATEST_TIERED:
      return NOTHING;
  }
  const found = timestamp === MAX_TIMESTAMP
    ? await log.offsetOfMaxTimestamp()
    : await log.offsetForTimestamp(timestamp, isolation);
  if (found.offset < 0 || found.offset >= end) return NOTHING;
  return {
    timestamp: found.timestampMs,
    offset: found.offset,
    leaderEpoch: found.leaderEpoch,
  };
}

function refusal(asked: PartitionRequest, errorCode: ErrorCodeValue): PartitionResponse {
  return { partitionIndex: asked.partitionIndex, errorCode, ...NOTHING };
}
