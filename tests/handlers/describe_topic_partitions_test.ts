import { assertEquals } from "@std/assert";
import { ZERO_UUID } from "../../core/bytes/uuid.ts";
import {
  describeTopicPartitionsHandler,
} from "../../core/handlers/75_describe_topic_partitions.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { TopicRooms } from "./topic_rooms.ts";

interface Page {
  readonly names?: readonly string[];
  readonly limit?: number;
  readonly cursor?: { topicName: string; partitionIndex: number } | null;
}

/** What a page holds: [topic, error, partitions…]. */
async function page(rooms: TopicRooms, { names = [], limit = 2000, cursor = null }: Page) {
  const { topics, nextCursor } = await rooms.call(describeTopicPartitionsHandler, {
    topics: names.map((name) => ({ name })),
    responsePartitionLimit: limit,
    cursor,
  });
  const rows = topics.map(({ name, errorCode, partitions }) => [
    name,
    errorCode,
    ...partitions.map(({ partitionIndex }) => partitionIndex),
  ]);
  return { rows, nextCursor };
}

Deno.test("describeTopicPartitionsHandler describes a topic in full", async () => {
  await using rooms = await TopicRooms.start({ a: 1 });
  const answer = await rooms.call(describeTopicPartitionsHandler, { topics: [{ name: "a" }] });
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
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
      offlineReplicas: [],
    }],
    topicAuthorizedOperations: 3576,
  }]);
  assertEquals(answer.nextCursor, null);
});

Deno.test("describeTopicPartitionsHandler sorts names and tells missing ones", async () => {
  await using rooms = await TopicRooms.start({ b: 1, a: 2, B: 1 });
  const { rows } = await page(rooms, { names: ["none", "b", "a", "b", "bad name"] });
  assertEquals(rows, [
    ["a", 0, 0, 1],
    ["b", 0, 0],
    ["bad name", ErrorCode.INVALID_TOPIC_EXCEPTION],
    ["none", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  ]);
  assertEquals((await page(rooms, {})).rows, [["B", 0, 0], ["a", 0, 0, 1], ["b", 0, 0]]);
  assertEquals(rooms.topics.topicCount, 3);
});

Deno.test("describeTopicPartitionsHandler pages through everything exactly once", async () => {
  await using rooms = await TopicRooms.start({ a: 3, b: 2, c: 1, d: 4 });
  const all = ["a0", "a1", "a2", "b0", "b1", "c0", "d0", "d1", "d2", "d3"];
  for (let limit = 1; limit <= 11; limit++) {
    for (const names of [[], ["d", "c", "b", "a"]]) {
      const seen: string[] = [];
      let cursor: Page["cursor"] = null;
      do {
        const { rows, nextCursor } = await page(rooms, { names, limit, cursor: cursor! });
        const partitions = rows.flatMap(([name, , ...indexes]) =>
          indexes.map((i) => `${name}${i}`)
        );
        assertEquals(partitions.length <= limit, true);
        seen.push(...partitions);
        cursor = nextCursor;
      } while (cursor !== null);
      assertEquals(seen, all);
    }
  }
});

Deno.test("describeTopicPartitionsHandler keeps the limit between 1 and 2000", async () => {
  await using rooms = await TopicRooms.start({ a: 2500 });
  const large = await page(rooms, { limit: 1_000_000 });
  assertEquals(large.rows[0]!.length - 2, 2000);
  assertEquals(large.nextCursor, { topicName: "a", partitionIndex: 2000 });
  for (const limit of [0, -5]) {
    const small = await page(rooms, { limit });
    assertEquals(small.nextCursor, { topicName: "a", partitionIndex: 1 });
  }
});

Deno.test("describeTopicPartitionsHandler goes on when the cursor's topic is gone", async () => {
  await using rooms = await TopicRooms.start({ a: 1, c: 1 });
  const cursor = { topicName: "b", partitionIndex: 3 };
  assertEquals((await page(rooms, { cursor })).rows, [["c", 0, 0]]);
  const past = { topicName: "a", partitionIndex: 99 };
  assertEquals((await page(rooms, { cursor: past })).rows, [["a", 0], ["c", 0, 0]]);
  assertEquals((await page(rooms, { names: ["b", "c"], cursor })).rows, [
    ["b", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    ["c", 0, 0],
  ]);
});

Deno.test("describeTopicPartitionsHandler refuses bad cursors", async () => {
  await using rooms = await TopicRooms.start({ a: 1, b: 1 });
  const foreign = await rooms.call(describeTopicPartitionsHandler, {
    topics: [{ name: "b" }],
    cursor: { topicName: "a", partitionIndex: 0 },
  });
  assertEquals(
    foreign.topics.map(({ name, errorCode, topicId }) => [name, errorCode, topicId]),
    [["b", ErrorCode.INVALID_REQUEST, ZERO_UUID]],
  );
  const cursor = { topicName: "a", partitionIndex: -1 };
  for (const names of [[], ["a"]]) {
    const { rows } = await page(rooms, { names, cursor });
    assertEquals(rows, [["a", ErrorCode.INVALID_REQUEST]]);
  }
});
