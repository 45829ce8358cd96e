/**
 * CreateTopics (key 19), versions 2 to 7.
 *
 *     CreateTopics => [name num_partitions replication_factor [assignment] [config]] timeout_ms
 *       validate_only
 *
 * Partitions -1 means KAFSCALE_AUTO_CREATE_PARTITIONS. Any replication factor from 1 on is accepted
 * and answered as 1: records are as safe as the object store keeps them, whatever the number of
 * brokers, so tools that always ask for 3 work. Manual assignments fix the number of partitions;
 * their brokers must exist, and the first of each is preferred as leader. v5+ answers all effective
 * configs. A name that occurs twice is INVALID_REQUEST, once. Not done: quotas
 * (THROTTLING_QUOTA_EXCEEDED).
 */
import type { CreateTopic, TopicOutcome } from "../metadata/topics.ts";
import type { LooseResponseOf, RequestOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { createTopics } from "../protocol/messages/19_create_topics.ts";
import {
  adminRefusal,
  outcomesWithin,
  preferredLeaders,
  type Refusal,
  refusal,
  repeated,
  replicasFault,
} from "./admin_request.ts";
import { awaitLeaders } from "./await_leaders.ts";
import { topicEntries } from "./config_entries.ts";
import { handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type Request = RequestOf<typeof createTopics>;
type TopicRequest = Request["topics"][number];
type TopicResponse = NonNullable<LooseResponseOf<typeof createTopics>["topics"]>[number];

export const createTopicsHandler = handler(createTopics, async (rooms, _context, request) => {
  const topics: TopicResponse[] = [];
  const wanted: CreateTopic[] = [];
  const twice = repeated(request.topics.map((topic) => topic.name));
  const denied = adminRefusal(rooms, ErrorCode.CLUSTER_AUTHORIZATION_FAILED);
  for (const name of twice) {
    topics.push({ name, ...refusal(ErrorCode.INVALID_REQUEST, "Duplicate topic name.") });
  }
  for (const topic of request.topics) {
    if (twice.has(topic.name)) continue;
    const planned = denied ?? plan(rooms, topic);
    if ("errorCode" in planned) topics.push({ name: topic.name, ...planned });
    else wanted.push(planned);
  }
  const outcomes = await outcomesWithin(
    rooms,
    request.timeoutMs,
    wanted.length,
    rooms.topics.create(wanted, request.validateOnly),
  );
  wanted.forEach(({ name }, at) => {
    const outcome = outcomes[at]!;
    if (outcome.errorCode === ErrorCode.NONE && !request.validateOnly) {
      const { id, partitionCount } = outcome.topic!;
      rooms.runtime.log.info("topic created", { topic: name, id, partitionCount });
    }
    topics.push(answer(rooms, name, outcome, request.validateOnly));
  });
  if (!request.validateOnly) await awaitLeaders(rooms, outcomes.filter(isNew).map(topicOf));
  return { topics };
});

const isNew = ({ errorCode }: TopicOutcome) => errorCode === ErrorCode.NONE;
const topicOf = ({ topic }: TopicOutcome) => topic;

/** What the registry doesn't check, because it belongs to this request alone. */
function plan(rooms: Rooms, topic: TopicRequest): CreateTopic | Refusal {
  const { name, numPartitions, replicationFactor, assignments } = topic;
  const configs = topic.configs.map(({ name, value }) => [name, value] as const);
  if (assignments.length > 0) {
    const fault = assignmentFault(rooms, topic);
    if (fault !== undefined) return fault;
    const sorted = assignments.toSorted((a, b) => a.partitionIndex - b.partitionIndex);
    const preferred = preferredLeaders(rooms, sorted);
    return { name, partitionCount: assignments.length, configs, preferred };
  }
  if (replicationFactor !== -1 && replicationFactor < 1) {
    return refusal(
      ErrorCode.INVALID_REPLICATION_FACTOR,
      "Replication factor must be larger than 0, or -1 to use the default value.",
    );
  }
  return { name, partitionCount: numPartitions, configs };
}

function assignmentFault(rooms: Rooms, topic: TopicRequest): Refusal | undefined {
  const { assignments, numPartitions, replicationFactor } = topic;
  const number = numPartitions !== -1
    ? "numPartitions"
    : replicationFactor !== -1
    ? "replication factor"
    : undefined;
  if (number !== undefined) {
    return refusal(
      ErrorCode.INVALID_REQUEST,
      `A manual partition assignment was specified, but ${number} was not set to -1.`,
    );
  }
  const indexes = new Set(assignments.map((each) => each.partitionIndex));
  const dense = indexes.size === assignments.length &&
    assignments.every((_, index) => indexes.has(index));
  if (!dense) {
    return refusal(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      "Partitions of a manual assignment must be numbered from 0 without gaps or repetitions.",
    );
  }
  const factor = assignments[0]!.brokerIds.length;
  if (assignments.some((each) => each.brokerIds.length !== factor)) {
    return refusal(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      "All partitions of a manual assignment must have the same number of replicas.",
    );
  }
  for (const { brokerIds } of assignments) {
    const fault = replicasFault(rooms, brokerIds);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function answer(
  rooms: Rooms,
  name: string,
  outcome: TopicOutcome,
  validateOnly: boolean,
): TopicResponse {
  const { errorCode, errorMessage, topic } = outcome;
  if (errorCode !== ErrorCode.NONE || topic === undefined) return { name, errorCode, errorMessage };
  return {
    name,
    errorCode,
    errorMessage,
    ...(validateOnly ? {} : { topicId: topic.id }),
    numPartitions: topic.partitionCount,
    replicationFactor: 1,
    configs: topicEntries(rooms, topic, { includeSynonyms: false, includeDocumentation: false }),
  };
}
