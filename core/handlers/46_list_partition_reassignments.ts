/**
 * ListPartitionReassignments (key 46), version 0 (KIP-455).
 *
 *     ListPartitionReassignments => timeout_ms [name [partition]]          null topics: all
 *
 * Partitions on their way to the broker that AlterPartitionReassignments named, from the one that
 * leads until then. As in Kafka, partitions that don't exist are not an error here.
 */
import type { TopicInfo } from "../metadata/topics.ts";
import { ErrorCode } from "../protocol/errors.ts";
import {
  listPartitionReassignments,
} from "../protocol/messages/46_list_partition_reassignments.ts";
import { handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

export const listPartitionReassignmentsHandler = handler(
  listPartitionReassignments,
  (rooms, _context, request) => {
    const topics = request.topics === null
      ? Array.from(rooms.topics.all(), (topic) => underWay(rooms, topic, undefined))
      : request.topics.flatMap(({ name, partitionIndexes }) => {
        const topic = rooms.topics.byName(name);
        return topic === undefined ? [] : [underWay(rooms, topic, partitionIndexes)];
      });
    return {
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      topics: topics.filter(({ partitions }) => partitions.length > 0),
    };
  },
);

/** The moves of a topic's partitions; undefined: of all. */
function underWay(rooms: Rooms, topic: TopicInfo, partitions: readonly number[] | undefined) {
  const asked = partitions ?? Array.from({ length: topic.partitionCount }, (_, at) => at);
  return {
    name: topic.name,
    partitions: asked.flatMap((partitionIndex) => {
      const { ownerId, movingTo } = rooms.cluster.placement(topic.id, partitionIndex);
      if (movingTo === undefined || partitionIndex >= topic.partitionCount) return [];
      const removingReplicas = ownerId < 0 ? [] : [ownerId];
      const replicas = [movingTo, ...removingReplicas];
      return [{ partitionIndex, replicas, addingReplicas: [movingTo], removingReplicas }];
    }),
  };
}
