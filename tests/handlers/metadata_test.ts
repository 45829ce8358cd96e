import { assertEquals, assertNotEquals } from "@std/assert";
import { ZERO_UUID } from "../../core/bytes/uuid.ts";
import { FIRST_LEADERS_WAIT_MS } from "../../core/config/limits.ts";
import { metadataHandler } from "../../core/handlers/03_metadata.ts";
import { describeClusterHandler } from "../../core/handlers/60_describe_cluster.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { TopicRooms } from "./topic_rooms.ts";

const NOT_ASKED = -(2 ** 31);
const UNKNOWN_ID = "________________AAAAAA";

function named(...names: string[]) {
  return { topics: names.map((name) => ({ name, topicId: ZERO_UUID })) };
}

Deno.test("metadataHandler describes all topics for null, in every version", async () => {
  await using rooms = await TopicRooms.start({ a: 2, b: 1 });
  for (let version = 0; version <= 13; version++) {
    // version 0 has no null: an empty list means all
    const { topics, brokers } = await rooms.call(
      metadataHandler,
      { topics: version === 0 ? [] : null },
      version,
    );
    assertEquals(topics.map(({ name }) => name), ["a", "b"]);
    assertEquals(topics.map(({ partitions }) => partitions.length), [2, 1]);
    assertEquals(topics.map(({ errorCode }) => errorCode), [0, 0]);
    assertEquals(brokers.map(({ nodeId }) => nodeId), [7, 8]);
    if (version >= 10) assertEquals(topics[0]!.topicId, rooms.id("a"));
  }
});

Deno.test("metadataHandler describes no topic for an empty list from version 1 on", async () => {
  await using rooms = await TopicRooms.start({ a: 2 });
  for (const version of [1, 8, 9, 13]) {
    assertEquals((await rooms.call(metadataHandler, { topics: [] }, version)).topics, []);
  }
});

Deno.test("metadataHandler tells cluster, racks, leaders and replicas", async () => {
  await using rooms = await TopicRooms.start({ a: 1 });
  const answer = await rooms.call(metadataHandler, named("a"));
  assertEquals(answer.clusterId, "test-cluster");
  assertEquals(answer.controllerId, 7);
  assertEquals(answer.brokers[0], { nodeId: 7, host: "seven", port: 9092, rack: "north" });
  assertEquals(answer.topics, [{
    errorCode: 0,
    name: "a",
    topicId: rooms.id("a"),
    isInternal: false,
    partitions: [{
      errorCode: 0,
      partitionIndex: 0,
      leaderId: 7,
      leaderEpoch: 4,
      replicaNodes: [7],
      isrNodes: [7],
      offlineReplicas: [],
    }],
    topicAuthorizedOperations: NOT_ASKED,
  }]);
});

Deno.test("metadataHandler says LEADER_NOT_AVAILABLE of a partition without leader", async () => {
  await using rooms = await TopicRooms.start({ a: 1 });
  rooms.leaderId = -1;
  const [topic] = (await rooms.call(metadataHandler, named("a"))).topics;
  assertEquals(topic!.errorCode, ErrorCode.NONE);
  assertEquals(topic!.partitions[0]!.errorCode, ErrorCode.LEADER_NOT_AVAILABLE);
  assertEquals(topic!.partitions[0]!.leaderId, -1);
  assertEquals(topic!.partitions[0]!.replicaNodes, []);
});

Deno.test("metadataHandler tells of a topic that is being made once it has leaders", async () => {
  await using rooms = await TopicRooms.start({ a: 1 });
  const leaders = async (query: ReturnType<typeof named> | { topics: null }) => {
    const { topics } = await rooms.call(metadataHandler, query);
    return topics.map(({ partitions }) => partitions.map(({ leaderId }) => leaderId));
  };
  for (const query of [named("a"), { topics: null }]) {
    Object.assign(rooms, { shared: true, isNew: true, leaderId: -1 });
    let told: number[][] | undefined;
    const asked = leaders(query).then((found) => told = found);
    await rooms.runtime.advance(200);
    assertEquals(told, undefined);
    rooms.leaderId = 8;
    await rooms.runtime.advance(50);
    await asked;
    assertEquals(told, [[8]]);
  }
});

Deno.test("metadataHandler waits for no lost leader, nor long for a first one", async () => {
  await using rooms = await TopicRooms.start({ a: 1 });
  Object.assign(rooms, { shared: true, leaderId: -1 });
  const lost = await rooms.call(metadataHandler, named("a"));
  assertEquals(lost.topics[0]!.partitions[0]!.leaderId, -1);
  rooms.isNew = true;
  const none = rooms.call(metadataHandler, named("a"));
  await rooms.runtime.advance(FIRST_LEADERS_WAIT_MS + 100);
  assertEquals((await none).topics[0]!.partitions[0]!.errorCode, ErrorCode.LEADER_NOT_AVAILABLE);
});

Deno.test("metadataHandler tells read replicas behind the leader, which clients need", async () => {
  await using rooms = await TopicRooms.start({ a: 1 });
  rooms.readReplicas = [2, 8];
  const [topic] = (await rooms.call(metadataHandler, named("a"))).topics;
  const { leaderId, replicaNodes, isrNodes } = topic!.partitions[0]!;
  assertEquals([leaderId, replicaNodes, isrNodes], [7, [7, 2, 8], [7, 2, 8]]);
});

Deno.test("metadataHandler finds topics by id from version 12 on, never creates them", async () => {
  await using rooms = await TopicRooms.start({ a: 1 });
  const byId = (topicId: string) => ({ topics: [{ name: null, topicId }] });
  for (const version of [12, 13]) {
    const [found] = (await rooms.call(metadataHandler, byId(rooms.id("a")), version)).topics;
    assertEquals([found!.errorCode, found!.name], [ErrorCode.NONE, "a"]);
    for (const id of [UNKNOWN_ID, ZERO_UUID]) {
      const [unknown] = (await rooms.call(metadataHandler, byId(id), version)).topics;
      assertEquals(
        [unknown!.errorCode, unknown!.name, unknown!.topicId],
        [ErrorCode.UNKNOWN_TOPIC_ID, null, id],
      );
    }
  }
  assertEquals(rooms.topics.topicCount, 1);
});

Deno.test("metadataHandler refuses ids and null names in versions 10 and 11", async () => {
  await using rooms = await TopicRooms.start({ a: 1 });
  for (const version of [10, 11]) {
    const withId = { topics: [{ name: "a", topicId: rooms.id("a") }] };
    const withoutName = { topics: [{ name: null, topicId: ZERO_UUID }] };
    for (const request of [withId, withoutName]) {
      const { topics } = await rooms.call(metadataHandler, request, version);
      assertEquals(topics.map((topic) => topic.errorCode), [ErrorCode.INVALID_REQUEST]);
    }
  }
});

Deno.test("metadataHandler creates a missing topic and answers it at once", async () => {
  await using rooms = await TopicRooms.start({}, { autoCreatePartitions: 3 });
  for (const version of [0, 3, 4, 13]) {
    const name = `new-${version}`;
    const { topics } = await rooms.call(metadataHandler, named(name, name), version);
    assertEquals(topics.map(({ errorCode }) => errorCode), [ErrorCode.NONE]);
    assertEquals(topics[0]!.partitions.length, 3);
    assertEquals(rooms.partitions(name), 3);
  }
});

Deno.test("metadataHandler creates nothing unless request and broker allow it", async () => {
  for (const [autoCreateTopics, allowAutoTopicCreation] of [[true, false], [false, true]]) {
    await using rooms = await TopicRooms.start({}, { autoCreateTopics: autoCreateTopics! });
    const request = {
      ...named("new", "bad name", ""),
      allowAutoTopicCreation: allowAutoTopicCreation!,
    };
    const { topics } = await rooms.call(metadataHandler, request);
    assertEquals(topics.map(({ errorCode }) => errorCode), [
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      ErrorCode.INVALID_TOPIC_EXCEPTION,
      ErrorCode.INVALID_TOPIC_EXCEPTION,
    ]);
    assertEquals(topics.map(({ topicId }) => topicId), [ZERO_UUID, ZERO_UUID, ZERO_UUID]);
    assertEquals(rooms.topics.topicCount, 0);
  }
});

Deno.test("metadataHandler refuses invalid names while it creates the others", async () => {
  await using rooms = await TopicRooms.start({ "a.b": 1 });
  const { topics } = await rooms.call(metadataHandler, named("..", "x/y", "a_b", "fine", "a.b"));
  const codes = new Map(topics.map(({ name, errorCode }) => [name, errorCode]));
  assertEquals(codes.size, topics.length);
  assertEquals([...codes].sort(), [
    ["..", ErrorCode.INVALID_TOPIC_EXCEPTION],
    ["a.b", ErrorCode.NONE],
    ["a_b", ErrorCode.INVALID_TOPIC_EXCEPTION],
    ["fine", ErrorCode.NONE],
    ["x/y", ErrorCode.INVALID_TOPIC_EXCEPTION],
  ]);
});

Deno.test("metadataHandler answers a metadata outage so that clients ask again", async () => {
  await using rooms = await TopicRooms.start({ a: 1 });
  for (
    const [outage, code] of [
      ["retry", ErrorCode.LEADER_NOT_AVAILABLE],
      ["fatal", ErrorCode.KAFKA_STORAGE_ERROR],
    ] as const
  ) {
    rooms.outage = outage;
    const { topics } = await rooms.call(metadataHandler, named("a", "new"));
    assertEquals(
      topics.map(({ errorCode }) => errorCode),
      [ErrorCode.NONE, code],
    );
  }
  rooms.outage = undefined;
  const { topics } = await rooms.call(metadataHandler, named("new"));
  assertEquals(topics[0]!.errorCode, ErrorCode.NONE);
});

Deno.test("metadataHandler gives all authorized operations when asked", async () => {
  await using rooms = await TopicRooms.start({ a: 1 });
  const request = {
    ...named("a"),
    includeTopicAuthorizedOperations: true,
    includeClusterAuthorizedOperations: true,
  };
  const answer = await rooms.call(metadataHandler, request, 10);
  // 3576 and 8096 are what Kafka without an authorizer answers
  assertEquals(answer.topics[0]!.topicAuthorizedOperations, 3576);
  assertEquals(answer.clusterAuthorizedOperations, 8096);
  const silent = await rooms.call(metadataHandler, named("a"), 10);
  assertEquals(silent.clusterAuthorizedOperations, NOT_ASKED);
});

Deno.test("describeClusterHandler tells cluster and brokers in every version", async () => {
  await using rooms = await TopicRooms.start();
  for (const version of [0, 1, 2]) {
    const answer = await rooms.call(describeClusterHandler, {
      includeClusterAuthorizedOperations: version === 0,
      includeFencedBrokers: true,
    }, version);
    assertEquals(answer.errorCode, ErrorCode.NONE);
    assertEquals([answer.clusterId, answer.controllerId], ["test-cluster", 7]);
    assertEquals(answer.endpointType, 1);
    assertEquals(answer.brokers, [
      { brokerId: 7, host: "seven", port: 9092, rack: "north", isFenced: false },
      { brokerId: 8, host: "eight", port: 9093, rack: null, isFenced: false },
    ]);
    assertEquals(answer.clusterAuthorizedOperations, version === 0 ? 8096 : NOT_ASKED);
  }
});

Deno.test("describeClusterHandler refuses endpoints that are no broker's", async () => {
  await using rooms = await TopicRooms.start();
  const controllers = await rooms.call(describeClusterHandler, { endpointType: 2 });
  assertEquals(controllers.errorCode, ErrorCode.MISMATCHED_ENDPOINT_TYPE);
  assertEquals(controllers.brokers, []);
  const unknown = await rooms.call(describeClusterHandler, { endpointType: 3 }, 1);
  assertEquals(unknown.errorCode, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE);
  assertNotEquals(unknown.errorMessage, null);
});
