import { assertEquals } from "@std/assert";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { beat, commit, committed, scene, stableGroup, stateOf, subscription } from "./scene.ts";

const DAY_MS = 86_400_000;
const settings = { offsetsRetentionMinutes: 60 * 24, offsetsRetentionCheckIntervalMs: 60_000 };

Deno.test("offsets of simple consumers expire by the time of their commit", async () => {
  const made = await scene({ settings });
  await commit(made, [0], 1);
  await made.runtime.advance(DAY_MS / 2);
  await commit(made, [1], 2);
  await made.runtime.advance(DAY_MS / 2 + 60_000);
  assertEquals(await committed(made, [0, 1]), [-1, 2]);
  assertEquals(stateOf(made), "Empty");
  await made.runtime.advance(DAY_MS / 2);
  assertEquals(stateOf(made), undefined);
  assertEquals(made.service.list("").entries, []);
  await made.stop();
});

Deno.test("offsets of a group expire after its last member has left", async () => {
  const made = await scene({ settings });
  const [member] = await stableGroup(made, [{ sessionTimeoutMs: 1_800_000 }]);
  const { memberId } = member!.join;
  await commit(made, [0], 1, { memberId, generationId: 1 });
  for (let passedMs = 0; passedMs < 2 * DAY_MS; passedMs += 1_700_000) {
    await made.runtime.advance(1_700_000);
    assertEquals(await beat(made, member!.join), ErrorCode.NONE);
  }
  assertEquals(await committed(made, [0]), [1]);
  await made.groups.leave("g", [{ memberId, groupInstanceId: null, reason: null }]);
  await made.runtime.advance(DAY_MS / 2);
  await made.restart();
  await made.runtime.advance(DAY_MS / 2 - 120_000);
  assertEquals(await committed(made, [0]), [1]);
  await made.runtime.advance(240_000);
  assertEquals(await committed(made, [0]), [-1]);
  assertEquals(stateOf(made), undefined);
  await made.stop();
});

Deno.test("a stable group loses offsets of topics that it no longer reads", async () => {
  const made = await scene({ settings });
  made.topics.set("old", 1);
  const session = { sessionTimeoutMs: 1_800_000 };
  const protocols = [{ name: "range", metadata: subscription("t") }];
  const [member] = await stableGroup(made, [{ ...session, protocols }]);
  const by = { memberId: member!.join.memberId, generationId: 1 };
  await commit(made, [0], 1, by);
  await commit(made, [0], 2, { ...by, topic: "old" });
  for (let passedMs = 0; passedMs < DAY_MS + 60_000; passedMs += 1_700_000) {
    await made.runtime.advance(1_700_000);
    await beat(made, member!.join);
  }
  const all = await made.groups.fetchOffsets({ groupId: "g", topics: null, requireStable: false });
  assertEquals(all.topics.map(({ name }) => name), ["t"]);
  await made.stop();
});

Deno.test("offsets of deleted topics are dropped from the store", async () => {
  const made = await scene({ settings });
  await commit(made, [0], 1);
  made.topics.delete("t");
  await made.runtime.advance(60_000);
  assertEquals(made.service.list("").entries, []);
  assertEquals(stateOf(made), undefined);
  await made.stop();
  assertEquals(made.runtime.pendingTimers, 0);
});
