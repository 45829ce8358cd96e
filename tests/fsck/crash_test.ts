/**
 * A broker that dies just before or just after the effect of its n-th call of the store, for every
 * n, in a run that commits, rewrites, merges, applies retention, deletes a topic and stops: what it
 * leaves is never damage, and a repair of it loses nothing.
 */
import { assert, assertEquals } from "@std/assert";
import { isDamage } from "../../core/fsck/mod.ts";
import { deleteRemoved, enforceRetention } from "../../core/log/retention.ts";
import { mergeSegments } from "../../core/log/merge.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { commit, readAll, type Room, Scene } from "../log/scene.ts";
import { check, found, repair } from "./healthy_store.ts";

const STEPS_MAX = 400;

/** Never resolves once the room is dead, so the run is raced against its death. */
async function life(scene: Scene, committed: Map<string, string[]>): Promise<void> {
  // three batches fill a segment, so three small segments are to be merged
  Object.assign(scene.settings, { segmentBytes: 300, fileDeleteDelayMs: 0 });
  const room = await scene.open();
  const keep = await room.topic("keep", 2);
  const drop = await room.topic("drop");
  const say = async (topic: string, partition: number, value: string) => {
    await commit(await room.log(topic, partition), [value]);
    if (topic !== keep) return;
    const name = String(partition);
    committed.set(name, [...committed.get(name) ?? [], value]);
  };
  await room.sweepLeftovers();
  for (let round = 0; round < 4; round++) {
    await say(keep, 0, `a${round}`);
    await say(keep, 1, `b${round}`);
    await say(drop, 0, `c${round}`);
    await rewriteTail(await room.log(keep, 0), true);
    await room.ledger.sweep();
  }
  await mergeSegments(await room.log(keep, 0));
  await deleteRemoved(await room.log(keep, 0));
  await rewriteTail(await room.log(drop), true);
  scene.settings.retentionBytes = 1;
  await enforceRetention(await room.log(drop));
  await scene.runtime.advance(100_000);
  await deleteRemoved(await room.log(drop));
  scene.settings.retentionBytes = -1;
  await room.topics.delete([{ id: drop }]);
  await scene.runtime.settle();
  await room.ledger.sweep();
  await say(keep, 0, "last");
  await room.stop();
}

type Moment = "before" | "after";

/** One life, until the `step`-th call of the store ends it; false when it came through. */
async function dieAt(
  scene: Scene,
  step: number,
  moment: Moment,
  committed: Map<string, string[]>,
): Promise<boolean> {
  let calls = 0;
  let died = false;
  const death = new Promise<void>((resolve) => {
    scene.beforeStore = (room: Room) => {
      if (++calls !== step) return;
      died = true;
      const die = () => {
        room.crash();
        resolve();
      };
      // The call takes effect in this turn; its answer comes later.
      if (moment === "before") die();
      else queueMicrotask(die);
    };
  });
  await Promise.race([death, life(scene, committed)]);
  await scene.runtime.settle();
  scene.beforeStore = undefined;
  return died;
}

async function values(scene: Scene): Promise<Map<string, string[]>> {
  const room = await scene.open();
  const topic = room.topics.byName("keep");
  const all = new Map<string, string[]>();
  for (const partition of topic === undefined ? [] : [0, 1]) {
    const records = await readAll(await room.log(topic!.id, partition));
    if (records.length > 0) all.set(String(partition), records.map(([, value]) => value));
  }
  await room.stop();
  return all;
}

/** Everything acknowledged is there, in order; the last one may be there unacknowledged. */
function assertHolds(all: Map<string, string[]>, committed: Map<string, string[]>, step: number) {
  for (const [partition, wanted] of committed) {
    assertEquals(all.get(partition)?.slice(0, wanted.length), wanted, `after step ${step}`);
  }
}

for (const moment of ["before", "after"] as const) {
  Deno.test(`no death ${moment} any step is damage, nor does a repair do any`, async () => {
    let step = 1;
    for (;; step++) {
      const committed = new Map<string, string[]>();
      const scene = new Scene();
      const died = await dieAt(scene, step, moment, committed);
      const report = await check({ scene }, { depth: "deep" });
      assertEquals(report.findings.filter(isDamage), [], `after step ${step}`);
      const { report: repaired } = await repair({ scene });
      // What an unsealed chain holds behind its end goes at the next start.
      const left = found(repaired).filter((each) => !each.startsWith("wal-void"));
      assertEquals(left, [], `after a repair after step ${step}`);
      assertHolds(await values(scene), committed, step);
      assertEquals((await check({ scene })).findings.filter(isDamage), [], `after step ${step}`);
      if (!died) break;
      assert(step < STEPS_MAX);
    }
    assert(step > 35, `only ${step} steps`);
  });
}

Deno.test("two deaths in a row, at any two steps, are no damage", async () => {
  for (let first = 3; first < 40; first += 3) {
    for (let second = 1; second < 30; second++) {
      const committed = new Map<string, string[]>();
      const scene = new Scene();
      const moment = (first + second) % 2 === 0 ? "before" : "after";
      await dieAt(scene, first, moment, committed);
      const died = await dieAt(scene, second, moment, new Map());
      const report = await check({ scene }, { depth: "deep" });
      assertEquals(report.findings.filter(isDamage), [], `after steps ${first}, ${second}`);
      await repair({ scene });
      assertHolds(await values(scene), committed, first);
      if (!died) break;
    }
  }
});
