import { assert, assertEquals, assertRejects } from "@std/assert";
import { Ownership } from "../../core/cluster/ownership.ts";
import { checkAlone, join, NotAloneError } from "../../core/cluster/recovery.ts";
import { AssignmentWriter } from "../../core/metadata/assignment_writer.ts";
import {
  assignmentOf,
  AssignmentView,
  type ChainRef,
  changeAssignment,
  type PartitionAssignment,
  UNASSIGNED,
} from "../../core/metadata/assignments.ts";
import {
  assignmentKey,
  ASSIGNMENTS_PREFIX,
  CONTROLLER_KEY,
  liveBrokerKey,
  TOPICS_PREFIX,
} from "../../core/metadata/keys.ts";
import { liveBrokerOf } from "../../core/metadata/brokers.ts";
import { LIVE_BROKERS_PREFIX } from "../../core/metadata/keys.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import type { MemoryFaults } from "../../drivers/metadata/memory/driver.ts";
import { memoryStore } from "../../drivers/storage/memory/driver.ts";
import { append, batchOf, BROKER_ID, commit, readAll, Scene } from "../log/scene.ts";
import { ClusterScene, LEASE_MS, type TestNode } from "./scene.ts";

const PARTITIONS = 6;

async function scene(brokers = 3): Promise<{ scene: ClusterScene; topic: string }> {
  const scene = new ClusterScene();
  for (let id = 1; id <= brokers; id++) await scene.start(id);
  const [first] = scene.nodes;
  await first!.topics.create([{ name: "t", partitionCount: PARTITIONS, configs: [] }]);
  await scene.settle();
  return { scene, topic: first!.topics.byName("t")!.id };
}

/** The one broker that leads, among those that live. */
function leader(scene: ClusterScene, topic: string, partition: number, dead?: TestNode): TestNode {
  const leaders = scene.leaders(topic, partition).filter((node) => node !== dead);
  assertEquals(leaders.length, 1, `leaders of ${partition}`);
  return leaders[0]!;
}

const values = (log: [number, string][]) => log.map(([, value]) => value);

Deno.test("three brokers share partitions and coordinators; others refuse", async () => {
  const { scene: s, topic } = await scene();
  assertEquals(s.nodes.map((node) => node.leadsCount(topic)), [2, 2, 2]);
  assertEquals(s.nodes.map((node) => node.coordinates).toSorted(), [5, 5, 6]);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const at = leader(s, topic, partition);
    await commit(await at.log(topic, partition), ["a"]);
    for (const other of s.nodes) {
      if (other === at) continue;
      assertEquals(
        await other.logs.state(topic, partition),
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
      );
    }
  }
  await s.stop();
});

Deno.test("a dead broker's partitions are taken over with all that was acknowledged", async () => {
  const { scene: s, topic } = await scene();
  const victim = leader(s, topic, 0);
  for (let round = 0; round < 5; round++) {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      await commit(await leader(s, topic, partition).log(topic, partition), [`r${round}`]);
    }
  }
  const before = (await victim.log(topic, 0)).leaderEpoch;
  victim.crash();
  await s.settle(LEASE_MS + 1_000);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const log = await leader(s, topic, partition, victim).log(topic, partition);
    assertEquals(values(await readAll(log)), ["r0", "r1", "r2", "r3", "r4"]);
    await commit(log, ["after"]);
  }
  assert((await leader(s, topic, 0, victim).log(topic, 0)).leaderEpoch > before);
  await s.stop();
});

Deno.test("a broker that is cut off serves on until it is sealed", async () => {
  const { scene: s, topic } = await scene();
  const zombie = leader(s, topic, 0);
  const stale = await zombie.log(topic, 0);
  await commit(stale, ["before"]);
  zombie.cutOff();
  // I10: metadata is away, and what is led goes on.
  await commit(stale, ["cut off"]);
  await s.settle(LEASE_MS + 1_000);
  const successor = leader(s, topic, 0, zombie);
  const { errorCode, committed } = append(stale, batchOf(["too late"]));
  assert(errorCode !== 0 || await committed !== 0, "a sealed broker acknowledged");
  assert(zombie.fenced);
  const log = await successor.log(topic, 0);
  await commit(log, ["after"]);
  assertEquals(values(await readAll(log)), ["before", "cut off", "after"]);
  await s.stop();
});

Deno.test("a sealed broker deletes no records for anybody", async () => {
  const { scene: s, topic } = await scene();
  const zombie = leader(s, topic, 0);
  const stale = await zombie.log(topic, 0);
  for (const value of ["a", "b", "c"]) await commit(stale, [value]);
  assertEquals(await stale.deleteRecords(1), { errorCode: 0, logStartOffset: 1 });
  zombie.cutOff();
  // While it is cut off it still may: nobody has taken over.
  assertEquals(await stale.deleteRecords(2), { errorCode: 0, logStartOffset: 2 });
  await s.settle(LEASE_MS + 1_000);
  const successor = await leader(s, topic, 0, zombie).log(topic, 0);
  assertEquals(successor.logStartOffset, 2);
  const { errorCode } = await stale.deleteRecords(3);
  assertEquals(errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER, "its successor may not know of it");
  await s.stop();
});

Deno.test("a sealed broker refuses no producer and no reader by what is old", async () => {
  const { scene: s, topic } = await scene();
  const zombie = leader(s, topic, 0);
  const stale = await zombie.log(topic, 0);
  const producer = { producerId: 9, producerEpoch: 1 };
  await commit(stale, ["a"], { ...producer, baseSequence: 0 });
  const ahead = batchOf(["c"], { ...producer, baseSequence: 2 });
  const older = batchOf(["z"], { producerId: 9, producerEpoch: 0, baseSequence: 0 });
  zombie.cutOff();
  // While it is cut off it still may: nobody has taken over.
  for (const batch of [ahead, older]) assertEquals(await append(stale, batch).committed, 0);
  assertEquals(await stale.confirm(), 0);
  await s.settle(LEASE_MS + 1_000);
  const successor = await leader(s, topic, 0, zombie).log(topic, 0);
  await commit(successor, ["b"], { ...producer, baseSequence: 1 });
  assert(stale.closed === 0 && zombie.chain.ended === 0, "it knows by now");
  for (const batch of [ahead, older]) {
    const { errorCode, committed } = append(stale, batch);
    const code = await committed || errorCode;
    assertEquals(code, ErrorCode.NOT_LEADER_OR_FOLLOWER, "its successor may take the batch");
  }
  assertEquals(await stale.confirm(), ErrorCode.NOT_LEADER_OR_FOLLOWER);
  const beyond = { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, logStartOffset: -1 };
  assertEquals(await stale.deleteRecords(2), beyond);
  await commit(successor, ["c"], { ...producer, baseSequence: 2 });
  await s.stop();
});

Deno.test("a drained broker hands everything over, and needs no chain", async () => {
  const { scene: s, topic } = await scene();
  const leaving = leader(s, topic, 0);
  const producer = { producerId: 9, producerEpoch: 0 };
  await commit(await leaving.log(topic, 0), ["a"], { ...producer, baseSequence: 0 });
  const drained = leaving.node.drain(10_000);
  await s.settle(2_000);
  await drained;
  assertEquals([leaving.leadsCount(topic), leaving.coordinates, leaving.shards.size], [0, 0, 0]);
  const next = leader(s, topic, 0);
  const record = next.node.assignments.partition(topic, 0)!;
  assertEquals([record.owner?.brokerId, record.sources], [next.brokerId, []]);
  const log = await next.log(topic, 0);
  // I6: the producer's state came along.
  assertEquals(
    append(log, batchOf(["a"], { ...producer, baseSequence: 0 })).baseOffset,
    0,
    "a duplicate",
  );
  await commit(log, ["b"], { ...producer, baseSequence: 1 });
  assertEquals(values(await readAll(log)), ["a", "b"]);
  await s.stop();
});

Deno.test("a restarted broker takes its own partitions back from its former chain", async () => {
  const { scene: s, topic } = await scene(1);
  const [first] = s.nodes;
  await commit(await first!.log(topic, 3), ["a", "b"]);
  first!.crash();
  s.nodes.pop();
  const second = await s.start(1);
  await s.settle(LEASE_MS + 1_000);
  assertEquals(values(await readAll(await second.log(topic, 3))), ["a", "b"]);
  await s.stop();
});

Deno.test("take-overs in a row find every chain that still holds something", async () => {
  const { scene: s, topic } = await scene();
  const chains: string[] = [];
  let log = await leader(s, topic, 0).log(topic, 0);
  const dead: TestNode[] = [];
  for (const value of ["one", "two"]) {
    await commit(log, [value]);
    const at = s.leaders(topic, 0).find((node) => !dead.includes(node))!;
    chains.push(`${at.brokerId}`);
    at.crash();
    dead.push(at);
    await s.settle(LEASE_MS + 1_000);
    const alive = s.leaders(topic, 0).filter((node) => !dead.includes(node));
    assertEquals(alive.length, 1);
    log = await alive[0]!.log(topic, 0);
  }
  assertEquals(values(await readAll(log)), ["one", "two"]);
  assertEquals(new Set(chains).size, 2);
  await s.stop();
});

Deno.test("a broker that is about to register is not sealed for a topic that is made", async () => {
  const { scene: s } = await scene(2);
  const { runtime, objects } = s;
  const metadata = s.metadata.connect();
  const store = memoryStore(objects, runtime);
  const { signal } = new AbortController();
  await join({ runtime, store, metadata, namespace: "ns", brokerId: 9, signal });
  await s.nodes[0]!.topics.create([{ name: "u", partitionCount: 3, configs: [] }]);
  await s.settle();
  const topic = s.nodes[0]!.topics.byName("u")!.id;
  await commit(await leader(s, topic, 0).log(topic, 0), ["a"]);
  assertEquals(s.keys("ns/.wal/9/"), []);
  await s.stop();
});

/** One broker's leadership by itself, with a view that the test fills. */
function lonelyOwnership(
  s: ClusterScene,
  self: ChainRef,
  assignments: AssignmentView,
  { happened = [], rewrites = true, handOver = () => Promise.resolve(), faults = {} }: {
    readonly happened?: string[];
    readonly rewrites?: boolean;
    readonly handOver?: () => Promise<void>;
    readonly faults?: MemoryFaults;
  } = {},
): Ownership {
  const { runtime, objects } = s;
  const metadata = s.metadata.connect(faults);
  return new Ownership({
    runtime,
    store: memoryStore(objects, runtime),
    metadata,
    namespace: "ns",
    self,
    signal: new AbortController().signal,
    assignments,
    records: new AssignmentWriter(metadata, assignments),
    holdings: {
      found: () => {},
      gained: () => void happened.push("gained"),
      prepare: () => Promise.resolve(rewrites),
      handOver,
      resume: () => {},
      lost: () => void happened.push("lost"),
      cover: () => Promise.resolve(),
    },
    isLive: () => false,
    incarnation: (brokerId) => ({ brokerId, brokerEpoch: 7 }),
    fenced: () => {},
    exists: () => true,
  });
}

Deno.test("an owner that only the view of brokers has not yet is not sealed", async () => {
  const { scene: s, topic } = await scene(1);
  const [owner] = s.nodes;
  const assignments = new AssignmentView();
  const entry = (await s.metadata.connect().get(assignmentKey(topic)))!;
  const { partitions } = assignmentOf(entry);
  assert(partitions.every((each) => each.owner?.brokerId === owner!.brokerId));
  assignments.load([entry]);
  // the target by its id; another incarnation, as after a restart
  const self = { brokerId: owner!.brokerId, brokerEpoch: owner!.brokerEpoch + 1 };
  const ownership = lonelyOwnership(s, self, assignments);
  const led = () => partitions.filter((_, at) => ownership.leads(topic, at)).length;
  ownership.poke();
  await s.settle();
  assertEquals(led(), 0);
  assertEquals(s.keys(`ns/.wal/${owner!.brokerId}/`), []);
  owner!.crash();
  await s.settle(LEASE_MS + 1_000);
  ownership.poke();
  await s.settle();
  assertEquals(led(), PARTITIONS, "once it is gone it is");
  await ownership.stop();
  await s.stop();
});

Deno.test("who is made the owner leads at once, but not again in an epoch it led in", async () => {
  const s = new ClusterScene();
  const metadata = s.metadata.connect();
  const assignments = new AssignmentView();
  const self = { brokerId: 1, brokerEpoch: 5 };
  const record = { ...UNASSIGNED, target: 1, owner: self, leaderEpoch: 4 };
  const put = async (change: Partial<PartitionAssignment>) => {
    await changeAssignment(metadata, "t", (present) => [{ ...present?.[0] ?? record, ...change }]);
    assignments.load([(await metadata.get(assignmentKey("t")))!]);
  };
  const revision = async () => (await metadata.get(assignmentKey("t")))!.revision;
  const ownership = lonelyOwnership(s, self, assignments);
  await put({});
  const made = await revision();
  ownership.poke();
  await s.settle(50);
  assertEquals([ownership.leaderEpoch("t", 0), await revision()], [4, made], "no write of its own");

  // A hand-over is one write, which makes the next the owner.
  await put({ target: 2 });
  const wanted = await revision();
  ownership.poke();
  await s.settle(50);
  assertEquals(ownership.leads("t", 0), false);
  const { partitions: [given] } = assignmentOf((await metadata.get(assignmentKey("t")))!);
  assertEquals([given!.owner, given!.leaderEpoch], [{ brokerId: 2, brokerEpoch: 7 }, 5]);
  assertEquals(await revision(), wanted + 1);

  // As if that write had been lost, and the partition were wanted here again.
  await put({ target: 1, owner: self, leaderEpoch: 4 });
  ownership.poke();
  await s.settle(50);
  assertEquals(ownership.leaderEpoch("t", 0), 5, "taken by a write that ends what is on its way");
  await ownership.stop();
});

for (const rewrites of [true, false]) {
  const which = rewrites
    ? "two partitions that have records are without a leader at a time"
    : "many that have none are without a leader at a time, and share writes";
  Deno.test(which, async () => {
    const s = new ClusterScene();
    const metadata = s.metadata.connect();
    const assignments = new AssignmentView();
    const self = { brokerId: 1, brokerEpoch: 5 };
    const record = { ...UNASSIGNED, target: 1, owner: self, leaderEpoch: 0 };
    const put = async (target: number) => {
      const partitions = Array(40).fill({ ...record, target });
      await changeAssignment(metadata, "t", () => partitions);
      assignments.load([(await metadata.get(assignmentKey("t")))!]);
    };
    let [now, most] = [0, 0];
    const pause = () => new Promise<void>((resolve) => s.runtime.timers.after(10, resolve));
    const handOver = async () => {
      most = Math.max(most, ++now);
      await pause();
      now--;
    };
    const faults = { before: (call: string) => call === "commit" ? pause() : undefined };
    const ownership = lonelyOwnership(s, self, assignments, { rewrites, handOver, faults });
    await put(1);
    ownership.poke();
    await s.settle(50);
    assert(ownership.leads("t", 0) && ownership.leads("t", 39));
    await put(2);
    const before = s.metadata.revision;
    ownership.poke();
    await s.settle(1_000);
    assertEquals(most, rewrites ? 2 : 40);
    const { partitions } = assignmentOf((await metadata.get(assignmentKey("t")))!);
    assert(partitions.every(({ owner }) => owner?.brokerId === 2));
    const writes = s.metadata.revision - before;
    assert(writes <= (rewrites ? 40 : 2), `${writes} writes`);
    await ownership.stop();
  });
}

Deno.test("who is made the owner again of what others owned unseen starts over", async () => {
  const s = new ClusterScene();
  const metadata = s.metadata.connect();
  const assignments = new AssignmentView();
  const self = { brokerId: 1, brokerEpoch: 5 };
  const happened: string[] = [];
  const ownership = lonelyOwnership(s, self, assignments, { happened });
  for (const leaderEpoch of [4, 6]) {
    const record = { ...UNASSIGNED, target: 1, owner: self, leaderEpoch };
    await changeAssignment(metadata, "t", () => [record]);
    assignments.load([(await metadata.get(assignmentKey("t")))!]);
    ownership.poke();
    await s.settle(50);
    assertEquals(ownership.leaderEpoch("t", 0), leaderEpoch);
  }
  assertEquals(happened, ["gained", "lost", "gained"]);
  await ownership.stop();
});

Deno.test("who is made the owner of what other chains may hold seals those first", async () => {
  const s = new ClusterScene();
  const metadata = s.metadata.connect();
  const assignments = new AssignmentView();
  const self = { brokerId: 1, brokerEpoch: 5 };
  const sources = [{ brokerId: 3, brokerEpoch: 2 }];
  const record = { ...UNASSIGNED, target: 1, owner: self, leaderEpoch: 4, sources };
  await changeAssignment(metadata, "t", () => [record]);
  assignments.load([(await metadata.get(assignmentKey("t")))!]);
  const ownership = lonelyOwnership(s, self, assignments);
  ownership.poke();
  await s.settle(50);
  assertEquals(ownership.leaderEpoch("t", 0), 5);
  assertEquals(s.keys("ns/.wal/3/").length, 1, "the seal");
  await ownership.stop();
});

/** What was ever written of each topic's assignments, by topic id. */
async function recordsWritten(s: ClusterScene): Promise<Map<string, PartitionAssignment[][]>> {
  const controller = new AbortController();
  const written = new Map<string, PartitionAssignment[][]>();
  for await (const batch of s.metadata.connect().watch("", 0, controller.signal)) {
    if ("compacted" in batch) break;
    for (const event of batch.events) {
      if (event.type !== "put" || !event.entry.key.startsWith(ASSIGNMENTS_PREFIX)) continue;
      const { topicId, partitions } = assignmentOf(event.entry);
      written.set(topicId, [...written.get(topicId) ?? [], [...partitions]]);
    }
    if (batch.revision >= s.metadata.revision) controller.abort();
  }
  return written;
}

Deno.test("a topic that is made is led after one write of its record", async () => {
  const { scene: s, topic } = await scene(3);
  const writes = (await recordsWritten(s)).get(topic)!;
  assertEquals(writes.length, 1);
  assertEquals(writes[0]!.map(({ leaderEpoch }) => leaderEpoch), Array(PARTITIONS).fill(0));
  for (const [partition, { owner, target }] of writes[0]!.entries()) {
    assertEquals(owner?.brokerId, target);
    assertEquals(leader(s, topic, partition).brokerId, target);
  }
  await s.stop();
});

Deno.test("a deleted topic gets no new record from a controller that is behind", async () => {
  const { scene: s, topic } = await scene(3);
  const behind = () => new Promise<void>((resolve) => s.runtime.timers.after(40, resolve));
  const isBehind = (call: string, key: string) => call === "watch" && key === TOPICS_PREFIX;
  Object.assign(s.faults, {
    after: (call: string, key: string) => isBehind(call, key) ? behind() : undefined,
  });
  const deleted = s.nodes[1]!.topics.delete([{ name: "t" }]);
  await s.settle(1_000);
  await deleted;
  assertEquals((await recordsWritten(s)).get(topic)!.length, 1);
  assertEquals(s.leaders(topic, 0), []);
  await s.stop();
});

Deno.test("topics that are made while the controller's view is behind are not moved", async () => {
  const { scene: s } = await scene(3);
  const behind = () => new Promise<void>((resolve) => s.runtime.timers.after(40, resolve));
  const isBehind = (call: string, key: string) => call === "watch" && key === ASSIGNMENTS_PREFIX;
  Object.assign(s.faults, {
    after: (call: string, key: string) => isBehind(call, key) ? behind() : undefined,
  });
  const { topics } = s.nodes[0]!;
  const made = Array.from({ length: 20 }, async (_, at) => {
    await new Promise<void>((resolve) => s.runtime.timers.after(at * 13, resolve));
    await topics.create([{ name: `u${at}`, partitionCount: 5, configs: [] }]);
  });
  await s.settle(3_000);
  await Promise.all(made);
  const written = await recordsWritten(s);
  for (const topic of topics.all()) {
    if (topic.name.startsWith("u")) assertEquals(written.get(topic.id)?.length, 1, topic.name);
  }
  const counts = s.nodes.map((node) =>
    [...topics.all()].reduce((sum, { id }) => sum + node.leadsCount(id), 0)
  );
  assertEquals(counts.toSorted(), [35, 35, 36]);
  await s.stop();
});

Deno.test("registrations that all ran out at once end no broker", async () => {
  const { scene: s, topic } = await scene();
  const before = s.nodes.map((node) => node.leadsCount(topic));
  const keys = [...s.nodes.map(({ brokerId }) => liveBrokerKey(brokerId)), CONTROLLER_KEY];
  await s.metadata.connect().commit({ if: [], then: keys.map((key) => ({ delete: key })) });
  // the first is back at once, and for a moment alone
  for (const node of s.nodes.slice(1)) node.cutOff();
  await s.settle(200);
  for (const node of s.nodes.slice(1)) node.reconnect();
  await s.settle(3_000);
  assertEquals(s.nodes.map((node) => node.leadsCount(topic)), before);
  assertEquals(s.nodes.map((node) => node.fenced), [false, false, false]);
  assertEquals(s.keys("ns/.wal/"), [], "no chain was sealed");
  await s.stop();
});

Deno.test("chains that nobody needs are sealed and swept", async () => {
  const { scene: s, topic } = await scene();
  const victim = leader(s, topic, 0);
  await commit(await victim.log(topic, 0), ["kept"]);
  const prefix = `ns/.wal/${victim.brokerId}/`;
  assertEquals(s.keys(prefix).length, 1);
  victim.crash();
  await s.settle(LEASE_MS + 1_000);
  assertEquals(s.keys(prefix).length, 2, "the slot, and the seal behind it");
  // Two looks of the controller, some while apart.
  await s.runtime.advance(31_000);
  await s.runtime.advance(31_000);
  await s.settle();
  assertEquals(s.keys(prefix).length, 1, "the seal");
  const log = await leader(s, topic, 0, victim).log(topic, 0);
  assertEquals(values(await readAll(log)), ["kept"]);
  await assertRejects(() => victim.log(topic, 1).then((dead) => commit(dead, ["x"])));
  await s.stop();
});

Deno.test("topics that one broker led alone are found whole by a cluster", async () => {
  const alone = new Scene();
  const room = await alone.open();
  const topic = await room.topic("t", 2);
  await commit(await room.log(topic, 1), ["a", "b"]);
  room.crash();
  const s = new ClusterScene(alone);
  await s.start(21);
  await s.start(22);
  await s.settle(2_000);
  assertEquals(values(await readAll(await leader(s, topic, 1).log(topic, 1))), ["a", "b"]);
  await s.stop();
});

Deno.test("a broker that starts seals nobody who is at work", async () => {
  const { scene: s, topic } = await scene(2);
  const [first, second] = s.nodes;
  // what the newcomer finds: it is wanted, and others lead
  const preferred = { preferred: 3, target: 3 };
  await changeAssignment(
    s.metadata.connect(),
    topic,
    (present) => present!.map((each) => ({ ...each, ...preferred })),
  );
  const third = await s.start(3);
  await s.settle(3_000);
  assertEquals([first!.fenced, second!.fenced], [false, false]);
  assertEquals(s.keys("ns/.wal/"), [], "no chain was sealed");
  assertEquals(third.leadsCount(topic), PARTITIONS);
  await s.stop();
});

Deno.test("a broker that finds its chain among a record's sources ends", async () => {
  const { scene: s, topic } = await scene(2);
  const zombie = leader(s, topic, 0);
  await commit(await zombie.log(topic, 0), ["kept"]);
  zombie.cutOff();
  await s.settle(LEASE_MS + 12_000);
  const successor = leader(s, topic, 0, zombie);
  // as if the successor had not come to covering what it found
  const chain = { brokerId: zombie.brokerId, brokerEpoch: zombie.brokerEpoch };
  await changeAssignment(
    s.metadata.connect(),
    topic,
    (present) => present!.map((each) => ({ ...each, sources: [chain] })),
  );
  zombie.reconnect();
  await s.settle(20_000);
  assert(zombie.fenced);
  assertEquals(values(await readAll(await successor.log(topic, 0))), ["kept"]);
  await s.stop();
});

Deno.test("a broker that was taken over from in an outage does not come back", async () => {
  const { scene: s, topic } = await scene(2);
  const zombie = leader(s, topic, 0);
  await commit(await zombie.log(topic, 0), ["kept"]);
  zombie.cutOff();
  await s.settle(LEASE_MS + 12_000);
  const successor = await leader(s, topic, 0, zombie).log(topic, 0);
  await commit(successor, ["later"]);
  zombie.reconnect();
  // sooner than it would list the records by itself
  await s.settle(400);
  assert(zombie.fenced);
  const { entries } = await s.metadata.connect().list(LIVE_BROKERS_PREFIX);
  const live = entries.map((entry) => liveBrokerOf(entry).brokerId);
  assertEquals(live.includes(zombie.brokerId), false, "clients would be sent to it");
  await s.stop();
});

Deno.test("a broker whose lease ran out in an outage of all comes back, and leads on", async () => {
  const { scene: s, topic } = await scene(1);
  const [only] = s.nodes;
  const log = await only!.log(topic, 0);
  await commit(log, ["before"]);
  only!.cutOff();
  await s.settle(LEASE_MS + 1_000);
  only!.reconnect();
  await s.settle(10_000);
  assertEquals([only!.fenced, only!.leadsCount(topic)], [false, PARTITIONS]);
  await commit(log, ["after"]);
  assertEquals(values(await readAll(log)), ["before", "after"]);
  await s.stop();
});

Deno.test("a broker that leads alone refuses what other brokers may have written", async () => {
  const alone = new Scene();
  const room = await alone.open();
  room.crash();
  await checkAlone(alone.metadata.connect(), BROKER_ID);
  await assertRejects(
    () => checkAlone(alone.metadata.connect(), 99),
    NotAloneError,
    `the data belongs to broker ${BROKER_ID}`,
  );
  const { scene: s } = await scene(1);
  await assertRejects(() => checkAlone(s.metadata.connect(), 1), NotAloneError, "cluster");
  await s.stop();
});
