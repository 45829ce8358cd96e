import { assert, assertEquals } from "@std/assert";
import { GroupOffsets, OffsetCache } from "../../core/groups/offsets.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { commit, committed, joinRequest, scene, stableGroup, stateOf } from "./scene.ts";

const range = (count: number) => Array.from({ length: count }, (_, at) => at);

Deno.test("commitOffsets() by a simple consumer makes a group without members", async () => {
  const made = await scene();
  assertEquals(await commit(made, [0, 1], 7), [ErrorCode.NONE, ErrorCode.NONE]);
  const listed = made.groups.list([], []).groups;
  assertEquals(listed, [
    { groupId: "g", protocolType: "", groupState: "Empty", groupType: "classic" },
  ]);
  assertEquals(await committed(made, [0, 1, 2]), [7, 7, -1]);
  await made.restart();
  assertEquals(await committed(made, [0, 1, 2]), [7, 7, -1]);
  await made.stop();
});

Deno.test("commitOffsets() refuses partitions one by one", async () => {
  const made = await scene();
  const partition = (partitionIndex: number, committedOffset: number, note: string) => ({
    partitionIndex,
    committedOffset,
    committedLeaderEpoch: -1,
    committedMetadata: note,
  });
  const results = await made.groups.commitOffsets({
    groupId: "g",
    memberId: "",
    generationId: -1,
    groupInstanceId: null,
    retentionTimeMs: -1,
    missingGroupError: ErrorCode.ILLEGAL_GENERATION,
    topics: [
      { name: "no", partitions: [partition(0, 1, "")] },
      {
        name: "t",
        partitions: [
          partition(0, 1, "x".repeat(4_096)),
          partition(1, 1, "x".repeat(4_097)),
          partition(200, 1, ""),
          partition(-1, 1, ""),
          partition(2, 2 ** 60, ""),
        ],
      },
    ],
  });
  const codes = results.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode));
  assertEquals(codes, [[ErrorCode.UNKNOWN_TOPIC_OR_PARTITION], [
    ErrorCode.NONE,
    ErrorCode.OFFSET_METADATA_TOO_LARGE,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.INVALID_COMMIT_OFFSET_SIZE,
  ]]);
  assertEquals(await committed(made, [0, 1, 2]), [1, -1, -1]);
  await made.stop();
});

Deno.test("commitOffsets() of refused partitions only makes no group", async () => {
  const made = await scene();
  assertEquals(await commit(made, [999], 1), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]);
  assertEquals(stateOf(made), undefined);
  await made.stop();
});

Deno.test("commitOffsets() of many partitions takes several transactions", async () => {
  const made = await scene();
  const before = made.service.revision;
  const codes = await commit(made, range(200), 4);
  assert(codes.every((code) => code === ErrorCode.NONE));
  assertEquals(made.service.revision - before, 2);
  await made.restart();
  assertEquals(await committed(made, range(200)), range(200).map(() => 4));
  await made.stop();
});

Deno.test("commitOffsets() that wait for the store share a transaction", async () => {
  const made = await scene();
  await commit(made, [0], 0);
  const before = made.service.revision;
  const codes = await Promise.all(range(50).map((at) => commit(made, [at % 10], at)));
  assert(codes.every(([code]) => code === ErrorCode.NONE));
  assertEquals(made.service.revision - before, 2);
  assertEquals(await committed(made, range(10)), range(10).map((at) => 40 + at));
  await made.stop();
});

Deno.test("fetchOffsets() gives all topics or some, with metadata and epochs", async () => {
  const made = await scene();
  made.topics.set("u", 1);
  await commit(made, [3], 30);
  await commit(made, [0], 40, { topic: "u" });
  const all = await made.groups.fetchOffsets({ groupId: "g", topics: null, requireStable: true });
  assertEquals(all.errorCode, ErrorCode.NONE);
  assertEquals(all.topics.map(({ name }) => name).sort(), ["t", "u"]);
  assertEquals(all.topics.find(({ name }) => name === "t")?.partitions, [{
    partitionIndex: 3,
    committedOffset: 30,
    committedLeaderEpoch: 3,
    metadata: "note",
    errorCode: ErrorCode.NONE,
  }]);
  const none = await made.groups.fetchOffsets({ groupId: "x", topics: null, requireStable: false });
  assertEquals(none, { errorCode: ErrorCode.NONE, topics: [] });
  assertEquals(await committed(made, [3], "x"), [-1]);
  await made.stop();
});

Deno.test("fetchOffsets() gives a new topic nothing of a deleted one (I8)", async () => {
  const made = await scene();
  await commit(made, [0], 9);
  made.topics.delete("t");
  assertEquals(await committed(made, [0]), [-1]);
  made.topics.set("t", 1, "another id");
  assertEquals(await committed(made, [0]), [-1]);
  const all = await made.groups.fetchOffsets({ groupId: "g", topics: null, requireStable: false });
  assertEquals(all.topics, []);
  await commit(made, [0], 1);
  assertEquals(await committed(made, [0]), [1]);
  await made.stop();
});

Deno.test("group ids may hold anything; none meets another's offsets", async () => {
  const made = await scene();
  made.topics.set("b", 3);
  const ids = ["a", "a/b", "a/b/0", "", "/", "ümläut 👍", "a\u0000b", "groups/head/a", "%2F"];
  for (const [at, groupId] of ids.entries()) {
    const topic = at % 2 === 0 ? "b" : "t";
    assertEquals(await commit(made, [0], at, { groupId, topic }), [ErrorCode.NONE]);
  }
  await made.restart();
  const listed = made.groups.list([], []).groups.map(({ groupId }) => groupId);
  assertEquals(listed.sort(), [...ids].sort());
  for (const [at, groupId] of ids.entries()) {
    const reply = await made.groups.fetchOffsets({ groupId, topics: null, requireStable: false });
    const name = at % 2 === 0 ? "b" : "t";
    assertEquals(reply.topics.map((topic) => topic.name), [name]);
    assertEquals(reply.topics[0]?.partitions.map((p) => p.committedOffset), [at]);
  }
  assertEquals(await made.groups.deleteGroups(["a"]), [ErrorCode.NONE]);
  const rest = await made.groups.fetchOffsets({
    groupId: "a/b",
    topics: null,
    requireStable: false,
  });
  assertEquals(rest.topics.length, 1);
  await made.stop();
});

Deno.test("deleteOffsets() spares subscribed topics", async () => {
  const made = await scene();
  made.topics.set("u", 2);
  const [member] = await stableGroup(made, [{}]);
  const by = { memberId: member!.join.memberId, generationId: 1 };
  await commit(made, [0], 1, by);
  await commit(made, [0], 2, { ...by, topic: "u" });
  const reply = await made.groups.deleteOffsets({
    groupId: "g",
    topics: [{ name: "t", partitions: [0] }, { name: "u", partitions: [0, 1, 2] }, {
      name: "no",
      partitions: [0],
    }],
  });
  assertEquals(reply.errorCode, ErrorCode.NONE);
  const codes = reply.topics.map(({ partitions }) => partitions.map((p) => p.errorCode));
  assertEquals(codes, [
    [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC],
    [ErrorCode.NONE, ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  ]);
  const all = await made.groups.fetchOffsets({ groupId: "g", topics: null, requireStable: false });
  assertEquals(all.topics.map(({ name }) => name), ["t"]);
  await made.stop();
});

Deno.test("deleteOffsets() of unknown groups, and of running groups of another kind", async () => {
  const made = await scene();
  const topics = [{ name: "t", partitions: [0] }];
  const refused = async (groupId: string) =>
    (await made.groups.deleteOffsets({ groupId, topics })).errorCode;
  assertEquals(await refused("no"), ErrorCode.GROUP_ID_NOT_FOUND);
  assertEquals(await refused(""), ErrorCode.INVALID_GROUP_ID);
  const join = made.groups.join(joinRequest({ protocolType: "connect" }));
  await made.runtime.advance(3_000);
  await join;
  assertEquals(await refused("g"), ErrorCode.NON_EMPTY_GROUP);
  await made.stop();
});

Deno.test("OffsetCache keeps what was used last, within its bound", () => {
  const cache = new OffsetCache(1_000);
  const owners = [{}, {}, {}];
  const value = {
    offset: 1,
    leaderEpoch: -1,
    metadata: "x".repeat(100),
    committedAtMs: 0,
    expiresAtMs: null,
    topicId: "id",
  };
  for (const owner of owners.slice(0, 2)) {
    const offsets = new GroupOffsets();
    offsets.apply({ topic: "t", partition: 0, value });
    cache.put(owner, offsets);
  }
  assert(cache.bytes > 0 && cache.bytes <= 1_000);
  assert(cache.get(owners[0]!) !== undefined);
  const third = new GroupOffsets();
  third.apply({ topic: "t", partition: 0, value });
  cache.put(owners[2]!, third);
  assertEquals(cache.get(owners[1]!), undefined);
  assert(cache.get(owners[0]!) !== undefined);
  cache.apply(owners[0]!, [{ topic: "t", partition: 0, value: undefined }]);
  assertEquals(cache.get(owners[0]!)?.size, 0);
  cache.drop(owners[0]!);
  cache.drop(owners[2]!);
  assertEquals(cache.bytes, 0);
});
