/**
 * ElectLeaders (key 43), versions 0 to 2.
 *
 *     ElectLeaders => election_type [topic [partition]] timeout_ms          null topics: all
 *
 * The leader that there is, is always the preferred and a clean one, so each named partition is
 * ELECTION_NOT_NEEDED; one without a leader gets ELIGIBLE_LEADERS_NOT_AVAILABLE. Asked for all, the
 * answer lists only the latter, as Kafka does.
 */
import { ErrorCode } from "../protocol/errors.ts";
import { electLeaders } from "../protocol/messages/43_elect_leaders.ts";
import { handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

const ELECTION_TYPES = 2;

export const electLeadersHandler = handler(electLeaders, (rooms, _context, request) => {
  if (request.electionType < 0 || request.electionType >= ELECTION_TYPES) {
    return { errorCode: ErrorCode.INVALID_REQUEST };
  }
  const replicaElectionResults = request.topicPartitions === null
    ? leaderless(rooms)
    : request.topicPartitions.map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map((partition) => result(rooms, topic, partition)),
    }));
  return { errorCode: ErrorCode.NONE, replicaElectionResults };
});

function leaderless(rooms: Rooms) {
  return Array.from(rooms.topics.all(), ({ name, partitionCount }) => ({
    topic: name,
    partitionResult: Array.from({ length: partitionCount }, (_, at) => result(rooms, name, at))
      .filter(({ errorCode }) => errorCode !== ErrorCode.ELECTION_NOT_NEEDED),
  })).filter(({ partitionResult }) => partitionResult.length > 0);
}

function result(rooms: Rooms, name: string, partitionId: number) {
  const topic = rooms.topics.byName(name);
  if (topic === undefined || partitionId < 0 || partitionId >= topic.partitionCount) {
    return {
      partitionId,
      errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      errorMessage: "The partition does not exist.",
    };
  }
  return rooms.cluster.leader(topic.id, partitionId).leaderId < 0
    ? {
      partitionId,
      errorCode: ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
      errorMessage: "No broker can lead the partition at the moment.",
    }
    : {
      partitionId,
      errorCode: ErrorCode.ELECTION_NOT_NEEDED,
      errorMessage: "Leader election not needed for topic partition.",
    };
}
