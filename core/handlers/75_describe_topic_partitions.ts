/**
 * DescribeTopicPartitions (key 75), version 0 (KIP-966).
 *
 *     DescribeTopicPartitions => [topic] response_partition_limit {topic_name partition_index}
 *
 * Topics in name order, an empty list meaning all; at most 2000 partitions, or fewer where the
 * client says so, then a cursor to go on from. A cursor with a negative partition, or with a topic
 * that isn't among those asked for, is INVALID_REQUEST. Replicas are the leader alone, since
 * Kafka's tools compare them with what was assigned; who else serves reads is in Metadata. Eligible
 * leader replicas do not exist here: no leader depends on what a broker holds.
 */
import type { LooseResponseOf, RequestOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { describeTopicPartitions } from "../protocol/messages/75_describe_topic_partitions.ts";
import { topicNameFault } from "../metadata/topic_names.ts";
import { awaitFirstLeaders } from "./await_leaders.ts";
import { topicOperations } from "./authorized_operations.ts";
import { handler } from "./handler.ts";
import { describePartition } from "./partition_description.ts";
import type { Rooms } from "./rooms.ts";

type Request = RequestOf<typeof describeTopicPartitions>;
type Response = LooseResponseOf<typeof describeTopicPartitions>;
type TopicResponse = NonNullable<Response["topics"]>[number];

/** Kafka's default of max.request.partition.size.limit. */
const PARTITIONS_PER_ANSWER_MAX = 2000;

export const describeTopicPartitionsHandler = handler(
  describeTopicPartitions,
  async (rooms, _context, request): Promise<Response> => {
    if (isBadCursor(request)) return badCursor(request);
    const asked = names(rooms, request);
    await awaitFirstLeaders(rooms, asked.map((name) => rooms.topics.byName(name)));
    let room = Math.max(1, Math.min(request.responsePartitionLimit, PARTITIONS_PER_ANSWER_MAX));
    const topics: TopicResponse[] = [];
    for (const name of asked) {
      if (room === 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } };
      const first = request.cursor?.topicName === name ? request.cursor.partitionIndex : 0;
      const topic = rooms.topics.byName(name);
      if (topic === undefined) {
        const errorCode = topicNameFault(name) === undefined
          ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
          : ErrorCode.INVALID_TOPIC_EXCEPTION;
        topics.push({ name, errorCode });
        continue;
      }
      const end = Math.min(topic.partitionCount, first + room);
      const count = Math.max(0, end - first);
      room -= count;
      topics.push({
        errorCode: ErrorCode.NONE,
        name,
        topicId: topic.id,
        isInternal: false,
        partitions: Array.from({ length: count }, (_, at) => ({
          ...describePartition(rooms, topic, first + at),
          eligibleLeaderReplicas: [],
          lastKnownElr: [],
        })),
        topicAuthorizedOperations: topicOperations(rooms.config, true),
      });
      if (end < topic.partitionCount) {
        return { topics, nextCursor: { topicName: name, partitionIndex: end } };
      }
    }
    return { topics, nextCursor: null };
  },
);

function isBadCursor({ topics, cursor }: Request): boolean {
  if (cursor === null) return false;
  if (cursor.partitionIndex < 0) return true;
  return topics.length > 0 && !topics.some(({ name }) => name === cursor.topicName);
}

/** The message has a place for an error only in topics. */
function badCursor({ topics, cursor }: Request): Response {
  const names = topics.length > 0 ? topics.map(({ name }) => name) : [cursor!.topicName];
  const refused = names.map((name) => ({ name, errorCode: ErrorCode.INVALID_REQUEST }));
  return { topics: refused, nextCursor: null };
}

/** The asked topics from the cursor on, each once, in order. */
function names(rooms: Rooms, { topics, cursor }: Request): string[] {
  const asked = topics.length === 0
    ? Array.from(rooms.topics.all(), (topic) => topic.name)
    : [...new Set(topics.map((topic) => topic.name))];
  asked.sort();
  return cursor === null ? asked : asked.filter((name) => name >= cursor.topicName);
}
