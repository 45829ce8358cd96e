/** Group handlers, each version through the wire's bytes, on a real coordinator. */
import { assert, assertEquals } from "@std/assert";
import { Reader, Writer } from "../../core/bytes/mod.ts";
import { offsetCommitHandler } from "../../core/handlers/08_offset_commit.ts";
import { offsetFetchHandler } from "../../core/handlers/09_offset_fetch.ts";
import { findCoordinatorHandler } from "../../core/handlers/10_find_coordinator.ts";
import { joinGroupHandler } from "../../core/handlers/11_join_group.ts";
import { heartbeatHandler } from "../../core/handlers/12_heartbeat.ts";
import { leaveGroupHandler } from "../../core/handlers/13_leave_group.ts";
import { syncGroupHandler } from "../../core/handlers/14_sync_group.ts";
import { describeGroupsHandler } from "../../core/handlers/15_describe_groups.ts";
import { listGroupsHandler } from "../../core/handlers/16_list_groups.ts";
import { deleteGroupsHandler } from "../../core/handlers/42_delete_groups.ts";
import { offsetDeleteHandler } from "../../core/handlers/47_offset_delete.ts";
import type { Handler, RequestContext } from "../../core/handlers/handler.ts";
import type { Rooms } from "../../core/handlers/rooms.ts";
import type { Loose } from "../../core/protocol/api.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { type Scene, scene, subscription, text, untext } from "../groups/scene.ts";

interface Bench {
  readonly made: Scene;
  call<Q, A>(handler: Handler<Q, A>, version: number, request: Loose<Q>): Promise<A>;
}

/** Requests and answers go through their codecs, as between client and broker. */
async function bench(): Promise<Bench> {
  const made = await scene({ settings: { groupInitialRebalanceDelayMs: 0 } });
  const self = { nodeId: 7, host: "broker.example", port: 9092, rack: null };
  const cluster = {
    clusterId: "c",
    brokerId: 7,
    controllerId: 7,
    brokers: () => [self],
    leader: () => ({ leaderId: 7, leaderEpoch: 0 }),
    coordinator: () => 7,
  };
  const topics = { knows: () => Promise.resolve(true) };
  const { groups, runtime } = made;
  const rooms = { groups, runtime, cluster, topics } as unknown as Rooms;
  const context = {
    correlationId: 1,
    clientId: "tester",
    remoteAddress: "10.0.0.9:4711",
    connectionId: 1,
    principal: "User:ANONYMOUS",
    clientSoftware: undefined,
    signal: new AbortController().signal,
    release: () => {},
    onSent: () => {},
  };
  return {
    made,
    async call(handler, version, request) {
      const { api } = handler;
      const wire = through(api.request, request, version);
      const of: RequestContext = { ...context, apiVersion: version };
      const pending = Promise.resolve(handler.handle(rooms, of, wire));
      await made.runtime.advance(1);
      const answer = await pending;
      assert(answer !== undefined);
      return through(api.response, answer, version);
    },
  };
}

function through<T>(
  codec: {
    read(reader: Reader, version: number): T;
    write(writer: Writer, value: Loose<T>, version: number): void;
  },
  value: Loose<T>,
  version: number,
): T {
  const writer = new Writer();
  codec.write(writer, value, version);
  const reader = new Reader(writer.toBytes());
  const read = codec.read(reader, version);
  assertEquals(reader.remaining, 0);
  return read;
}

function versions({ api }: Handler<never, never> | Handler): number[] {
  const { minVersion, maxVersion } = api;
  return Array.from({ length: maxVersion - minVersion + 1 }, (_, at) => minVersion + at);
}

const all = <Q, A>(handler: Handler<Q, A>): number[] => versions(handler as unknown as Handler);

const JOIN = {
  groupId: "g",
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 20_000,
  memberId: "",
  protocolType: "consumer",
  protocols: [{ name: "range", metadata: subscription("t") }],
};

/** A member that has joined and synced, by the newest versions. */
async function member({ call }: Bench, groupId = "g"): Promise<string> {
  const first = await call(joinGroupHandler, 9, { ...JOIN, groupId });
  const { memberId } = first;
  const joined = await call(joinGroupHandler, 9, { ...JOIN, groupId, memberId });
  await call(syncGroupHandler, 5, {
    groupId,
    memberId,
    generationId: joined.generationId,
    protocolType: "consumer",
    protocolName: "range",
    assignments: [{ memberId, assignment: text("mine") }],
  });
  return memberId;
}

Deno.test("joinGroupHandler and syncGroupHandler serve every version", async () => {
  for (const version of all(joinGroupHandler)) {
    const at = await bench();
    let joined = await at.call(joinGroupHandler, version, JOIN);
    assertEquals(joined.errorCode === ErrorCode.MEMBER_ID_REQUIRED, version >= 4);
    if (version >= 4) {
      const { memberId } = joined;
      joined = await at.call(joinGroupHandler, version, { ...JOIN, memberId });
    }
    assertEquals(joined.errorCode, ErrorCode.NONE);
    assertEquals(joined.generationId, 1);
    assertEquals(joined.protocolName, "range");
    assertEquals(joined.protocolType, version >= 7 ? "consumer" : null);
    assertEquals(joined.leader, joined.memberId);
    assertEquals(joined.members.length, 1);
    assert(joined.memberId.startsWith("tester-"));
    const syncVersion = Math.min(version, syncGroupHandler.api.maxVersion);
    const synced = await at.call(syncGroupHandler, syncVersion, {
      groupId: "g",
      memberId: joined.memberId,
      generationId: 1,
      protocolType: "consumer",
      protocolName: "range",
      assignments: [{ memberId: joined.memberId, assignment: text("mine") }],
    });
    assertEquals(synced.errorCode, ErrorCode.NONE);
    assertEquals(untext(synced.assignment), "mine");
    await at.made.stop();
  }
});

Deno.test("joinGroupHandler answers errors in every version", async () => {
  const at = await bench();
  for (const version of all(joinGroupHandler)) {
    const refused = await at.call(joinGroupHandler, version, { ...JOIN, sessionTimeoutMs: 1 });
    assertEquals(refused.errorCode, ErrorCode.INVALID_SESSION_TIMEOUT);
    assertEquals(refused.generationId, -1);
    assertEquals(refused.leader, "");
    assertEquals(refused.protocolName, version >= 7 ? null : "");
  }
  await at.made.stop();
});

Deno.test("joinGroupHandler v0 takes the session time-out for the rebalance", async () => {
  const at = await bench();
  const joined = await at.call(joinGroupHandler, 0, JOIN);
  // no SyncGroup within the session time-out, though heartbeats come
  for (const passedMs of [5_000, 4_900]) {
    await at.made.runtime.advance(passedMs);
    const beat = { groupId: "g", memberId: joined.memberId, generationId: 1 };
    assertEquals((await at.call(heartbeatHandler, 0, beat)).errorCode, ErrorCode.NONE);
  }
  await at.made.runtime.advance(200);
  const beat = { groupId: "g", memberId: joined.memberId, generationId: 1 };
  assertEquals((await at.call(heartbeatHandler, 0, beat)).errorCode, ErrorCode.UNKNOWN_MEMBER_ID);
  await at.made.stop();
});

Deno.test("syncGroupHandler v5 insists on protocol type and name (KIP-559)", async () => {
  const at = await bench();
  const memberId = await member(at);
  const request = { groupId: "g", memberId, generationId: 1 };
  const v5 = await at.call(syncGroupHandler, 5, request);
  assertEquals(v5.errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  assertEquals(untext((await at.call(syncGroupHandler, 4, request)).assignment), "mine");
  await at.made.stop();
});

Deno.test("heartbeatHandler and leaveGroupHandler serve every version", async () => {
  const at = await bench();
  for (const version of all(leaveGroupHandler)) {
    const memberId = await member(at, `g${version}`);
    const groupId = `g${version}`;
    const beats = Math.min(version, heartbeatHandler.api.maxVersion);
    const beat = await at.call(heartbeatHandler, beats, { groupId, memberId, generationId: 1 });
    assertEquals(beat.errorCode, ErrorCode.NONE);
    const leaving = { groupId, memberId, members: [{ memberId, groupInstanceId: null }] };
    const left = await at.call(leaveGroupHandler, version, leaving);
    assertEquals(left.errorCode, ErrorCode.NONE);
    const again = await at.call(leaveGroupHandler, version, leaving);
    const code = version >= 3 ? again.members[0]?.errorCode : again.errorCode;
    assertEquals(code, ErrorCode.UNKNOWN_MEMBER_ID);
  }
  await at.made.stop();
});

Deno.test("offsetCommitHandler and offsetFetchHandler serve every version", async () => {
  const at = await bench();
  for (const version of all(offsetCommitHandler)) {
    const reply = await at.call(offsetCommitHandler, version, {
      groupId: "g",
      topics: [{
        name: "t",
        partitions: [
          { partitionIndex: 0, committedOffset: version, committedMetadata: null },
          { partitionIndex: 500, committedOffset: 1, committedMetadata: "x" },
        ],
      }],
    });
    const codes = reply.topics[0]?.partitions.map(({ errorCode }) => errorCode);
    assertEquals(codes, [ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]);
  }
  for (const version of all(offsetFetchHandler)) {
    for (const topics of [[{ name: "t", partitionIndexes: [0] }], null]) {
      if (topics === null && version < 2) continue;
      const reply = await at.call(offsetFetchHandler, version, {
        groupId: "g",
        topics,
        groups: [{ groupId: "g", topics }, { groupId: "none", topics }],
        requireStable: true,
      });
      const found = version >= 8 ? reply.groups[0]! : reply;
      assertEquals(found.errorCode, ErrorCode.NONE);
      const partition = found.topics[0]?.partitions[0];
      assertEquals(partition?.committedOffset, offsetCommitHandler.api.maxVersion);
      assertEquals(partition?.metadata, "");
      if (version < 8) continue;
      assertEquals(reply.groups[1]?.groupId, "none");
      assertEquals(
        reply.groups[1]?.topics[0]?.partitions[0]?.committedOffset,
        topics ? -1 : undefined,
      );
    }
  }
  await at.made.stop();
});

Deno.test("offsetCommitHandler knows a group that is gone from v9 on", async () => {
  const at = await bench();
  const request = {
    groupId: "gone",
    generationIdOrMemberEpoch: 1,
    memberId: "m",
    topics: [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset: 1 }] }],
  };
  const code = async (version: number) =>
    (await at.call(offsetCommitHandler, version, request)).topics[0]?.partitions[0]?.errorCode;
  assertEquals(await code(8), ErrorCode.ILLEGAL_GENERATION);
  assertEquals(await code(9), ErrorCode.GROUP_ID_NOT_FOUND);
  await at.made.stop();
});

Deno.test("offsetFetchHandler v1 puts the group's error on each partition", async () => {
  const at = await bench();
  await at.made.stop();
  const asked = { groupId: "g", topics: [{ name: "t", partitionIndexes: [4] }] };
  const v1 = await at.call(offsetFetchHandler, 1, asked);
  assertEquals(v1.topics[0]?.partitions[0]?.errorCode, ErrorCode.NOT_COORDINATOR);
  const v2 = await at.call(offsetFetchHandler, 2, asked);
  assertEquals(v2.errorCode, ErrorCode.NOT_COORDINATOR);
});

Deno.test("findCoordinatorHandler names this broker for groups only", async () => {
  const at = await bench();
  for (const version of all(findCoordinatorHandler)) {
    const ask = async (keyType: number) => {
      const request = { key: "g", keyType, coordinatorKeys: ["g", "h"] };
      const reply = await at.call(findCoordinatorHandler, version, request);
      if (version >= 4) assertEquals(reply.coordinators.map(({ key }) => key), ["g", "h"]);
      return version >= 4 ? reply.coordinators[1]! : reply;
    };
    const group = await ask(0);
    assertEquals(group.errorCode, ErrorCode.NONE);
    assertEquals([group.nodeId, group.host, group.port], [7, "broker.example", 9092]);
    if (version < 1) continue;
    const transaction = await ask(1);
    assertEquals(transaction.errorCode, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    assertEquals([transaction.nodeId, transaction.port], [-1, -1]);
    assertEquals((await ask(2)).errorCode, ErrorCode.INVALID_REQUEST);
    assertEquals((await ask(9)).errorCode, ErrorCode.INVALID_REQUEST);
  }
  await at.made.stop();
});

Deno.test("describeGroupsHandler tells of unknown groups as each version can", async () => {
  const at = await bench();
  await member(at);
  for (const version of all(describeGroupsHandler)) {
    const { groups } = await at.call(describeGroupsHandler, version, {
      groups: ["g", "none"],
      includeAuthorizedOperations: true,
    });
    const [known, none] = groups;
    assertEquals(known?.errorCode, ErrorCode.NONE);
    assertEquals(known?.groupState, "Stable");
    assertEquals(known?.members[0]?.clientHost, "/10.0.0.9");
    assertEquals(untext(known!.members[0]!.memberAssignment), "mine");
    assertEquals(known?.authorizedOperations, version >= 3 ? 3_400 : -(2 ** 31));
    assertEquals(none?.groupState, "Dead");
    assertEquals(none?.errorCode, version >= 6 ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.NONE);
    assertEquals(none?.errorMessage, version >= 6 ? "Group none not found." : null);
  }
  await at.made.stop();
});

Deno.test("handlers that list and delete serve every version", async () => {
  const at = await bench();
  await member(at);
  for (const version of all(listGroupsHandler)) {
    const { groups } = await at.call(listGroupsHandler, version, {
      statesFilter: ["stable"],
      typesFilter: ["classic"],
    });
    assertEquals(groups, [{
      groupId: "g",
      protocolType: "consumer",
      groupState: version >= 4 ? "Stable" : "",
      groupType: version >= 5 ? "classic" : "",
    }]);
  }
  for (const version of all(deleteGroupsHandler)) {
    const { results } = await at.call(deleteGroupsHandler, version, { groupsNames: ["g", "x"] });
    assertEquals(results, [
      { groupId: "g", errorCode: ErrorCode.NON_EMPTY_GROUP },
      { groupId: "x", errorCode: ErrorCode.GROUP_ID_NOT_FOUND },
    ]);
  }
  const deleted = await at.call(offsetDeleteHandler, 0, {
    groupId: "g",
    topics: [{ name: "t", partitions: [{ partitionIndex: 0 }] }],
  });
  assertEquals(
    deleted.topics[0]?.partitions[0]?.errorCode,
    ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
  );
  await at.made.stop();
});
