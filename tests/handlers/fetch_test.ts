import { assert, assertEquals } from "@std/assert";
import { FETCH_READS_PARALLEL } from "../../core/config/limits.ts";
import { concat, Reader, Writer } from "../../core/bytes/mod.ts";
import { fetchHandler } from "../../core/handlers/01_fetch.ts";
import type { LooseResponseOf, RequestOf } from "../../core/protocol/api.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { fetch } from "../../core/protocol/messages/01_fetch.ts";
import { StoreError } from "../../core/storage/object_store.ts";
import { settle } from "../runtime/manual_runtime.ts";
import { FakeContext, type FakeLog, FakeRooms, idOf } from "./fake_rooms.ts";

type Request = RequestOf<typeof fetch>;
type Response = LooseResponseOf<typeof fetch>;
type AskedPartition = Partial<Request["topics"][number]["partitions"][number]>;

const NEWEST = fetch.maxVersion;
const NO_SESSION = -1;

interface Asked extends Partial<Omit<Request, "topics">> {
  readonly fetch: Readonly<Record<string, readonly AskedPartition[]>>;
}

/** A request as it comes out of the codec. */
function ask({ fetch: asked, ...fields }: Asked, version = NEWEST): Request {
  const topics = Object.entries(asked).map(([topic, partitions]) => ({
    topic,
    topicId: idOf(topic),
    partitions: partitions.map((partition, index) => ({
      partition: index,
      partitionMaxBytes: 1 << 20,
      ...partition,
    })),
  }));
  const writer = new Writer();
  const base = { minBytes: 1, maxWaitMs: 500, maxBytes: 50 << 20, sessionEpoch: NO_SESSION };
  fetch.request.write(writer, { ...base, ...fields, topics }, version);
  return fetch.request.read(new Reader(writer.toBytes()), version);
}

interface Pending {
  readonly context: FakeContext;
  readonly done: Promise<Response>;
  state(): Response | undefined;
}

function start(rooms: FakeRooms, asked: Asked, version = NEWEST): Pending {
  const context = new FakeContext(version);
  let response: Response | undefined;
  const done = Promise.resolve(
    fetchHandler.handle(rooms.rooms, context, ask(asked, version)),
  ) as Promise<Response>;
  done.then((value) => response = value, () => {});
  return { context, done, state: () => response };
}

/** `topic-partition` → bytes or error, in the order of the response. */
function summary(response: Response): [string, number][] {
  return response.responses!.flatMap((topic) =>
    topic.partitions!.map((partition): [string, number] => [
      `${topic.topic || topic.topicId!.replace(/A+$/, "")}-${partition.partitionIndex}`,
      partition.errorCode !== 0
        ? -partition.errorCode!
        : partition.records!.reduce((sum, part) => sum + part.length, 0),
    ])
  );
}

function assertQuiet(rooms: FakeRooms): void {
  assertEquals(rooms.fetchBytes.used, 0);
  assertEquals(rooms.fetchBytes.waiting, 0);
  for (const log of rooms.logs.values()) {
    assertEquals(log.leased, 0);
    assertEquals(log.watchers.size, 0);
  }
  assertEquals(rooms.runtime.pendingTimers, 0);
}

Deno.test("fetch returns what is there at once, in every version", async () => {
  for (let version = fetch.minVersion; version <= fetch.maxVersion; version++) {
    const rooms = new FakeRooms({ a: 2 });
    rooms.log("a").put(100);
    rooms.log("a").put(50);
    const pending = start(rooms, { fetch: { a: [{}, {}] } }, version);
    const response = await pending.done;
    assertEquals(summary(response), [["a-0", 150], ["a-1", 0]]);
    const writer = new Writer();
    fetch.response.write(writer, response, version);
    const read = fetch.response.read(new Reader(concat(writer.finish())), version);
    const [first, second] = read.responses[0]!.partitions;
    assertEquals(concat(first!.records!).length, 150);
    assertEquals([first!.highWatermark, second!.highWatermark], [2, 0]);
    assertEquals([first!.lastStableOffset, first!.preferredReadReplica], [2, -1]);
    assertEquals(second!.records === null, false, "empty, not null");
    assertEquals(rooms.fetchBytes.used, 150);
    pending.context.sent();
    assertQuiet(rooms);
  }
});

Deno.test("fetch waits for min bytes over all partitions", async () => {
  const rooms = new FakeRooms({ a: 1, b: 1 });
  const pending = start(rooms, { minBytes: 250, fetch: { a: [{}], b: [{}] } });
  await settle();
  rooms.log("a").put(100);
  rooms.log("b").put(100);
  await settle();
  assertEquals(pending.state(), undefined);
  assertEquals(rooms.fetchBytes.used, 0, "a waiting fetch holds nothing");
  rooms.log("a").put(60);
  assertEquals(summary(await pending.done), [["a-0", 160], ["b-0", 100]]);
  pending.context.sent();
  assertQuiet(rooms);
});

Deno.test("fetch answers after max wait with what there is", async () => {
  const rooms = new FakeRooms({ a: 1 });
  const pending = start(rooms, { minBytes: 1000, maxWaitMs: 500, fetch: { a: [{}] } });
  await settle();
  rooms.log("a").put(10);
  await rooms.runtime.advance(499);
  assertEquals(pending.state(), undefined);
  await rooms.runtime.advance(1);
  assertEquals(summary(pending.state()!), [["a-0", 10]]);
  pending.context.sent();
  assertQuiet(rooms);
});

Deno.test("fetch does not wait with max wait 0, no partitions, or an error", async () => {
  const rooms = new FakeRooms({ a: 1 });
  assertEquals(summary(await start(rooms, { maxWaitMs: 0, fetch: { a: [{}] } }).done), [[
    "a-0",
    0,
  ]]);
  assertEquals(summary(await start(rooms, { fetch: {} }).done), []);
  const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  assertEquals(
    summary(await start(rooms, { fetch: { a: [{}, {}] } }).done),
    [["a-0", 0], ["a-1", -unknown]],
  );
  assertQuiet(rooms);
});

Deno.test("fetch counts for min bytes at most what a partition may return", async () => {
  const rooms = new FakeRooms({ a: 1 });
  const fetches = { a: [{ partitionMaxBytes: 100 }] };
  const pending = start(rooms, { minBytes: 200, fetch: fetches });
  rooms.log("a").put(90);
  rooms.log("a").put(500);
  await settle();
  assertEquals(pending.state(), undefined);
  await rooms.runtime.advance(500);
  assertEquals(summary(pending.state()!), [["a-0", 90]]);
});

Deno.test("fetch returns at least one batch, whatever the limits, once per response", async () => {
  const rooms = new FakeRooms({ a: 3 });
  for (const partition of [1, 2]) rooms.log("a", partition).put(5000);
  const limited = [{}, { partitionMaxBytes: 10 }, { partitionMaxBytes: 10 }];
  const pending = start(rooms, { fetch: { a: limited } });
  assertEquals(summary(await pending.done), [["a-0", 0], ["a-1", 5000], ["a-2", 0]]);
  const whole = start(rooms, { maxBytes: 1, fetch: { a: [{}, {}, {}] } });
  assertEquals(summary(await whole.done), [["a-0", 0], ["a-1", 5000], ["a-2", 0]]);
  const none = start(rooms, { maxBytes: 0, minBytes: 0, fetch: { a: [{}, {}, {}] } });
  assertEquals(summary(await none.done), [["a-0", 0], ["a-1", 5000], ["a-2", 0]]);
  for (const one of [pending, whole, none]) one.context.sent();
  assertQuiet(rooms);
});

Deno.test("fetch keeps max bytes over the whole response", async () => {
  const rooms = new FakeRooms({ a: 4 });
  for (let partition = 0; partition < 4; partition++) {
    for (let batch = 0; batch < 10; batch++) rooms.log("a", partition).put(100);
  }
  const pending = start(rooms, { maxBytes: 1550, fetch: { a: [{}, {}, {}, {}] } });
  assertEquals(
    summary(await pending.done),
    [["a-0", 1000], ["a-1", 500], ["a-2", 0], ["a-3", 0]],
  );
  assertEquals(rooms.log("a", 3).reads, 0);
});

Deno.test("fetch gives every partition its turn within a session", async () => {
  const rooms = new FakeRooms({ a: 3 });
  for (let partition = 0; partition < 3; partition++) {
    for (let batch = 0; batch < 10; batch++) rooms.log("a", partition).put(100);
  }
  const opened = await start(rooms, { maxBytes: 100, sessionEpoch: 0, fetch: { a: [{}, {}, {}] } })
    .done;
  assert(opened.sessionId! > 0);
  const turns: [string, number][] = [];
  for (let epoch = 1; epoch <= 4; epoch++) {
    const request = { maxBytes: 100, sessionId: opened.sessionId!, sessionEpoch: epoch, fetch: {} };
    const response = await start(rooms, request).done;
    turns.push(...summary(response).filter(([, bytes]) => bytes > 0));
  }
  assertEquals(turns.map(([name]) => name), ["a-1", "a-2", "a-0", "a-1"]);
});

Deno.test("fetch leaves unchanged partitions out of incremental responses", async () => {
  const rooms = new FakeRooms({ a: 2 });
  const opened = await start(rooms, { maxWaitMs: 0, sessionEpoch: 0, fetch: { a: [{}, {}] } }).done;
  const again = (epoch: number) =>
    start(rooms, { maxWaitMs: 100, sessionId: opened.sessionId!, sessionEpoch: epoch, fetch: {} });
  const quiet = again(1);
  await settle();
  await rooms.runtime.advance(100);
  assertEquals(summary(quiet.state()!), []);
  const woken = again(2);
  await settle();
  rooms.log("a", 1).put(10);
  assertEquals(summary(await woken.done), [["a-1", 10]]);
  const stale = await again(2).done;
  assertEquals([stale.errorCode, stale.responses], [
    ErrorCode.INVALID_FETCH_SESSION_EPOCH,
    undefined,
  ]);
});

Deno.test("fetch answers unknown topics, epochs and offsets with Kafka's codes", async () => {
  const rooms = new FakeRooms({ a: 1 });
  for (let batch = 0; batch < 4; batch++) rooms.log("a").put(10);
  rooms.log("a").logStartOffset = 1;
  const code = async (partition: AskedPartition, topic = "a", version = NEWEST) => {
    const asked = { fetch: { [topic]: [{ fetchOffset: 1, ...partition }] } };
    const response = await start(rooms, asked, version).done;
    const [answer] = response.responses![0]!.partitions!;
    if (answer!.errorCode !== 0) {
      assertEquals([answer!.highWatermark, answer!.logStartOffset, answer!.records], [-1, -1, []]);
    }
    return answer!.errorCode;
  };
  assertEquals(await code({}), ErrorCode.NONE);
  assertEquals(await code({}, "no"), ErrorCode.UNKNOWN_TOPIC_ID);
  assertEquals(await code({}, "no", 12), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assertEquals(await code({ partition: 1 }), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assertEquals(await code({ partition: -1 }), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assertEquals(await code({ fetchOffset: 0 }), ErrorCode.OFFSET_OUT_OF_RANGE);
  assertEquals(await code({ fetchOffset: 5 }), ErrorCode.OFFSET_OUT_OF_RANGE);
  assertEquals(await code({ fetchOffset: -1 }), ErrorCode.OFFSET_OUT_OF_RANGE);
  assertEquals(await code({ currentLeaderEpoch: 3 }), ErrorCode.NONE);
  assertEquals(await code({ currentLeaderEpoch: 2 }), ErrorCode.FENCED_LEADER_EPOCH);
  assertEquals(await code({ currentLeaderEpoch: 4 }), ErrorCode.UNKNOWN_LEADER_EPOCH);
});

Deno.test("fetch that only fails for the store is answered after a moment", async () => {
  const rooms = new FakeRooms({ a: 2 });
  rooms.openError = ErrorCode.KAFKA_STORAGE_ERROR;
  for (const maxWaitMs of [0, 200, 9_000]) {
    const asked = start(rooms, { fetch: { a: [{}] }, maxWaitMs });
    let answered = false;
    asked.done.then(() => answered = true);
    const pauseMs = Math.min(500, maxWaitMs);
    await rooms.runtime.advance(0);
    await rooms.runtime.advance(Math.max(0, pauseMs - 1));
    assertEquals(answered, maxWaitMs === 0);
    await rooms.runtime.advance(1);
    const { errorCode } = (await asked.done).responses![0]!.partitions![0]!;
    assertEquals(errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
  }
});

Deno.test("fetch names the leader where this broker isn't it", async () => {
  const rooms = new FakeRooms({ a: 1 });
  rooms.openError = ErrorCode.NOT_LEADER_OR_FOLLOWER;
  const response = await start(rooms, { fetch: { a: [{}] } }).done;
  assertEquals(response.responses![0]!.partitions![0]!.currentLeader, {
    leaderId: 7,
    leaderEpoch: 4,
  });
  assertEquals(response.nodeEndpoints, [{ nodeId: 7, host: "seven", port: 9092, rack: null }]);
});

Deno.test("fetch tells where a client's log diverges", async () => {
  const rooms = new FakeRooms({ a: 1 });
  for (let batch = 0; batch < 4; batch++) rooms.log("a").put(10);
  const answer = async (lastFetchedEpoch: number, fetchOffset: number) => {
    const asked = { fetch: { a: [{ lastFetchedEpoch, fetchOffset }] } };
    return (await start(rooms, asked).done).responses![0]!.partitions![0]!;
  };
  assertEquals((await answer(3, 2)).divergingEpoch, undefined);
  assertEquals((await answer(2, 3)).divergingEpoch, { epoch: 2, endOffset: 2 });
  assertEquals((await answer(5, 3)).divergingEpoch, { epoch: 3, endOffset: 4 });
  assertEquals((await answer(0, 3)).errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
});

Deno.test("fetch denies what may follow on the log only while this broker leads", async () => {
  const rooms = new FakeRooms({ a: 1 });
  for (let batch = 0; batch < 4; batch++) rooms.log("a").put(10);
  rooms.log("a").logStartOffset = 1;
  rooms.log("a").standing = ErrorCode.NOT_LEADER_OR_FOLLOWER;
  const answer = async (partition: AskedPartition) => {
    const response = await start(rooms, { fetch: { a: [partition] } }).done;
    const { errorCode, divergingEpoch, currentLeader } = response.responses![0]!.partitions![0]!;
    return { errorCode, divergingEpoch, leaderId: currentLeader?.leaderId };
  };
  const moved = {
    errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    divergingEpoch: undefined,
    leaderId: 7,
  };
  assertEquals(await answer({ fetchOffset: 5 }), moved);
  assertEquals(await answer({ lastFetchedEpoch: 5, fetchOffset: 3 }), moved);
  // What was there is not asked about, and what is gone stays gone, whoever leads.
  assertEquals((await answer({ fetchOffset: 2 })).errorCode, ErrorCode.NONE);
  assertEquals((await answer({ fetchOffset: 0 })).errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
});

Deno.test("fetch under read_committed stops at the last stable offset", async () => {
  const rooms = new FakeRooms({ a: 1 });
  rooms.log("a").put(10);
  const pending = start(rooms, {
    isolationLevel: 1,
    fetch: { a: [{ fetchOffset: 1 }] },
  });
  await settle();
  rooms.log("a").put(20, false);
  await settle();
  assertEquals(pending.state(), undefined, "not yet stable");
  rooms.log("a").put(30);
  const response = await pending.done;
  assertEquals(summary(response), [["a-0", 50]]);
  assertEquals(response.responses![0]!.partitions![0]!.abortedTransactions, []);
});

Deno.test("fetch ends its wait and leaves nothing when the client is gone", async () => {
  const rooms = new FakeRooms({ a: 2 });
  const pending = start(rooms, { fetch: { a: [{}, {}] } });
  await settle();
  assertEquals(rooms.log("a").watchers.size, 1);
  pending.context.abort.abort();
  await pending.done;
  pending.context.sent();
  assertEquals(rooms.log("a").reads, 0);
  assertQuiet(rooms);
});

Deno.test("fetch waits for logs that are not loaded yet", async () => {
  const rooms = new FakeRooms({ a: 40 });
  rooms.loadsLate = true;
  rooms.log("a", 39).put(10);
  const partitions = Array.from({ length: 40 }, () => ({}));
  const response = await start(rooms, { fetch: { a: partitions } }).done;
  assertEquals(summary(response).filter(([, bytes]) => bytes > 0), [["a-39", 10]]);
});

Deno.test("fetch reads several partitions at once, but not too many", async () => {
  const rooms = new FakeRooms({ a: 50 });
  let now = 0;
  let most = 0;
  for (const log of rooms.logs.values()) {
    log.put(10);
    log.delay = async () => {
      most = Math.max(most, ++now);
      await settle();
      now--;
    };
  }
  const partitions = Array.from({ length: 50 }, () => ({}));
  const response = await start(rooms, { fetch: { a: partitions } }).done;
  assertEquals(summary(response).every(([, bytes]) => bytes === 10), true);
  assertEquals(most, FETCH_READS_PARALLEL);
});

Deno.test("fetch makes responses smaller as the budget fills, then waits", async () => {
  const rooms = new FakeRooms({ a: 1 }, { fetchBytes: 1 << 20 });
  const log: FakeLog = rooms.log("a");
  for (let batch = 0; batch < 64; batch++) log.put(32 << 10);
  const sizes: number[] = [];
  const pendings: Pending[] = [];
  for (let index = 0; index < 4; index++) {
    const pending = start(rooms, { fetch: { a: [{ partitionMaxBytes: 8 << 20 }] } });
    pendings.push(pending);
    await settle();
    const state = pending.state();
    if (state !== undefined) sizes.push(summary(state)[0]![1] >> 10);
    assert(rooms.fetchBytes.used <= 1 << 20);
  }
  assertEquals(sizes, [512, 256, 256]);
  assertEquals(log.leased, 3);
  pendings[0]!.context.sent();
  assertEquals(summary(await pendings[3]!.done)[0]![1] >> 10, 256);
  for (const pending of pendings) pending.context.sent();
  assertQuiet(rooms);
});

Deno.test("fetch releases what it read when a read fails", async () => {
  const rooms = new FakeRooms({ a: 3 });
  for (let partition = 0; partition < 3; partition++) rooms.log("a", partition).put(10);
  rooms.log("a", 1).failure = ErrorCode.KAFKA_STORAGE_ERROR;
  const one = start(rooms, { fetch: { a: [{}, {}, {}] } });
  assertEquals(summary(await one.done), [["a-0", 10], ["a-1", -56], ["a-2", 10]]);
  one.context.sent();
  rooms.log("a", 1).failure = ErrorCode.NONE;
  rooms.log("a", 1).delay = () => Promise.reject(new StoreError("retry", "the store is away"));
  const away = start(rooms, { fetch: { a: [{}, {}, {}] } });
  assertEquals(summary(await away.done), [["a-0", 10], ["a-1", -56], ["a-2", 10]]);
  away.context.sent();
  rooms.log("a", 1).delay = () => Promise.reject(new Error("broken"));
  const two = start(rooms, { fetch: { a: [{}, {}, {}] } });
  const outcome = await two.done.then(() => "answered", (error: Error) => error.message);
  assertEquals(outcome, "broken");
  two.context.sent();
  assertQuiet(rooms);
});

Deno.test("fetch of a partition that closes while it waits is refused with why", async () => {
  const rooms = new FakeRooms({ a: 1 });
  const log = rooms.log("a");
  for (const bytes of [10, 10]) log.put(bytes);
  const pending = start(rooms, { fetch: { a: [{ fetchOffset: 2 }] } });
  await settle();
  // Superseded: a manifest of the successor moved the log start behind all that it knows.
  log.logStartOffset = 5;
  log.closed = ErrorCode.NOT_LEADER_OR_FOLLOWER;
  for (const advanced of [...log.watchers]) advanced();
  await rooms.runtime.advance(500);
  assertEquals(summary(await pending.done), [["a-0", -ErrorCode.NOT_LEADER_OR_FOLLOWER]]);
  pending.context.sent();
  assertQuiet(rooms);
});
