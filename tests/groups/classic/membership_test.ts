import { assertEquals } from "@std/assert";
import { ErrorCode } from "../../../core/protocol/errors.ts";
import {
  beat,
  commit,
  committed,
  joinRequest,
  scene,
  stableGroup,
  stateOf,
  syncAll,
  syncRequest,
  text,
  untext,
  watch,
} from "../scene.ts";

const leave = (memberId: string, groupInstanceId: string | null = null) => {
  return [{ memberId, groupInstanceId, reason: "done" }];
};

Deno.test("heartbeat() keeps a session; silence ends it", async () => {
  const made = await scene();
  const [member] = await stableGroup(made, [{}]);
  for (let at = 0; at < 5; at++) {
    await made.runtime.advance(9_000);
    assertEquals(await beat(made, member!.join), ErrorCode.NONE);
  }
  await made.runtime.advance(9_999);
  assertEquals(stateOf(made), "Stable");
  await made.runtime.advance(1);
  assertEquals(stateOf(made), "Empty");
  assertEquals(await beat(made, member!.join), ErrorCode.UNKNOWN_MEMBER_ID);
  await made.stop();
  assertEquals(made.runtime.pendingTimers, 0);
});

Deno.test("heartbeat() tells wrong generations, members and groups apart", async () => {
  const made = await scene();
  const [member] = await stableGroup(made, [{}]);
  assertEquals(
    await beat(made, member!.join, { generationId: 7 }),
    ErrorCode.ILLEGAL_GENERATION,
  );
  assertEquals(await beat(made, member!.join, { memberId: "x" }), ErrorCode.UNKNOWN_MEMBER_ID);
  const request = { memberId: "x", groupInstanceId: null, generationId: 1 };
  assertEquals(
    await made.groups.heartbeat({ ...request, groupId: "no" }),
    ErrorCode.UNKNOWN_MEMBER_ID,
  );
  assertEquals(
    await made.groups.heartbeat({ ...request, groupId: "" }),
    ErrorCode.INVALID_GROUP_ID,
  );
  await made.stop();
});

Deno.test("heartbeat() is fine while assignments are being made", async () => {
  const made = await scene();
  const join = made.groups.join(joinRequest());
  await made.runtime.advance(3_000);
  const joined = await join;
  assertEquals(stateOf(made), "CompletingRebalance");
  assertEquals(await beat(made, joined), ErrorCode.NONE);
  await made.stop();
});

Deno.test("sync() refuses what does not belong to the generation", async () => {
  const made = await scene();
  const join = made.groups.join(joinRequest());
  await made.runtime.advance(3_000);
  const request = syncRequest(await join);
  const refused = async (over: Partial<typeof request>) =>
    (await made.groups.sync({ ...request, ...over })).errorCode;
  assertEquals(await refused({ groupId: "" }), ErrorCode.INVALID_GROUP_ID);
  assertEquals(await refused({ groupId: "no" }), ErrorCode.UNKNOWN_MEMBER_ID);
  assertEquals(await refused({ memberId: "no" }), ErrorCode.UNKNOWN_MEMBER_ID);
  assertEquals(await refused({ generationId: 9 }), ErrorCode.ILLEGAL_GENERATION);
  assertEquals(await refused({ protocolName: "x" }), ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  assertEquals(await refused({ protocolType: "x" }), ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  assertEquals(await refused({ protocolType: null, protocolName: null }), ErrorCode.NONE);
  await made.stop();
});

Deno.test("sync() gives members that the leader left out an empty assignment", async () => {
  const made = await scene();
  const joins = [made.groups.join(joinRequest()), made.groups.join(joinRequest())];
  await made.runtime.advance(6_000);
  const [leader, follower] = await Promise.all(joins);
  const late = made.groups.sync(syncRequest(follower!));
  const mine = { memberId: leader!.memberId, assignment: text("all") };
  const first = await made.groups.sync(syncRequest(leader!, { assignments: [mine] }));
  assertEquals(untext(first.assignment), "all");
  assertEquals((await late).assignment.length, 0);
  // once more, as after a lost answer
  assertEquals(untext((await made.groups.sync(syncRequest(leader!))).assignment), "all");
  await made.stop();
});

Deno.test("sync() in a rebalance tells members to join again", async () => {
  const made = await scene();
  const joins = [made.groups.join(joinRequest()), made.groups.join(joinRequest())];
  await made.runtime.advance(6_000);
  const [, follower] = await Promise.all(joins);
  const parked = watch(made.groups.sync(syncRequest(follower!)));
  void made.groups.join(joinRequest());
  await made.runtime.settle();
  assertEquals(parked.value?.errorCode, ErrorCode.REBALANCE_IN_PROGRESS);
  const again = await made.groups.sync(syncRequest(follower!));
  assertEquals(again.errorCode, ErrorCode.REBALANCE_IN_PROGRESS);
  await made.stop();
});

Deno.test("sync() that does not come within the rebalance time-out costs the place", async () => {
  const made = await scene();
  const over = { rebalanceTimeoutMs: 20_000, sessionTimeoutMs: 60_000 };
  const joins = [made.groups.join(joinRequest(over)), made.groups.join(joinRequest(over))];
  await made.runtime.advance(6_000);
  const [leader, follower] = await Promise.all(joins);
  const synced = await made.groups.sync(syncRequest(leader!));
  assertEquals(synced.errorCode, ErrorCode.NONE);
  await made.runtime.advance(19_999);
  assertEquals(stateOf(made), "Stable");
  await made.runtime.advance(1);
  assertEquals(stateOf(made), "PreparingRebalance");
  assertEquals(await beat(made, follower!), ErrorCode.UNKNOWN_MEMBER_ID);
  assertEquals(await beat(made, leader!), ErrorCode.REBALANCE_IN_PROGRESS);
  await made.stop();
});

Deno.test("leave() rebalances the others, and empties the group at last", async () => {
  const made = await scene();
  const [leader, follower] = await stableGroup(made, [{}, {}]);
  const reply = await made.groups.leave("g", leave(leader!.join.memberId));
  assertEquals(reply.members[0]?.errorCode, ErrorCode.NONE);
  assertEquals(await beat(made, follower!.join), ErrorCode.REBALANCE_IN_PROGRESS);
  const again = await made.groups.join(joinRequest({ memberId: follower!.join.memberId }));
  assertEquals(again.leader, follower!.join.memberId);
  await syncAll(made, [again]);
  await made.groups.leave("g", leave(follower!.join.memberId));
  assertEquals(stateOf(made), "Empty");
  await made.runtime.settle();
  await made.restart();
  assertEquals(stateOf(made), "Empty");
  await made.stop();
});

Deno.test("leave() answers each member of a batch", async () => {
  const made = await scene();
  await stableGroup(made, [{ groupInstanceId: "a" }, { groupInstanceId: "b" }]);
  const pending = await made.groups.join(joinRequest({ knowsMemberIdRequired: true }));
  const reply = await made.groups.leave("g", [
    ...leave("", "a"),
    ...leave("", "nobody"),
    ...leave("wrong", "b"),
    ...leave("unknown"),
    ...leave(pending.memberId),
  ]);
  assertEquals(reply.errorCode, ErrorCode.NONE);
  assertEquals(reply.members.map(({ errorCode }) => errorCode), [
    ErrorCode.NONE,
    ErrorCode.UNKNOWN_MEMBER_ID,
    ErrorCode.FENCED_INSTANCE_ID,
    ErrorCode.UNKNOWN_MEMBER_ID,
    ErrorCode.NONE,
  ]);
  const unknown = await made.groups.leave("no", leave("x"));
  assertEquals(unknown.members[0]?.errorCode, ErrorCode.UNKNOWN_MEMBER_ID);
  assertEquals((await made.groups.leave("", [])).errorCode, ErrorCode.INVALID_GROUP_ID);
  await made.stop();
});

Deno.test("leave() of an id that was only given out does not rebalance", async () => {
  const made = await scene();
  await stableGroup(made, [{}]);
  const pending = await made.groups.join(joinRequest({ knowsMemberIdRequired: true }));
  await made.groups.leave("g", leave(pending.memberId));
  assertEquals(stateOf(made), "Stable");
  await made.stop();
});

Deno.test("commitOffsets() checks member, generation and state", async () => {
  const made = await scene();
  const [member] = await stableGroup(made, [{}]);
  const { memberId } = member!.join;
  const by = (generationId: number, id = memberId) =>
    commit(made, [0], 5, { memberId: id, generationId });
  assertEquals(await by(1), [ErrorCode.NONE]);
  assertEquals(await by(2), [ErrorCode.ILLEGAL_GENERATION]);
  assertEquals(await by(1, "no"), [ErrorCode.UNKNOWN_MEMBER_ID]);
  // a simple consumer may not interfere with a running group
  assertEquals(await commit(made, [0], 9), [ErrorCode.UNKNOWN_MEMBER_ID]);
  const unknown = { groupId: "no", generationId: 1, memberId: "x" };
  assertEquals(await commit(made, [0], 9, unknown), [ErrorCode.ILLEGAL_GENERATION]);
  assertEquals(await committed(made, [0]), [5]);
  const join = made.groups.join(joinRequest({ memberId }));
  await join;
  assertEquals(stateOf(made), "CompletingRebalance");
  assertEquals(await by(2), [ErrorCode.REBALANCE_IN_PROGRESS]);
  await made.stop();
});

Deno.test("commitOffsets() counts as a heartbeat", async () => {
  const made = await scene();
  const [member] = await stableGroup(made, [{}]);
  const { memberId } = member!.join;
  for (let at = 0; at < 3; at++) {
    await made.runtime.advance(9_000);
    assertEquals(await commit(made, [0], at, { memberId, generationId: 1 }), [ErrorCode.NONE]);
  }
  assertEquals(stateOf(made), "Stable");
  await made.stop();
});
