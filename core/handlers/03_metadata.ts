/**
 * Metadata (key 3), versions 0 to 13.
 *
 *     Metadata => [topic_id name] allow_auto_topic_creation include_*_authorized_operations
 *
 * Null topics (v0: an empty list) means all. An unknown name is created when client (v4+) and
 * broker allow it, and the answer has it already; an unknown id (v12+) is UNKNOWN_TOPIC_ID. A
 * partition's replicas are its leader, first, and one broker of each other rack, which serves reads
 * of it (KIP-392). A topic that is being made is described once it has leaders. Works through a
 * metadata outage, but for what must be created: that gets LEADER_NOT_AVAILABLE, which clients
 * retry. Ids before v12 are INVALID_REQUEST.
 */
import { ZERO_UUID } from "../bytes/mod.ts";
import { topicNameFault } from "../metadata/topic_names.ts";
import type { TopicInfo, TopicOutcome } from "../metadata/topics.ts";
import type { LooseResponseOf, RequestOf } from "../protocol/api.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { metadata } from "../protocol/messages/03_metadata.ts";
import { awaitFirstLeaders, awaitLeaders } from "./await_leaders.ts";
import { clusterOperations, topicOperations } from "./authorized_operations.ts";
import { handler } from "./handler.ts";
import { describePartition } from "./partition_description.ts";
import type { Rooms } from "./rooms.ts";

type Request = RequestOf<typeof metadata>;
type TopicResponse = NonNullable<LooseResponseOf<typeof metadata>["topics"]>[number];

/** First version that takes topic ids instead of names. */
const BY_ID = 12;

export const metadataHandler = handler(metadata, async (rooms, { apiVersion }, request) => {
  const all = request.topics === null || (apiVersion === 0 && request.topics.length === 0);
  const operations = topicOperations(rooms.config, request.includeTopicAuthorizedOperations);
  const describe = (topic: TopicInfo) => describeTopic(rooms, topic, operations);
  await awaitFirstLeaders(rooms, all ? rooms.topics.all() : known(rooms, request));
  const topics = all
    ? Array.from(rooms.topics.all(), describe)
    : await chosenTopics(rooms, request, apiVersion, describe);
  return {
    brokers: rooms.cluster.brokers(),
    clusterId: rooms.cluster.clusterId,
    controllerId: rooms.cluster.controllerId,
    topics,
    clusterAuthorizedOperations: clusterOperations(
      rooms.config,
      request.includeClusterAuthorizedOperations,
    ),
  };
});

function known(rooms: Rooms, request: Request): (TopicInfo | undefined)[] {
  return request.topics!.map(({ name, topicId }) =>
    name === null ? rooms.topics.byId(topicId) : rooms.topics.byName(name)
  );
}

async function chosenTopics(
  rooms: Rooms,
  request: Request,
  apiVersion: number,
  describe: (topic: TopicInfo) => TopicResponse,
): Promise<TopicResponse[]> {
  const answers: TopicResponse[] = [];
  const missing = new Set<string>();
  const seen = new Set<string>();
  for (const { name, topicId } of request.topics!) {
    const byId = name === null || topicId !== ZERO_UUID;
    const asked = byId ? `id ${topicId}` : `name ${name}`;
    if (seen.has(asked)) continue;
    seen.add(asked);
    if (byId && apiVersion < BY_ID) {
      answers.push({ name: name ?? "", topicId, errorCode: ErrorCode.INVALID_REQUEST });
      continue;
    }
    const topic = byId ? rooms.topics.byId(topicId) : rooms.topics.byName(name);
    if (topic !== undefined) answers.push(describe(topic));
    else if (byId) answers.push({ name: null, topicId, errorCode: ErrorCode.UNKNOWN_TOPIC_ID });
    else missing.add(name);
  }
  if (missing.size === 0) return answers;
  const create = request.allowAutoTopicCreation && rooms.config.autoCreateTopics;
  const outcomes = await missingTopics(rooms, [...missing], create);
  return answers.concat(
    outcomes.map(([name, outcome]) =>
      typeof outcome === "number" ? { name, errorCode: outcome } : describe(outcome)
    ),
  );
}

/** Creates what is missing, where allowed; the topic, or the code that says why there is none. */
async function missingTopics(
  rooms: Rooms,
  names: readonly string[],
  create: boolean,
): Promise<[name: string, outcome: TopicInfo | ErrorCodeValue][]> {
  if (!create) {
    return names.map((name) => [
      name,
      topicNameFault(name) === undefined
        ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        : ErrorCode.INVALID_TOPIC_EXCEPTION,
    ]);
  }
  const requests = names.map((name) => ({ name, partitionCount: -1, configs: [] }));
  const outcomes = await rooms.topics.create(requests);
  await awaitLeaders(rooms, outcomes.map(({ topic }) => topic));
  return names.map((name, at) => [name, autoCreated(rooms, name, outcomes[at]!)]);
}

function autoCreated(rooms: Rooms, name: string, outcome: TopicOutcome) {
  if (outcome.topic !== undefined) {
    if (outcome.errorCode === ErrorCode.NONE) {
      const { id, partitionCount } = outcome.topic;
      rooms.runtime.log.info("topic created on first use", { topic: name, id, partitionCount });
    }
    return outcome.topic;
  }
  return outcome.errorCode === ErrorCode.REQUEST_TIMED_OUT
    ? ErrorCode.LEADER_NOT_AVAILABLE
    : outcome.errorCode;
}

function describeTopic(
  rooms: Rooms,
  topic: TopicInfo,
  topicAuthorizedOperations: number,
): TopicResponse {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: false,
    partitions: Array.from(
      { length: topic.partitionCount },
      (_, partition) => {
        const readers = rooms.cluster.readReplicas(topic.id, partition);
        return describePartition(rooms, topic, partition, readers);
      },
    ),
    topicAuthorizedOperations,
  };
}
