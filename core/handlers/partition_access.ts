/** From what a request says about a partition to its log, or to the error code of the answer. */
import type { PartitionLog, ReadablePartition } from "../log/partition.ts";
import type { TopicInfo } from "../metadata/topics.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import type { Rooms } from "./rooms.ts";

export type LogOrError = PartitionLog | ErrorCodeValue;

/** The log of a partition of a named topic; synchronous once it is loaded. */
export function openByName(
  rooms: Rooms,
  topic: string,
  partition: number,
): LogOrError | Promise<LogOrError> {
  const info = rooms.topics.byName(topic);
  return openIn(rooms, info, partition, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
}

/** The log of a partition of a topic that is known or was looked for in vain (then `unknown`). */
export function openIn(
  rooms: Rooms,
  info: TopicInfo | undefined,
  partition: number,
  unknown: ErrorCodeValue,
): LogOrError | Promise<LogOrError> {
  if (info === undefined) return unknown;
  if (partition < 0 || partition >= info.partitionCount) {
    return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  }
  return rooms.logs.open(info.id, partition);
}

/** The same, for a reader who takes a follower's answer where this broker does not lead. */
export function openToRead(
  rooms: Rooms,
  info: TopicInfo | undefined,
  partition: number,
  unknown: ErrorCodeValue,
): ReadablePartition | ErrorCodeValue | Promise<ReadablePartition | ErrorCodeValue> {
  const log = openIn(rooms, info, partition, unknown);
  if (log !== ErrorCode.NOT_LEADER_OR_FOLLOWER || rooms.followed === undefined) return log;
  return rooms.followed.open(info!.id, partition);
}

/** KIP-320: the client's idea of the leader epoch, -1 when it has none, against ours. */
export function leaderEpochError(
  log: Pick<ReadablePartition, "leaderEpoch">,
  currentLeaderEpoch: number,
): ErrorCodeValue {
  if (currentLeaderEpoch < 0 || currentLeaderEpoch === log.leaderEpoch) return ErrorCode.NONE;
  return currentLeaderEpoch < log.leaderEpoch
    ? ErrorCode.FENCED_LEADER_EPOCH
    : ErrorCode.UNKNOWN_LEADER_EPOCH;
}
