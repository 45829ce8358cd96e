import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { ErrorCode } from "../../../core/protocol/errors.ts";
import {
  beat,
  joinRequest,
  scene,
  stableGroup,
  stateOf,
  subscription,
  syncAll,
  syncRequest,
  text,
  untext,
  watch,
} from "../scene.ts";

Deno.test("join() tells a new dynamic member its id first (KIP-394)", async () => {
  const made = await scene();
  const first = await made.groups.join(joinRequest({ knowsMemberIdRequired: true }));
  assertEquals(first.errorCode, ErrorCode.MEMBER_ID_REQUIRED);
  assertEquals(first.generationId, -1);
  assert(/^client-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-/.test(first.memberId));
  const again = made.groups.join(
    joinRequest({ knowsMemberIdRequired: true, memberId: first.memberId }),
  );
  await made.runtime.advance(3_000);
  const joined = await again;
  assertEquals(joined.errorCode, ErrorCode.NONE);
  assertEquals(joined.memberId, first.memberId);
  assertEquals(joined.leader, first.memberId);
  await made.stop();
});

Deno.test("join() forgets an id that does not come back, and the group with it", async () => {
  const made = await scene();
  await made.groups.join(joinRequest({ knowsMemberIdRequired: true }));
  assertEquals(stateOf(made), "Empty");
  await made.runtime.advance(10_000);
  assertEquals(stateOf(made), undefined);
  assertEquals(made.groups.usage.members, 0);
  assertEquals(made.groups.usage.groups, 0);
  await made.stop();
  assertEquals(made.runtime.pendingTimers, 0);
});

Deno.test("join() gives all one generation, and only the leader the metadata", async () => {
  const made = await scene();
  const members = await stableGroup(made, [{}, {}, {}]);
  const ids = members.map(({ join }) => join.memberId);
  assertEquals(new Set(ids).size, 3);
  for (const { join, sync } of members) {
    assertEquals(join.generationId, 1);
    assertEquals(join.protocolName, "range");
    assertEquals(join.protocolType, "consumer");
    assertEquals(join.leader, ids[0]);
    assertEquals(sync.errorCode, ErrorCode.NONE);
    assertEquals(untext(sync.assignment), join.memberId);
  }
  assertEquals(members[0]!.join.members.map(({ memberId }) => memberId), ids);
  assertEquals(members[1]!.join.members, []);
  assertEquals(stateOf(made), "Stable");
  await made.stop();
});

Deno.test("join() puts a new group's rebalance off while members keep coming", async () => {
  const made = await scene();
  const first = watch(made.groups.join(joinRequest()));
  await made.runtime.advance(2_900);
  const second = watch(made.groups.join(joinRequest()));
  await made.runtime.advance(3_000);
  assertEquals(first.value, undefined);
  await made.runtime.advance(200);
  assertEquals(first.value?.generationId, 1);
  assertEquals(second.value?.generationId, 1);
  await made.stop();
});

Deno.test("join() puts it off no longer than the rebalance time-out", async () => {
  const made = await scene();
  const first = watch(made.groups.join(joinRequest({ rebalanceTimeoutMs: 5_000 })));
  for (let at = 0; at < 5; at++) {
    await made.runtime.advance(1_000);
    void made.groups.join(joinRequest());
    await made.runtime.settle();
  }
  await made.runtime.advance(10);
  assertEquals(first.value?.generationId, 1);
  await made.stop();
});

Deno.test("join() refuses session time-outs outside the bounds", async () => {
  const made = await scene();
  for (const sessionTimeoutMs of [5_999, 1_800_001]) {
    const reply = await made.groups.join(joinRequest({ sessionTimeoutMs }));
    assertEquals(reply.errorCode, ErrorCode.INVALID_SESSION_TIMEOUT);
  }
  assertEquals(stateOf(made), undefined);
  await made.stop();
});

Deno.test("join() refuses an empty group id and a member id of an unknown group", async () => {
  const made = await scene();
  const empty = await made.groups.join(joinRequest({ groupId: "" }));
  assertEquals(empty.errorCode, ErrorCode.INVALID_GROUP_ID);
  const unknown = await made.groups.join(joinRequest({ memberId: "who" }));
  assertEquals(unknown.errorCode, ErrorCode.UNKNOWN_MEMBER_ID);
  assertEquals(made.groups.usage.groups, 0);
  await made.stop();
});

Deno.test("join() refuses other protocol types and protocols that not all share", async () => {
  const made = await scene();
  await stableGroup(made, [{}]);
  const other = await made.groups.join(joinRequest({ protocolType: "connect" }));
  assertEquals(other.errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  const disjoint = await made.groups.join(
    joinRequest({ protocols: [{ name: "sticky", metadata: text("") }] }),
  );
  assertEquals(disjoint.errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  const none = await made.groups.join(joinRequest({ groupId: "new", protocols: [] }));
  assertEquals(none.errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  assertEquals(stateOf(made, "new"), undefined);
  assertEquals(stateOf(made), "Stable");
  await made.stop();
});

Deno.test("join() selects by vote among the protocols that all members share", async () => {
  const made = await scene();
  const protocols = (...names: string[]) => names.map((name) => ({ name, metadata: text(name) }));
  const members = await stableGroup(made, [
    { protocols: protocols("sticky", "range", "robin") },
    { protocols: protocols("robin", "range") },
    { protocols: protocols("robin", "range", "sticky") },
  ]);
  assertEquals(members[0]!.join.protocolName, "robin");
  assertEquals(members[0]!.join.members.map(({ metadata }) => untext(metadata)), [
    "robin",
    "robin",
    "robin",
  ]);
  await made.stop();
});

Deno.test("join() by a new member rebalances a stable group; heartbeats say so", async () => {
  const made = await scene();
  const [leader] = await stableGroup(made, [{}]);
  const second = watch(made.groups.join(joinRequest()));
  await made.runtime.settle();
  assertEquals(await beat(made, leader!.join), ErrorCode.REBALANCE_IN_PROGRESS);
  assertEquals(second.value, undefined);
  const again = await made.groups.join(joinRequest({ memberId: leader!.join.memberId }));
  await made.runtime.settle();
  assertEquals(again.generationId, 2);
  assertEquals(second.value?.generationId, 2);
  assertEquals(again.leader, leader!.join.memberId);
  assertEquals(again.members.length, 2);
  await made.stop();
});

Deno.test("join() lets members go that do not rejoin within the rebalance time-out", async () => {
  const made = await scene();
  const [silent] = await stableGroup(made, [{
    rebalanceTimeoutMs: 8_000,
    sessionTimeoutMs: 30_000,
  }]);
  const second = watch(made.groups.join(joinRequest({ rebalanceTimeoutMs: 6_000 })));
  await made.runtime.advance(7_999);
  assertEquals(second.value, undefined);
  await made.runtime.advance(1);
  assertEquals(second.value?.errorCode, ErrorCode.NONE);
  assertEquals(second.value?.leader, second.value?.memberId);
  assertEquals(await beat(made, silent!.join), ErrorCode.UNKNOWN_MEMBER_ID);
  await made.stop();
});

Deno.test("join() answers a follower that changed nothing without a rebalance", async () => {
  const made = await scene();
  const [leader, follower] = await stableGroup(made, [{}, {}]);
  const again = await made.groups.join(joinRequest({ memberId: follower!.join.memberId }));
  assertEquals(again.generationId, 1);
  assertEquals(again.members, []);
  assertEquals(stateOf(made), "Stable");
  const changed = watch(made.groups.join(joinRequest({
    memberId: follower!.join.memberId,
    protocols: [{ name: "range", metadata: subscription("t", "u") }],
  })));
  await made.runtime.settle();
  assertEquals(stateOf(made), "PreparingRebalance");
  const rejoined = await made.groups.join(joinRequest({ memberId: leader!.join.memberId }));
  assertEquals(rejoined.generationId, 2);
  await changed.promise;
  await made.stop();
});

Deno.test("join() answers a member anew that did not receive its first answer", async () => {
  const made = await scene();
  const joins = [made.groups.join(joinRequest()), made.groups.join(joinRequest())];
  await made.runtime.advance(6_000);
  const [leader, follower] = await Promise.all(joins);
  const retried = await made.groups.join(joinRequest({ memberId: leader!.memberId }));
  assertEquals(retried, leader);
  assertEquals(stateOf(made), "CompletingRebalance");
  const stable = await syncAll(made, [retried, follower!]);
  assertEquals(untext(stable[1]!.sync.assignment), follower!.memberId);
  await made.stop();
});

Deno.test("join() by the leader rebalances a stable group though nothing changed", async () => {
  const made = await scene();
  const [leader, follower] = await stableGroup(made, [{}, {}]);
  const again = watch(made.groups.join(joinRequest({ memberId: leader!.join.memberId })));
  await made.runtime.settle();
  assertEquals(stateOf(made), "PreparingRebalance");
  await made.groups.join(joinRequest({ memberId: follower!.join.memberId }));
  assertEquals((await again.promise).generationId, 2);
  await made.stop();
});

Deno.test("join() answers the older of two parked joins of one member", async () => {
  const made = await scene();
  const [leader] = await stableGroup(made, [{}, {}]);
  const older = watch(made.groups.join(joinRequest({ memberId: leader!.join.memberId })));
  await made.runtime.settle();
  const newer = watch(made.groups.join(joinRequest({ memberId: leader!.join.memberId })));
  await made.runtime.settle();
  assertEquals(older.value?.errorCode, ErrorCode.REBALANCE_IN_PROGRESS);
  assertEquals(newer.value, undefined);
  await made.stop();
  assertEquals((await newer.promise).errorCode, ErrorCode.NOT_COORDINATOR);
});

Deno.test("join() refuses members beyond group.max.size", async () => {
  const made = await scene({ settings: { groupMaxSize: 2 } });
  const joins = [1, 2, 3].map(() => made.groups.join(joinRequest()));
  const third = await joins[2]!;
  assertEquals(third.errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED);
  await made.runtime.advance(6_000);
  await syncAll(made, await Promise.all(joins.slice(0, 2)));
  const late = await made.groups.join(joinRequest());
  assertEquals(late.errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED);
  assertEquals(stateOf(made), "Stable");
  await made.stop();
});

Deno.test("join() bounds the ids that are given out and the bytes of a group", async () => {
  const made = await scene({ settings: { groupMaxSize: 2 } });
  const ask = () => made.groups.join(joinRequest({ knowsMemberIdRequired: true }));
  assertEquals((await ask()).errorCode, ErrorCode.MEMBER_ID_REQUIRED);
  assertEquals((await ask()).errorCode, ErrorCode.MEMBER_ID_REQUIRED);
  assertEquals((await ask()).errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED);
  const heavy = [{ name: "range", metadata: new Uint8Array(2 ** 20) }];
  const reply = await made.groups.join(joinRequest({ groupId: "heavy", protocols: heavy }));
  assertEquals(reply.errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED);
  assertEquals(stateOf(made, "heavy"), undefined);
  await made.stop();
});

Deno.test("join() of a static member that is back keeps the generation (KIP-345)", async () => {
  const made = await scene();
  const requests = [{ groupInstanceId: "a" }, { groupInstanceId: "b" }];
  const [, old] = await stableGroup(made, requests);
  const back = await made.groups.join(joinRequest({ groupInstanceId: "b" }));
  assertEquals(back.errorCode, ErrorCode.NONE);
  assertNotEquals(back.memberId, old!.join.memberId);
  assertEquals(back.generationId, 1);
  assertEquals(back.skipAssignment, false);
  assertEquals(stateOf(made), "Stable");
  const [synced] = await syncAll(made, [back], [{ groupInstanceId: "b" }]);
  assertEquals(untext(synced!.sync.assignment), old!.join.memberId);
  assertEquals(
    await beat(made, old!.join, { groupInstanceId: "b" }),
    ErrorCode.FENCED_INSTANCE_ID,
  );
  assertEquals(await beat(made, back, { groupInstanceId: "b" }), ErrorCode.NONE);
  await made.stop();
});

Deno.test("join() of the static leader that is back skips the assignment (KIP-814)", async () => {
  const made = await scene();
  const [old] = await stableGroup(made, [{ groupInstanceId: "a" }, { groupInstanceId: "b" }]);
  const back = await made.groups.join(joinRequest({ groupInstanceId: "a" }));
  assertEquals(back.skipAssignment, true);
  assertEquals(back.leader, back.memberId);
  assertEquals(back.members.length, 2);
  const before = await made.groups.join(
    joinRequest({ groupInstanceId: "a", knowsSkipAssignment: false }),
  );
  assertEquals(before.skipAssignment, false);
  assertEquals(before.leader, back.memberId);
  assertNotEquals(before.leader, before.memberId);
  assertEquals(before.members, []);
  assertEquals(stateOf(made), "Stable");
  assertNotEquals(old!.join.memberId, back.memberId);
  await made.stop();
});

Deno.test("join() of a static member with another protocol rebalances", async () => {
  const made = await scene();
  const both = [{ name: "a", metadata: text("") }, { name: "b", metadata: text("") }];
  await stableGroup(made, [{ groupInstanceId: "x", protocols: both }]);
  const back = await made.groups.join(
    joinRequest({ groupInstanceId: "x", protocols: [both[1]!] }),
  );
  assertEquals(back.generationId, 2);
  assertEquals(back.protocolName, "b");
  await made.stop();
});

Deno.test("join() of a static member during a rebalance fences the parked one", async () => {
  const made = await scene();
  const parked = watch(made.groups.join(joinRequest({ groupInstanceId: "a" })));
  await made.runtime.settle();
  const back = watch(made.groups.join(joinRequest({ groupInstanceId: "a" })));
  await made.runtime.settle();
  assertEquals(parked.value?.errorCode, ErrorCode.FENCED_INSTANCE_ID);
  await made.runtime.advance(6_000);
  assertEquals(back.value?.errorCode, ErrorCode.NONE);
  const synced = watch(made.groups.sync(syncRequest(back.value!, { groupInstanceId: "a" })));
  await synced.promise;
  assertEquals(stateOf(made), "Stable");
  await made.stop();
});

Deno.test("join() keeps a static member over a rebalance that it misses", async () => {
  const made = await scene();
  const instances = [{
    groupInstanceId: "a",
    sessionTimeoutMs: 300_000,
    rebalanceTimeoutMs: 10_000,
  }];
  const [absent] = await stableGroup(made, instances);
  const second = watch(made.groups.join(joinRequest({ rebalanceTimeoutMs: 5_000 })));
  await made.runtime.advance(10_000);
  assertEquals(second.value?.generationId, 2);
  assertEquals(second.value?.leader, second.value?.memberId);
  assertEquals(second.value?.members.map(({ groupInstanceId }) => groupInstanceId), ["a", null]);
  const code = await beat(made, absent!.join, { groupInstanceId: "a", generationId: 2 });
  assertEquals(code, ErrorCode.NONE);
  await made.stop();
});

Deno.test("join() of a known static member under a wrong id is fenced", async () => {
  const made = await scene();
  await stableGroup(made, [{ groupInstanceId: "a" }]);
  const fenced = await made.groups.join(joinRequest({ groupInstanceId: "a", memberId: "other" }));
  assertEquals(fenced.errorCode, ErrorCode.FENCED_INSTANCE_ID);
  const unknown = await made.groups.join(joinRequest({ groupInstanceId: "z", memberId: "other" }));
  assertEquals(unknown.errorCode, ErrorCode.UNKNOWN_MEMBER_ID);
  await made.stop();
});
