import { assertEquals, assertNotEquals } from "@std/assert";
import { ZERO_UUID } from "../../core/bytes/uuid.ts";
import { createTopicsHandler } from "../../core/handlers/19_create_topics.ts";
import { deleteTopicsHandler } from "../../core/handlers/20_delete_topics.ts";
import { createPartitionsHandler } from "../../core/handlers/37_create_partitions.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { TopicRooms } from "./topic_rooms.ts";

const UNKNOWN_ID = "________________AAAAAA";

interface Wanted {
  readonly name: string;
  readonly numPartitions?: number;
  readonly replicationFactor?: number;
  readonly assignments?: { partitionIndex: number; brokerIds: number[] }[];
  readonly configs?: { name: string; value: string | null }[];
}

function creation(wanted: readonly Wanted[], validateOnly = false) {
  const topics = wanted.map((topic) => ({ numPartitions: -1, replicationFactor: -1, ...topic }));
  return { topics, validateOnly, timeoutMs: 1_000 };
}

async function createCodes(rooms: TopicRooms, ...wanted: Wanted[]): Promise<number[]> {
  const { topics } = await rooms.call(createTopicsHandler, creation(wanted));
  const codes = new Map(topics.map(({ name, errorCode }) => [name, errorCode]));
  assertEquals(codes.size, topics.length);
  return [...new Set(wanted.map(({ name }) => name))].map((name) => codes.get(name)!);
}

function assigned(...replicas: number[][]) {
  return replicas.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds }));
}

Deno.test("createTopicsHandler creates in every version and tells what it made", async () => {
  await using rooms = await TopicRooms.start({}, { autoCreatePartitions: 5 });
  for (let version = 2; version <= 7; version++) {
    const name = `topic-${version}`;
    const request = creation([{ name, numPartitions: version === 7 ? -1 : 2 }]);
    const [topic] = (await rooms.call(createTopicsHandler, request, version)).topics;
    assertEquals([topic!.name, topic!.errorCode, topic!.errorMessage], [name, 0, null]);
    assertEquals(rooms.partitions(name), version === 7 ? 5 : 2);
    if (version < 5) continue;
    assertEquals(topic!.numPartitions, version === 7 ? 5 : 2);
    assertEquals(topic!.replicationFactor, 1);
    assertEquals(topic!.topicId, version === 7 ? rooms.id(name) : ZERO_UUID);
  }
});

Deno.test("createTopicsHandler answers all configs with their sources", async () => {
  await using rooms = await TopicRooms.start({}, { retentionMs: 5_000 });
  const configs = [{ name: "segment.bytes", value: " 1048576 " }];
  const { topics } = await rooms.call(createTopicsHandler, creation([{ name: "a", configs }]));
  const answered = topics[0]!.configs!;
  const one = (name: string) => answered.find((config) => config.name === name)!;
  assertEquals([one("segment.bytes").value, one("segment.bytes").configSource], ["1048576", 1]);
  assertEquals([one("retention.ms").value, one("retention.ms").configSource], ["5000", 4]);
  assertEquals([one("cleanup.policy").value, one("cleanup.policy").configSource], ["delete", 5]);
  assertEquals(one("retention.bytes").configSource, 5);
  const names = answered.map(({ name }) => name);
  assertEquals(names, [...names].sort());
  assertEquals([...rooms.topics.byName("a")!.configs], [["segment.bytes", "1048576"]]);
});

Deno.test("createTopicsHandler takes any positive replication factor as one", async () => {
  await using rooms = await TopicRooms.start();
  const { topics } = await rooms.call(
    createTopicsHandler,
    creation([1, 3, 100].map((replicationFactor) => ({
      name: `r${replicationFactor}`,
      replicationFactor,
    }))),
  );
  assertEquals(topics.map((t) => [t.errorCode, t.replicationFactor]), [[0, 1], [0, 1], [0, 1]]);
});

Deno.test("createTopicsHandler refuses what Kafka refuses, with its codes", async () => {
  await using rooms = await TopicRooms.start({ old: 1, "a.b": 1 });
  const refused: [Wanted, number][] = [
    [{ name: "" }, ErrorCode.INVALID_TOPIC_EXCEPTION],
    [{ name: "bad name" }, ErrorCode.INVALID_TOPIC_EXCEPTION],
    [{ name: "a_b" }, ErrorCode.INVALID_TOPIC_EXCEPTION],
    [{ name: "old" }, ErrorCode.TOPIC_ALREADY_EXISTS],
    [{ name: "p0", numPartitions: 0 }, ErrorCode.INVALID_PARTITIONS],
    [{ name: "p-2", numPartitions: -2 }, ErrorCode.INVALID_PARTITIONS],
    [{ name: "p", numPartitions: 2_000_000_000 }, ErrorCode.INVALID_PARTITIONS],
    [{ name: "r0", replicationFactor: 0 }, ErrorCode.INVALID_REPLICATION_FACTOR],
    [{ name: "r-2", replicationFactor: -2 }, ErrorCode.INVALID_REPLICATION_FACTOR],
    [{ name: "c1", configs: [{ name: "no.such", value: "1" }] }, ErrorCode.INVALID_CONFIG],
    [{ name: "c2", configs: [{ name: "retention.ms", value: "x" }] }, ErrorCode.INVALID_CONFIG],
    [{ name: "c3", configs: [{ name: "retention.ms", value: null }] }, ErrorCode.INVALID_CONFIG],
  ];
  for (const [wanted, code] of refused) {
    const [topic] = (await rooms.call(createTopicsHandler, creation([wanted]))).topics;
    assertEquals(topic!.errorCode, code, JSON.stringify(wanted));
    assertNotEquals(topic!.errorMessage, null);
    assertEquals([topic!.numPartitions, topic!.replicationFactor], [-1, -1]);
  }
  assertEquals(rooms.topics.topicCount, 2);
});

Deno.test("createTopicsHandler checks assignments and counts their partitions", async () => {
  await using rooms = await TopicRooms.start();
  const { INVALID_REQUEST, INVALID_REPLICA_ASSIGNMENT, NONE } = ErrorCode;
  const codes = await createCodes(
    rooms,
    { name: "fine", assignments: assigned([7], [8], [7]) },
    { name: "pairs", assignments: assigned([7, 8], [8, 7]) },
    { name: "counted", numPartitions: 1, assignments: assigned([7]) },
    { name: "factor", replicationFactor: 1, assignments: assigned([7]) },
    { name: "stranger", assignments: assigned([9]) },
    { name: "nobody", assignments: assigned([]) },
    { name: "twice", assignments: assigned([7, 7]) },
    { name: "uneven", assignments: assigned([7], [7, 8]) },
    { name: "gap", assignments: [...assigned([7]), { partitionIndex: 2, brokerIds: [7] }] },
    { name: "repeated", assignments: [...assigned([7]), ...assigned([8])] },
  );
  assertEquals(codes, [
    ...[NONE, NONE, INVALID_REQUEST, INVALID_REQUEST],
    ...Array(6).fill(INVALID_REPLICA_ASSIGNMENT),
  ]);
  assertEquals([rooms.partitions("fine"), rooms.partitions("pairs")], [3, 2]);
  assertEquals(rooms.topics.topicCount, 2);
});

Deno.test("createTopicsHandler answers a repeated name once and creates the others", async () => {
  await using rooms = await TopicRooms.start();
  const codes = await createCodes(rooms, { name: "a" }, { name: "b" }, { name: "a" });
  assertEquals(codes, [ErrorCode.INVALID_REQUEST, ErrorCode.NONE]);
  assertEquals([rooms.partitions("a"), rooms.partitions("b")], [undefined, 1]);
});

Deno.test("createTopicsHandler only validates when asked to", async () => {
  await using rooms = await TopicRooms.start({ old: 1 });
  const request = creation([{ name: "new", numPartitions: 4 }, { name: "old" }], true);
  const { topics } = await rooms.call(createTopicsHandler, request);
  assertEquals(topics.map(({ errorCode }) => errorCode), [0, ErrorCode.TOPIC_ALREADY_EXISTS]);
  assertEquals([topics[0]!.numPartitions, topics[0]!.topicId], [4, ZERO_UUID]);
  assertEquals(rooms.partitions("new"), undefined);
});

Deno.test("topic changes are refused while admin APIs are off", async () => {
  await using rooms = await TopicRooms.start({ a: 1 }, { allowAdminApis: false });
  const refused = ErrorCode.TOPIC_AUTHORIZATION_FAILED;
  assertEquals(await createCodes(rooms, { name: "new" }), [
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
  ]);
  const deleted = await rooms.call(deleteTopicsHandler, { topicNames: ["a"] }, 5);
  assertEquals(deleted.responses[0]!.errorCode, refused);
  const grown = await rooms.call(createPartitionsHandler, {
    topics: [{ name: "a", count: 2, assignments: null }],
  });
  assertEquals(grown.results[0]!.errorCode, refused);
  assertEquals(rooms.partitions("a"), 1);
});

Deno.test("topic changes answer a metadata outage with codes of their own", async () => {
  await using rooms = await TopicRooms.start({ a: 1 });
  for (
    const [outage, code] of [
      ["retry", ErrorCode.REQUEST_TIMED_OUT],
      ["fatal", ErrorCode.KAFKA_STORAGE_ERROR],
    ] as const
  ) {
    rooms.outage = outage;
    assertEquals(await createCodes(rooms, { name: "new" }), [code]);
    const deleted = await rooms.call(deleteTopicsHandler, { topicNames: ["a"] }, 5);
    assertEquals(deleted.responses[0]!.errorCode, code);
    const grown = await rooms.call(createPartitionsHandler, {
      topics: [{ name: "a", count: 2, assignments: null }],
    });
    assertEquals(grown.results[0]!.errorCode, code);
  }
  rooms.outage = undefined;
  assertEquals(await createCodes(rooms, { name: "new" }), [ErrorCode.NONE]);
});

Deno.test("deleteTopicsHandler deletes by name in every version", async () => {
  await using rooms = await TopicRooms.start();
  for (let version = 1; version <= 6; version++) {
    await createCodes(rooms, { name: "a" });
    const id = rooms.id("a");
    const request = version === 6
      ? { topics: [{ name: "a" }, { name: "none" }] }
      : { topicNames: ["a", "none"] };
    const { responses } = await rooms.call(deleteTopicsHandler, request, version);
    assertEquals(responses.map(({ name, errorCode }) => [name, errorCode]), [
      ["a", ErrorCode.NONE],
      ["none", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    ]);
    if (version === 6) assertEquals(responses.map((r) => r.topicId), [id, ZERO_UUID]);
    assertEquals(rooms.topics.topicCount, 0);
  }
});

Deno.test("deleteTopicsHandler deletes by id and knows unknown ids", async () => {
  await using rooms = await TopicRooms.start({ a: 1, b: 1 });
  const id = rooms.id("a");
  const { responses } = await rooms.call(deleteTopicsHandler, {
    topics: [{ name: null, topicId: id }, { name: null, topicId: UNKNOWN_ID }],
  });
  assertEquals(responses.map((r) => [r.name, r.topicId, r.errorCode]), [
    ["a", id, ErrorCode.NONE],
    [null, UNKNOWN_ID, ErrorCode.UNKNOWN_TOPIC_ID],
  ]);
  assertEquals([...rooms.topics.all()].map(({ name }) => name), ["b"]);
});

Deno.test("deleteTopicsHandler deletes nothing that is named wrongly or twice", async () => {
  await using rooms = await TopicRooms.start({ a: 1, b: 1, c: 1, d: 1 });
  const { responses } = await rooms.call(deleteTopicsHandler, {
    topics: [
      { name: "a", topicId: rooms.id("a") },
      { name: null, topicId: ZERO_UUID },
      { name: "b" },
      { name: "b" },
      { name: null, topicId: rooms.id("c") },
      { name: null, topicId: rooms.id("c") },
      { name: "d" },
      { name: null, topicId: rooms.id("d") },
    ],
  });
  assertEquals(
    responses.map(({ name, errorCode }) => [name, errorCode]),
    ["a", null, "b", null, "d", null].map((name) => [name, ErrorCode.INVALID_REQUEST]),
  );
  assertEquals(rooms.topics.topicCount, 4);
});

Deno.test("createPartitionsHandler only grows, in every version", async () => {
  await using rooms = await TopicRooms.start({ a: 2 });
  for (let version = 0; version <= 3; version++) {
    const count = 3 + version;
    const topics = [{ name: "a", count, assignments: null }];
    const { results } = await rooms.call(createPartitionsHandler, { topics }, version);
    assertEquals(results, [{ name: "a", errorCode: 0, errorMessage: null }]);
    assertEquals(rooms.partitions("a"), count);
  }
  for (const count of [6, 5, 0, -1, 2_000_000_000]) {
    const topics = [{ name: "a", count, assignments: null }];
    const { results } = await rooms.call(createPartitionsHandler, { topics });
    assertEquals(results[0]!.errorCode, ErrorCode.INVALID_PARTITIONS);
    assertNotEquals(results[0]!.errorMessage, null);
  }
  assertEquals(rooms.partitions("a"), 6);
});

Deno.test("createPartitionsHandler checks assignments, names and repetitions", async () => {
  await using rooms = await TopicRooms.start({ a: 1, b: 1 });
  const grow = async (assignments: number[][] | null, count = 3, validateOnly = false) => {
    const wanted = assignments?.map((brokerIds) => ({ brokerIds })) ?? null;
    const topics = [{ name: "a", count, assignments: wanted }];
    const { results } = await rooms.call(createPartitionsHandler, { topics, validateOnly });
    return results[0]!.errorCode;
  };
  for (const wrong of [[], [[7]], [[7], [9]], [[7], []], [[7], [7, 7]]]) {
    assertEquals(await grow(wrong), ErrorCode.INVALID_REPLICA_ASSIGNMENT);
  }
  assertEquals(await grow([[7]], 1), ErrorCode.INVALID_PARTITIONS);
  assertEquals(await grow([[7], [8]], 3, true), ErrorCode.NONE);
  assertEquals(rooms.partitions("a"), 1);
  assertEquals(await grow([[7], [8]]), ErrorCode.NONE);
  assertEquals(rooms.partitions("a"), 3);
  const { results } = await rooms.call(createPartitionsHandler, {
    topics: ["b", "none", "b"].map((name) => ({ name, count: 2, assignments: null })),
  });
  assertEquals(results.map(({ name, errorCode }) => [name, errorCode]), [
    ["b", ErrorCode.INVALID_REQUEST],
    ["none", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  ]);
  assertEquals(rooms.partitions("b"), 1);
});
