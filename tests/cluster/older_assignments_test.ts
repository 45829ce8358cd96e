/** A cluster whose metadata went back: records name who led then, the bucket who led since. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ForeignBucketError } from "../../core/cluster/older_metadata.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { changeAssignment } from "../../core/metadata/assignments.ts";
import { readGeneration } from "../../core/metadata/generation.ts";
import { ASSIGNMENTS_PREFIX, BROKER_CHAINS_PREFIX } from "../../core/metadata/keys.ts";
import { ProducerIds } from "../../core/metadata/producer_ids.ts";
import { chainPrefix } from "../../core/storage/keys.ts";
import { brokersWithChains } from "../../core/storage/wal/chains.ts";
import { memoryStore } from "../../drivers/storage/memory/driver.ts";
import { restoreSnapshot } from "../../plugins/snapshot/snapshots.ts";
import { commit, readAll } from "../log/scene.ts";
import { ClusterScene, LEASE_MS, type TestNode } from "./scene.ts";

async function cluster(): Promise<{ s: ClusterScene; topic: string }> {
  const s = new ClusterScene();
  for (const id of [1, 2, 3]) await s.start(id);
  const { topics } = s.nodes[0]!;
  await topics.create([{ name: "t", partitionCount: 3, configs: [] }]);
  await s.settle();
  return { s, topic: topics.byName("t")!.id };
}

function leader(s: ClusterScene, topic: string): TestNode {
  const leaders = s.leaders(topic, 0);
  assertEquals(leaders.length, 1);
  return leaders[0]!;
}

const copy = async (s: ClusterScene) =>
  await new Blob(
    await Array.fromAsync(s.metadata.connect().snapshot()) as Uint8Array<ArrayBuffer>[],
  ).bytes();

async function crashAll(s: ClusterScene): Promise<void> {
  for (const node of s.nodes.splice(0)) node.crash();
  await s.settle(LEASE_MS + 1_000);
}

async function valuesOf(s: ClusterScene, topic: string): Promise<string[]> {
  const log = await leader(s, topic).log(topic, 0);
  return (await readAll(log)).map(([, value]) => value);
}

Deno.test("older metadata: what unknown incarnations of absent brokers led is found", async () => {
  const { s, topic } = await cluster();
  const first = leader(s, topic);
  await commit(await first.log(topic, 0), ["a"]);
  const older = await copy(s);
  first.crash();
  s.nodes.splice(s.nodes.indexOf(first), 1);
  const second = await s.start(first.brokerId);
  await changeAssignment(
    s.metadata.connect(),
    topic,
    (present) => present!.map((each) => ({ ...each, preferred: first.brokerId })),
  );
  await s.settle(LEASE_MS + 2_000);
  assertEquals(leader(s, topic), second);
  const log = await second.log(topic, 0);
  await commit(log, ["b"]);
  await commit(log, ["c"]);
  const epoch = log.leaderEpoch;
  await crashAll(s);

  await s.metadata.connect().restore(ReadableStream.from([older]));
  for (const id of [1, 2, 3]) if (id !== first.brokerId) await s.start(id);
  await s.settle(2_000);
  assertEquals(await valuesOf(s, topic), ["a", "b", "c"]);
  const now = await leader(s, topic).log(topic, 0);
  assert(now.leaderEpoch > epoch, `${now.leaderEpoch} after ${epoch}`);
  await commit(now, ["d"]);
  await crashAll(s);
  for (const id of [1, 2, 3]) await s.start(id);
  await s.settle(2_000);
  assertEquals(await valuesOf(s, topic), ["a", "b", "c", "d"]);
  await s.stop();
});

/** What leads the topic's first partition now, and acknowledged "b" there, after the copy. */
async function moveAway(s: ClusterScene, topic: string): Promise<number> {
  const { brokerId: next } = s.nodes.find((node) => node !== leader(s, topic))!;
  await changeAssignment(
    s.metadata.connect(),
    topic,
    (present) => present!.with(0, { ...present![0]!, preferred: next }),
  );
  await s.settle(2_000);
  const second = leader(s, topic);
  assertEquals(second.brokerId, next);
  const log = await second.log(topic, 0);
  await commit(log, ["b"]);
  return log.leaderEpoch;
}

async function startAll(s: ClusterScene): Promise<void> {
  for (const id of [1, 2, 3]) await s.start(id);
  await s.settle(2_000);
}

Deno.test("restoreSnapshot() lets a cluster find what moved among known brokers", async () => {
  const { s, topic } = await cluster();
  await commit(await leader(s, topic).log(topic, 0), ["a"]);
  const older = await copy(s);
  const epoch = await moveAway(s, topic);
  await crashAll(s);

  await restoreSnapshot(s.metadata.connect(), older);
  await startAll(s);
  assertEquals(await valuesOf(s, topic), ["a", "b"]);
  const now = await leader(s, topic).log(topic, 0);
  assert(now.leaderEpoch > epoch, `${now.leaderEpoch} after ${epoch}`);
  await s.stop();
});

Deno.test("an older copy of metadata's files lets a cluster find what moved since", async () => {
  const { s, topic } = await cluster();
  await commit(await leader(s, topic).log(topic, 0), ["a"]);
  const older = s.metadata.copy();
  const epoch = await moveAway(s, topic);
  const given = await new ProducerIds(s.metadata.connect()).next();
  await crashAll(s);

  s.metadata.putBack(older);
  await startAll(s);
  assertEquals(await valuesOf(s, topic), ["a", "b"]);
  const now = await leader(s, topic).log(topic, 0);
  assert(now.leaderEpoch > epoch, `${now.leaderEpoch} after ${epoch}`);
  assert(await new ProducerIds(s.metadata.connect()).next() > given);
  const generation = await readGeneration(s.metadata.connect());
  assertEquals(generation, { generation: 1, restored: false, next: 0 });
  await commit(now, ["c"]);
  await crashAll(s);
  await startAll(s);
  assertEquals(await readGeneration(s.metadata.connect()), generation, "it is looked after once");
  assertEquals(await valuesOf(s, topic), ["a", "b", "c"]);
  await s.stop();
});

for (const way of ["restoreSnapshot()", "files"]) {
  Deno.test(`one copy of metadata, put back twice (${way}), gives nothing out twice`, async () => {
    const { s, topic } = await cluster();
    await commit(await leader(s, topic).log(topic, 0), ["a"]);
    const [older, snapshot] = [s.metadata.copy(), await copy(s)];
    const ids: number[] = [];
    const epochs: number[] = [];
    for (let life = 0; life < 3; life++) {
      const now = leader(s, topic);
      const log = await now.log(topic, 0);
      ids.push(await new ProducerIds(now.seen).next());
      await commit(log, [`${life}`]);
      epochs.push(log.leaderEpoch);
      await crashAll(s);
      if (way === "files") s.metadata.putBack(older);
      else await restoreSnapshot(s.metadata.connect(), snapshot);
      await startAll(s);
    }
    assertEquals(await valuesOf(s, topic), ["a", "0", "1", "2"]);
    assertEquals(new Set(ids).size, 3, `producer ids ${ids}`);
    assertEquals(epochs, epochs.toSorted((a, b) => a - b));
    assertEquals(new Set(epochs).size, 3, `leader epochs ${epochs}`);
    assertEquals((await readGeneration(s.metadata.connect())).generation, 3);
    await s.stop();
  });
}

Deno.test("restoreSnapshot() loses nothing behind slots that were deleted since", async () => {
  const { s, topic } = await cluster();
  const node = leader(s, topic);
  const older = await copy(s);
  const log = await node.log(topic, 0);
  for (const value of ["a", "b"]) await commit(log, [value]);
  await rewriteTail(log, true);
  await node.ledger.sweep();
  const prefix = chainPrefix("ns", node.brokerId, node.brokerEpoch);
  assertEquals(s.keys(prefix), [], "the slots are deleted");
  for (const value of ["c", "d"]) await commit(log, [value]);
  await crashAll(s);

  await restoreSnapshot(s.metadata.connect(), older);
  for (const id of [1, 2, 3]) await s.start(id);
  await s.settle(2_000);
  assertEquals(await valuesOf(s, topic), ["a", "b", "c", "d"]);
  await s.stop();
});

Deno.test("restoreSnapshot() gives no producer id out again", async () => {
  const { s } = await cluster();
  const metadata = s.metadata.connect();
  const before = new ProducerIds(metadata);
  await before.next();
  const older = await copy(s);
  const given: number[] = [];
  for (let count = 0; count < 1_500; count++) given.push(await before.next());
  await crashAll(s);
  await restoreSnapshot(s.metadata.connect(), older);
  await startAll(s);
  const next = await new ProducerIds(s.metadata.connect()).next();
  assert(next > given.at(-1)!, `${next} was given out before`);
});

Deno.test("join() of any broker refuses a bucket whose metadata is gone", async () => {
  const { s, topic } = await cluster();
  await commit(await leader(s, topic).log(topic, 0), ["a"]);
  await crashAll(s);
  const metadata = s.metadata.connect();
  const { entries } = await metadata.list("");
  for (const { key } of entries) await metadata.commit({ if: [], then: [{ delete: key }] });
  await assertRejects(() => s.start(9), ForeignBucketError, "metadata is empty");
});

Deno.test("nameSources() is done once, however often it is asked for", async () => {
  const { s } = await cluster();
  const older = await copy(s);
  await crashAll(s);
  const records = async () =>
    (await s.metadata.connect().list(ASSIGNMENTS_PREFIX)).entries.map(({ value }) => value);
  await restoreSnapshot(s.metadata.connect(), older);
  const once = await records();
  await restoreSnapshot(s.metadata.connect(), await copy(s));
  assertEquals(await records(), once);
  assert((await s.metadata.connect().list(BROKER_CHAINS_PREFIX)).entries.length === 3);
});

Deno.test("slots that a deletion left do not hide the chain behind them", async () => {
  const { s, topic } = await cluster();
  const node = leader(s, topic);
  const older = await copy(s);
  const log = await node.log(topic, 0);
  for (const value of ["a", "b", "c"]) await commit(log, [value]);
  const [first, second, third] = s.keys(chainPrefix("ns", node.brokerId, node.brokerEpoch));
  const left = [first!, second!].map((key) => [key, s.objects.get(key)!] as const);
  await rewriteTail(log, true);
  await node.ledger.sweep();
  assert(!s.objects.has(third!));
  for (const [key, bytes] of left) s.objects.set(key, bytes);
  await commit(log, ["d"]);
  await crashAll(s);
  await restoreSnapshot(s.metadata.connect(), older);
  await startAll(s);
  assertEquals(await valuesOf(s, topic), ["a", "b", "c", "d"]);
  await s.stop();
});

Deno.test("brokersWithChains() names each broker once", async () => {
  const { s, topic } = await cluster();
  const at = memoryStore(s.objects, s.runtime);
  const { signal } = new AbortController();
  assertEquals(await brokersWithChains(at, "ns", signal), []);
  for (let partition = 0; partition < 3; partition++) {
    const [node] = s.leaders(topic, partition);
    await commit(await node!.log(topic, partition), ["a"]);
    await commit(await node!.log(topic, partition), ["b"]);
  }
  await at.put("ns/.wal/not-ours", [new Uint8Array(1)]);
  await at.put("ns/.wal/10/0000000001/00000000000000000000.wal", [new Uint8Array(1)]);
  assertEquals((await brokersWithChains(at, "ns", signal)).toSorted(), [1, 10, 2, 3]);
  await s.stop();
});
