/**
 * The two-broker hand-over in which KafScale in Go loses acknowledged records: the former leader
 * goes on from the log that it remembers; a flush that several producers share fails and is
 * acknowledged to some; of topics that two brokers create at the same time a part is gone.
 */
import { assert, assertEquals } from "@std/assert";
import { changeAssignment } from "../../core/metadata/assignments.ts";
import { append, batchOf, commit, readAll } from "../log/scene.ts";
import { ClusterScene, LEASE_MS, type TestNode } from "./scene.ts";

const PARTITIONS = 4;
const TOPICS_EACH = 40;

async function twoBrokers(): Promise<{ scene: ClusterScene; topic: string }> {
  const scene = new ClusterScene();
  const first = await scene.start(1);
  await scene.start(2);
  await first.topics.create([{ name: "t", partitionCount: PARTITIONS, configs: [] }]);
  await scene.settle(2_000);
  return { scene, topic: first.topics.byName("t")!.id };
}

function leader(scene: ClusterScene, topic: string, partition: number): TestNode {
  const [node, ...others] = scene.leaders(topic, partition);
  assertEquals(others.length, 0, "one leader");
  return node!;
}

/** Leadership goes where it is wanted, by an orderly hand-over. */
async function move(scene: ClusterScene, topic: string, partition: number, brokerId: number) {
  await changeAssignment(
    scene.metadata.connect(),
    topic,
    (present) => present!.with(partition, { ...present![partition]!, preferred: brokerId }),
  );
  await scene.settle(3_000);
  assertEquals(leader(scene, topic, partition).brokerId, brokerId);
}

Deno.test("two-broker hand-over: who leads again serves what the other wrote", async () => {
  const { scene: s, topic } = await twoBrokers();
  const first = leader(s, topic, 0);
  const second = s.nodes.find((node) => node !== first)!;
  const expected: string[] = [];
  for (let round = 0; round < 4; round++) {
    const at = round % 2 === 0 ? first : second;
    await move(s, topic, 0, at.brokerId);
    const log = await at.log(topic, 0);
    assertEquals((await readAll(log)).map(([, value]) => value), expected, `round ${round}`);
    for (const value of [`${round}a`, `${round}b`]) {
      assertEquals(log.logEndOffset, expected.length, "no offset is given twice");
      await commit(log, [value]);
      expected.push(value);
    }
  }
  assertEquals(s.nodes.map((node) => node.fenced), [false, false]);
  await s.stop();
});

Deno.test("two-broker hand-over: a shared flush that fails is acknowledged to nobody", async () => {
  const { scene: s, topic } = await twoBrokers();
  const zombie = leader(s, topic, 0);
  const led = Array.from({ length: PARTITIONS }, (_, at) => at)
    .filter((at) => zombie.node.leads(topic, at));
  assert(led.length > 1, "two producers share a commit");
  const logs = await Promise.all(led.map((at) => zombie.log(topic, at)));
  for (const log of logs) await commit(log, ["kept"]);
  zombie.cutOff();
  await s.settle(LEASE_MS + 12_000);
  const results = logs.map((log) => append(log, batchOf(["lost"])));
  for (const { errorCode, committed } of results) {
    assert(errorCode !== 0 || await committed !== 0, "a waiter of the failed commit is told so");
  }
  const successor = s.nodes.find((node) => node !== zombie)!;
  for (const partition of led) {
    const log = await successor.log(topic, partition);
    await commit(log, ["after"]);
    assertEquals(await readAll(log), [[0, "kept"], [1, "after"]]);
  }
  await s.stop();
});

Deno.test("two-broker hand-over: topics that both create at once are all there", async () => {
  const { scene: s } = await twoBrokers();
  const names = Array.from({ length: TOPICS_EACH }, (_, at) => `c${at}`);
  await Promise.all(
    s.nodes.flatMap((node) =>
      names.map((name) =>
        node.topics.create([{ name: `${name}-${node.brokerId}`, partitionCount: 1, configs: [] }])
      )
    ),
  );
  await s.settle(3_000);
  for (const { topics } of s.nodes) {
    assertEquals([...topics.all()].length, 2 * TOPICS_EACH + 1);
  }
  for (const { id } of s.nodes[0]!.topics.all()) await commit(await leaderLog(s, id), ["x"]);
  await s.stop();
});

async function leaderLog(scene: ClusterScene, topic: string) {
  return await leader(scene, topic, 0).log(topic, 0);
}
