import { assert, assertEquals } from "@std/assert";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import type { MemoryCall, MemoryFaults } from "../../drivers/metadata/memory/driver.ts";
import {
  beat,
  commit,
  committed,
  joinRequest,
  scene,
  stableGroup,
  stateOf,
  syncRequest,
  untext,
  watch,
} from "./scene.ts";

/** Faults that a test switches: calls fail before they take effect, or lose their reply after. */
class Switch implements MemoryFaults {
  failing: "before" | "after" | undefined;
  readonly only: readonly MemoryCall[] = ["get", "list", "commit"];
  /** Reads go on when only commits fail. */
  commitsOnly = false;
  /** How many calls fail; the rest succeeds. */
  left = Infinity;

  before(call: MemoryCall): void {
    this.#fail("before", call);
  }

  after(call: MemoryCall): void {
    this.#fail("after", call);
  }

  #fail(at: "before" | "after", call: MemoryCall): void {
    if (this.failing !== at || !this.only.includes(call)) return;
    if (this.commitsOnly && call !== "commit") return;
    if (this.left-- <= 0) return;
    throw new MetadataError("retry", "the store is away");
  }
}

Deno.test("a restart lets members go on in the same generation", async () => {
  const made = await scene();
  const [leader, follower] = await stableGroup(made, [{ groupInstanceId: "a" }, {}]);
  await commit(made, [0], 5, { memberId: follower!.join.memberId, generationId: 1 });
  await made.restart();
  assertEquals(stateOf(made), "Stable");
  assertEquals(await beat(made, follower!.join), ErrorCode.NONE);
  assertEquals(await beat(made, leader!.join, { groupInstanceId: "a" }), ErrorCode.NONE);
  const again = await made.groups.sync(syncRequest(follower!.join));
  assertEquals(untext(again.assignment), follower!.join.memberId);
  const code = await commit(made, [0], 6, { memberId: follower!.join.memberId, generationId: 1 });
  assertEquals(code, [ErrorCode.NONE]);
  const [described] = await made.groups.describe(["g"]);
  assertEquals(described?.groupState, "Stable");
  assertEquals(described?.members.map((member) => member.groupInstanceId), ["a", null]);
  assertEquals(described?.members[1]?.clientHost, "/127.0.0.1");
  await made.stop();
});

Deno.test("a restart does not keep members that never come back", async () => {
  const made = await scene();
  await stableGroup(made, [{}, {}]);
  await made.restart();
  await made.runtime.advance(10_000);
  assertEquals(stateOf(made), "Empty");
  await made.stop();
  assertEquals(made.runtime.pendingTimers, 0);
});

Deno.test("start() answers COORDINATOR_LOAD_IN_PROGRESS until the groups are loaded", async () => {
  const faults = new Switch();
  const made = await scene({ faults });
  const [member] = await stableGroup(made, [{}]);
  await commit(made, [0], 3, { memberId: member!.join.memberId, generationId: 1 });
  await made.stop();
  faults.failing = "before";
  made.groups = made.rival();
  const started = watch(made.groups.start());
  await made.runtime.advance(500);
  assertEquals(await beat(made, member!.join), ErrorCode.NONE);
  assertEquals(
    (await made.groups.join(joinRequest())).errorCode,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  );
  assertEquals(made.groups.list([], []).errorCode, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
  const loading = await made.groups.fetchOffsets({
    groupId: "g",
    topics: null,
    requireStable: false,
  });
  assertEquals(loading.errorCode, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
  faults.failing = undefined;
  await made.runtime.advance(5_000);
  await started.promise;
  assertEquals(stateOf(made), "Stable");
  assertEquals(await committed(made, [0]), [3]);
  await made.stop();
});

Deno.test("stop() answers everything that is parked and leaves no timer", async () => {
  const made = await scene();
  const [leader, follower] = await stableGroup(made, [{}, {}]);
  const other = made.groups.join(joinRequest({ groupId: "h" }));
  const again = made.groups.join(joinRequest({ memberId: leader!.join.memberId }));
  const id = await made.groups.join(joinRequest({ knowsMemberIdRequired: true, groupId: "i" }));
  assertEquals(id.errorCode, ErrorCode.MEMBER_ID_REQUIRED);
  await made.runtime.settle();
  await made.stop();
  assertEquals((await other).errorCode, ErrorCode.NOT_COORDINATOR);
  assertEquals((await again).errorCode, ErrorCode.NOT_COORDINATOR);
  assertEquals(await beat(made, follower!.join), ErrorCode.NOT_COORDINATOR);
  assertEquals(made.runtime.pendingTimers, 0);
  assertEquals(made.groups.usage.groups, 0);
  assertEquals(made.groups.usage.members, 0);
  assertEquals(made.groups.usage.bytes, 0);
});

Deno.test("a metadata outage stops commits and rebalances, not heartbeats (I10)", async () => {
  const faults = new Switch();
  const made = await scene({ faults });
  const [member] = await stableGroup(made, [{}]);
  const by = { memberId: member!.join.memberId, generationId: 1 };
  await commit(made, [0], 1, by);
  assertEquals(await committed(made, [0]), [1]);
  faults.failing = "before";
  assertEquals(await commit(made, [0], 2, by), [ErrorCode.COORDINATOR_NOT_AVAILABLE]);
  assertEquals(await beat(made, member!.join), ErrorCode.NONE);
  const fetched = await made.groups.fetchOffsets({
    groupId: "g",
    topics: null,
    requireStable: false,
  });
  assertEquals(fetched.errorCode, ErrorCode.NOT_COORDINATOR);
  const join = await made.groups.join(joinRequest({ memberId: by.memberId }));
  assertEquals(join.generationId, 2);
  const sync = await made.groups.sync(syncRequest(join));
  assertEquals(sync.errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE);
  assertEquals(stateOf(made), "PreparingRebalance");
  faults.failing = undefined;
  const again = await made.groups.join(joinRequest({ memberId: by.memberId }));
  assertEquals((await made.groups.sync(syncRequest(again))).errorCode, ErrorCode.NONE);
  assertEquals(await committed(made, [0]), [1]);
  assertEquals(await commit(made, [0], 3, { ...by, generationId: 3 }), [ErrorCode.NONE]);
  await made.restart();
  assertEquals(await committed(made, [0]), [3]);
  assertEquals(stateOf(made), "Stable");
  await made.stop();
});

Deno.test("a commit whose reply was lost is found to be done", async () => {
  const faults = new Switch();
  const made = await scene({ faults });
  await commit(made, [0], 1);
  faults.failing = "after";
  faults.left = 1;
  assertEquals(await commit(made, [0], 2), [ErrorCode.NONE]);
  assertEquals(await committed(made, [0]), [2]);
  assertEquals(await commit(made, [0], 3), [ErrorCode.NONE]);
  await made.stop();
});

Deno.test("a commit of unknown outcome is no success, nor remembered wrongly", async () => {
  const faults = new Switch();
  const made = await scene({ faults });
  await commit(made, [0], 1);
  assertEquals(await committed(made, [0]), [1]);
  // the commit takes effect, its reply and the reading back are lost
  faults.failing = "after";
  assertEquals(await commit(made, [0], 2), [ErrorCode.COORDINATOR_NOT_AVAILABLE]);
  faults.failing = undefined;
  assertEquals(await committed(made, [0]), [2]);
  assertEquals(await commit(made, [0], 3), [ErrorCode.NONE]);
  assertEquals(await committed(made, [0]), [3]);
  await made.stop();
});

Deno.test("a group that a rival has written is given up and read again (I7)", async () => {
  const made = await scene();
  const [member] = await stableGroup(made, [{}]);
  const by = { memberId: member!.join.memberId, generationId: 1 };
  const first = made.groups;
  const rival = made.rival();
  await rival.start();
  made.groups = rival;
  assertEquals(await commit(made, [0], 8, by), [ErrorCode.NONE]);
  made.groups = first;
  assertEquals(await commit(made, [0], 7, by), [ErrorCode.NOT_COORDINATOR]);
  assertEquals(await committed(made, [0]), [8]);
  assertEquals(stateOf(made), "Stable");
  assertEquals(await commit(made, [0], 9, by), [ErrorCode.NONE]);
  await made.stop();
  await rival.stop();
});

Deno.test("describe() shows members of a stable group, and unknown groups as dead", async () => {
  const made = await scene();
  await stableGroup(made, [{ clientId: "one" }, { clientId: "two", groupInstanceId: "i" }]);
  const [known, unknown] = await made.groups.describe(["g", "no"]);
  assertEquals(known?.protocolData, "range");
  assertEquals(known?.protocolType, "consumer");
  assertEquals(known?.members.map(({ clientId }) => clientId), ["one", "two"]);
  assert(known!.members.every(({ memberMetadata }) => memberMetadata.length > 0));
  assert(
    known!.members.every(({ memberId, memberAssignment }) => untext(memberAssignment) === memberId),
  );
  assertEquals(unknown?.errorCode, ErrorCode.GROUP_ID_NOT_FOUND);
  assertEquals(unknown?.errorMessage, "Group no not found.");
  assertEquals(unknown?.groupState, "Dead");
  void made.groups.join(joinRequest());
  const [rebalancing] = await made.groups.describe(["g"]);
  assertEquals(rebalancing?.groupState, "PreparingRebalance");
  assertEquals(rebalancing?.protocolData, "");
  assertEquals(rebalancing?.members[0]?.memberMetadata.length, 0);
  await made.stop();
});

Deno.test("list() filters by state and type without regard to case", async () => {
  const made = await scene();
  await stableGroup(made, [{}]);
  await commit(made, [0], 1, { groupId: "simple" });
  const ids = (states: string[], types: string[]) =>
    made.groups.list(states, types).groups.map(({ groupId }) => groupId).sort();
  assertEquals(ids([], []), ["g", "simple"]);
  assertEquals(ids(["stable"], []), ["g"]);
  assertEquals(ids(["EMPTY", "Dead"], ["Classic"]), ["simple"]);
  assertEquals(ids([], ["consumer"]), []);
  assertEquals(ids(["nonsense"], []), []);
  await made.stop();
});

Deno.test("deleteGroups() deletes empty groups with all offsets, for good", async () => {
  const made = await scene();
  const [member] = await stableGroup(made, [{}]);
  const partitions = Array.from({ length: 200 }, (_, at) => at);
  await commit(made, partitions, 1, { memberId: member!.join.memberId, generationId: 1 });
  const outcome = () => made.groups.deleteGroups(["g", "no"]);
  assertEquals(await outcome(), [ErrorCode.NON_EMPTY_GROUP, ErrorCode.GROUP_ID_NOT_FOUND]);
  const left = [{ memberId: member!.join.memberId, groupInstanceId: null, reason: null }];
  await made.groups.leave("g", left);
  assertEquals(await outcome(), [ErrorCode.NONE, ErrorCode.GROUP_ID_NOT_FOUND]);
  assertEquals(stateOf(made), undefined);
  assertEquals(made.service.list("").entries.map(({ key }) => key), []);
  await commit(made, [0], 2);
  assertEquals(await committed(made, [0, 1]), [2, -1]);
  await made.restart();
  assertEquals(await committed(made, [0, 1]), [2, -1]);
  await made.stop();
});

Deno.test("deleteGroups() in an outage leaves the group as it was", async () => {
  const faults = new Switch();
  const made = await scene({ faults });
  await commit(made, [0], 1);
  faults.failing = "before";
  assertEquals(await made.groups.deleteGroups(["g"]), [ErrorCode.COORDINATOR_NOT_AVAILABLE]);
  assertEquals(
    (await made.groups.join(joinRequest())).errorCode,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
  );
  faults.failing = undefined;
  assertEquals(await committed(made, [0]), [1]);
  assertEquals(await made.groups.deleteGroups(["g"]), [ErrorCode.NONE]);
  await made.stop();
});

Deno.test("deleteGroups() whose reply was lost is found to be done", async () => {
  const faults = new Switch();
  const made = await scene({ faults });
  await commit(made, [0], 1);
  faults.failing = "after";
  faults.commitsOnly = true;
  assertEquals(await made.groups.deleteGroups(["g"]), [ErrorCode.NONE]);
  faults.failing = undefined;
  assertEquals(await committed(made, [0]), [-1]);
  assertEquals(await commit(made, [0], 4), [ErrorCode.NONE]);
  await made.stop();
});

Deno.test("a group that was emptied in an outage is stored later", async () => {
  const faults = new Switch();
  const made = await scene({ faults });
  const [member] = await stableGroup(made, [{}]);
  await commit(made, [0], 1, { memberId: member!.join.memberId, generationId: 1 });
  faults.failing = "before";
  await made.runtime.advance(10_000);
  assertEquals(stateOf(made), "Empty");
  faults.failing = undefined;
  await made.runtime.advance(600_000);
  await made.restart();
  assertEquals(stateOf(made), "Empty");
  assertEquals(await committed(made, [0]), [1]);
  await made.stop();
});
