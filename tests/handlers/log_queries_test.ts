import { assertEquals } from "@std/assert";
import { Reader, Writer } from "../../core/bytes/mod.ts";
import { listOffsetsHandler } from "../../core/handlers/02_list_offsets.ts";
import { apiVersionsHandler } from "../../core/handlers/18_api_versions.ts";
import { deleteRecordsHandler } from "../../core/handlers/21_delete_records.ts";
import { offsetForLeaderEpochHandler } from "../../core/handlers/23_offset_for_leader_epoch.ts";
import { describeProducersHandler } from "../../core/handlers/61_describe_producers.ts";
import { type AnyHandler, handlers } from "../../core/handlers/mod.ts";
import type { Api, Loose } from "../../core/protocol/api.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { StoreError } from "../../core/storage/object_store.ts";
import { FakeContext, FakeRooms } from "./fake_rooms.ts";

/** Sends `request` through the codec, the handler, and the codec again. */
async function call<Request, Response>(
  { api, handle }: { api: Api<Request, Response>; handle: AnyHandler["handle"] },
  rooms: FakeRooms,
  request: Loose<Request>,
  version = api.maxVersion,
): Promise<Response> {
  const asked = new Writer();
  api.request.write(asked, request, version);
  const context = new FakeContext(version);
  const decoded = api.request.read(new Reader(asked.toBytes()), version);
  const response = await handle(rooms.rooms, context, decoded);
  context.sent();
  const answered = new Writer();
  api.response.write(answered, response!, version);
  return api.response.read(new Reader(answered.toBytes()), version);
}

/** Log start 1, stable up to 4, committed up to 6, timestamps 100, 300, 200 at offsets 1, 3, 5. */
function roomsWithLog(): FakeRooms {
  const rooms = new FakeRooms({ a: 1 });
  const log = rooms.log("a");
  for (let batch = 0; batch < 6; batch++) log.put(10, batch < 4);
  log.logStartOffset = 1;
  log.timestamps = [
    { offset: 1, timestampMs: 100, leaderEpoch: 1 },
    { offset: 3, timestampMs: 300, leaderEpoch: 2 },
    { offset: 5, timestampMs: 200, leaderEpoch: 3 },
  ];
  return rooms;
}

interface OffsetQuery {
  readonly timestamp: number;
  readonly isolationLevel?: number;
  readonly currentLeaderEpoch?: number;
  readonly topic?: string;
  readonly partition?: number;
}

async function offsetOf(rooms: FakeRooms, query: OffsetQuery, version = 10) {
  const { timestamp, isolationLevel = 0, currentLeaderEpoch = -1, topic = "a", partition = 0 } =
    query;
  const response = await call(listOffsetsHandler, rooms, {
    replicaId: -1,
    isolationLevel,
    topics: [{
      name: topic,
      partitions: [{ partitionIndex: partition, currentLeaderEpoch, timestamp }],
    }],
  }, version);
  const { errorCode, timestamp: at, offset, leaderEpoch } = response.topics[0]!.partitions[0]!;
  return [errorCode, at, offset, leaderEpoch];
}

Deno.test("listOffsets finds the special offsets", async () => {
  const rooms = roomsWithLog();
  assertEquals(await offsetOf(rooms, { timestamp: -1 }), [0, -1, 6, 3]);
  assertEquals(await offsetOf(rooms, { timestamp: -1, isolationLevel: 1 }), [0, -1, 4, 3]);
  assertEquals(await offsetOf(rooms, { timestamp: -2 }), [0, -1, 1, -1]);
  assertEquals(await offsetOf(rooms, { timestamp: -3 }), [0, 300, 3, 2]);
  assertEquals(await offsetOf(rooms, { timestamp: -4 }), [0, -1, 1, -1]);
  assertEquals(await offsetOf(rooms, { timestamp: -5 }), [0, -1, -1, -1]);
});

Deno.test("listOffsets finds the first record at or after a timestamp", async () => {
  const rooms = roomsWithLog();
  assertEquals(await offsetOf(rooms, { timestamp: 0 }), [0, 100, 1, 1]);
  assertEquals(await offsetOf(rooms, { timestamp: 101 }), [0, 300, 3, 2]);
  assertEquals(await offsetOf(rooms, { timestamp: 301 }), [0, -1, -1, -1]);
  rooms.log("a").lastStableOffset = 3;
  const committed = { timestamp: 101, isolationLevel: 1 };
  assertEquals(await offsetOf(rooms, committed), [0, -1, -1, -1], "not yet stable");
});

Deno.test("listOffsets answers every version, and refuses newer questions", async () => {
  const rooms = roomsWithLog();
  const { minVersion, maxVersion } = listOffsetsHandler.api;
  for (let version = minVersion; version <= maxVersion; version++) {
    const epoch = version >= 4 ? 3 : -1;
    assertEquals(await offsetOf(rooms, { timestamp: -1 }, version), [0, -1, 6, epoch]);
    for (const [timestamp, since] of [[-3, 7], [-4, 8], [-5, 9]] as const) {
      const [errorCode] = await offsetOf(rooms, { timestamp }, version);
      assertEquals(errorCode, version < since ? ErrorCode.UNSUPPORTED_VERSION : 0);
    }
  }
});

Deno.test("listOffsets answers errors per partition", async () => {
  const rooms = roomsWithLog();
  const code = async (query: Partial<OffsetQuery>) =>
    (await offsetOf(rooms, { timestamp: 0, ...query }))[0];
  assertEquals(await code({ topic: "no" }), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assertEquals(await code({ partition: 1 }), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assertEquals(await code({ currentLeaderEpoch: 2 }), ErrorCode.FENCED_LEADER_EPOCH);
  assertEquals(await code({ currentLeaderEpoch: 4 }), ErrorCode.UNKNOWN_LEADER_EPOCH);
  rooms.log("a").offsetForTimestamp = () =>
    Promise.reject(new StoreError("retry", "the store is away"));
  assertEquals(await code({}), ErrorCode.KAFKA_STORAGE_ERROR);
  const twice = { partitionIndex: 0, timestamp: -1 };
  const response = await call(listOffsetsHandler, rooms, {
    topics: [{ name: "a", partitions: [twice, twice] }],
  });
  assertEquals(response.topics[0]!.partitions.map((one) => one.errorCode), [42, 42]);
});

Deno.test("offsetForLeaderEpoch finds where an epoch ended", async () => {
  const rooms = roomsWithLog();
  const find = async (leaderEpoch: number, currentLeaderEpoch = -1, topic = "a") => {
    const response = await call(offsetForLeaderEpochHandler, rooms, {
      topics: [{ topic, partitions: [{ partition: 0, currentLeaderEpoch, leaderEpoch }] }],
    });
    const { errorCode, leaderEpoch: epoch, endOffset } = response.topics[0]!.partitions[0]!;
    return [errorCode, epoch, endOffset];
  };
  assertEquals(await find(3), [0, 3, 6]);
  assertEquals(await find(2), [0, 2, 2]);
  assertEquals(await find(0), [0, -1, -1]);
  assertEquals(await find(3, 2), [ErrorCode.FENCED_LEADER_EPOCH, -1, -1]);
  assertEquals(await find(3, 9), [ErrorCode.UNKNOWN_LEADER_EPOCH, -1, -1]);
  assertEquals(await find(3, -1, "no"), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1]);
  // An epoch that a successor may have given is unknown only to who leads still.
  assertEquals((await find(4))[0], 0);
  rooms.log("a").standing = ErrorCode.NOT_LEADER_OR_FOLLOWER;
  assertEquals(await find(4), [ErrorCode.NOT_LEADER_OR_FOLLOWER, -1, -1]);
  assertEquals(await find(3), [0, 3, 6]);
});

Deno.test("deleteRecords moves the log start offset, up to the high watermark", async () => {
  const rooms = roomsWithLog();
  rooms.addTopic("compacted", 1, new Map([["cleanup.policy", "compact"]]));
  rooms.addTopic("both", 1, new Map([["cleanup.policy", "compact,delete"]]));
  const remove = async (offset: number, name = "a", partitionIndex = 0) => {
    const response = await call(deleteRecordsHandler, rooms, {
      topics: [{ name, partitions: [{ partitionIndex, offset }] }],
    });
    const { errorCode, lowWatermark } = response.topics[0]!.partitions[0]!;
    return [errorCode, lowWatermark];
  };
  assertEquals(await remove(3), [0, 3]);
  assertEquals(await remove(2), [0, 3], "it never goes back");
  assertEquals(await remove(7), [ErrorCode.OFFSET_OUT_OF_RANGE, -1]);
  assertEquals(await remove(-2), [ErrorCode.OFFSET_OUT_OF_RANGE, -1]);
  assertEquals(await remove(-1), [0, 6]);
  assertEquals(await remove(0, "a", 1), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1]);
  assertEquals(await remove(0, "no"), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1]);
  assertEquals(await remove(0, "compacted"), [ErrorCode.POLICY_VIOLATION, -1]);
  assertEquals(await remove(0, "both"), [0, 0]);
  rooms.log("a").failure = ErrorCode.NOT_LEADER_OR_FOLLOWER;
  assertEquals(await remove(-1), [ErrorCode.NOT_LEADER_OR_FOLLOWER, -1]);
});

Deno.test("deleteRecords deletes nothing while admin APIs are off", async () => {
  const rooms = new FakeRooms({ a: 1 }, { allowAdminApis: false });
  rooms.log("a").put(10);
  const response = await call(deleteRecordsHandler, rooms, {
    topics: [{ name: "a", partitions: [{ partitionIndex: 0, offset: 1 }] }],
  });
  const [answer] = response.topics[0]!.partitions;
  assertEquals(answer!.errorCode, ErrorCode.TOPIC_AUTHORIZATION_FAILED);
  assertEquals(rooms.log("a").logStartOffset, 0);
});

Deno.test("describeProducers shows the producer state of a partition", async () => {
  const rooms = roomsWithLog();
  rooms.log("a").states = [{
    producerId: 2 ** 40,
    producerEpoch: 2,
    lastSequence: 9,
    lastTimestampMs: 1234,
    coordinatorEpoch: -1,
    currentTxnStartOffset: -1,
  }];
  const response = await call(describeProducersHandler, rooms, {
    topics: [{ name: "a", partitionIndexes: [0, 1] }],
  });
  assertEquals(response.topics[0]!.partitions, [
    {
      partitionIndex: 0,
      errorCode: 0,
      errorMessage: null,
      activeProducers: [{
        producerId: 2 ** 40,
        producerEpoch: 2,
        lastSequence: 9,
        lastTimestamp: 1234,
        coordinatorEpoch: -1,
        currentTxnStartOffset: -1,
      }],
    },
    { partitionIndex: 1, errorCode: 3, errorMessage: null, activeProducers: [] },
  ]);
});

Deno.test("apiVersions advertises exactly the handlers, in every version", async () => {
  const rooms = new FakeRooms({});
  const served: readonly AnyHandler[] = handlers;
  const own = served.find((one) => one.api.key === 18)!;
  const software = { clientSoftwareName: "apache-kafka-java", clientSoftwareVersion: "4.1.0" };
  for (let version = 0; version <= 4; version++) {
    const response = await call(own, rooms, software, version);
    assertEquals(response.errorCode, 0);
    assertEquals(
      response.apiKeys,
      served.map(({ api }) => ({
        apiKey: api.key,
        minVersion: api.advertisedMinVersion,
        maxVersion: api.maxVersion,
      })),
    );
  }
  assertEquals(new Set(served.map(({ api }) => api.key)).size, served.length);
});

Deno.test("apiVersions refuses software names that no client may have", async () => {
  const rooms = new FakeRooms({});
  const own = apiVersionsHandler(() => []);
  const code = async (clientSoftwareName: string, clientSoftwareVersion: string, version: number) =>
    (await call(own, rooms, { clientSoftwareName, clientSoftwareVersion }, version)).errorCode;
  assertEquals(await code("franz-go", "v1.18", 3), 0);
  assertEquals(await code("", "1", 3), ErrorCode.INVALID_REQUEST);
  assertEquals(await code("a b", "1", 4), ErrorCode.INVALID_REQUEST);
  assertEquals(await code("a", "-1", 4), ErrorCode.INVALID_REQUEST);
  assertEquals(await code("a".repeat(10_000), "1", 4), ErrorCode.INVALID_REQUEST);
  assertEquals(await code("", "", 2), 0, "older versions don't say");
});
