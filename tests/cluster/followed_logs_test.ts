import { assert, assertEquals, assertLess } from "@std/assert";
import { concat } from "../../core/bytes/mod.ts";
import { FOLLOW_IDLE_MS, FOLLOW_PAUSE_MAX_MS } from "../../core/config/limits.ts";
import type { FollowedLog } from "../../core/log/followed_log.ts";
import type { PartitionLogState } from "../../core/log/partition_log.ts";
import { rewriteWhole } from "../../core/log/rewrite.ts";
import { readChains } from "../../core/metadata/brokers.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { chainPrefix, slotKey } from "../../core/storage/keys.ts";
import { ReadOnlyStore } from "../../core/storage/read_only_store.ts";
import { encodeSlotFooter, encodeSlotHeader, NO_MARK } from "../../core/storage/wal/format.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { commit, readAll } from "../log/scene.ts";
import { ClusterScene, LEASE_MS, type TestNode } from "./scene.ts";

interface Follower {
  readonly scene: ClusterScene;
  readonly topic: string;
  readonly leader: TestNode;
  readonly log: PartitionLogState;
  /** A broker that does not lead partition 0. */
  readonly reader: TestNode;
}

/** Brokers in racks of their own, and a partition that the first reader follows. */
async function follower(
  brokers = 2,
  wrap?: (scene: ClusterScene) => (store: ObjectStore) => ObjectStore,
): Promise<Follower> {
  const scene = new ClusterScene();
  for (let id = 1; id <= brokers; id++) {
    await scene.start(id, `rack-${id}`, id === brokers ? wrap?.(scene) : undefined);
  }
  const reader = scene.nodes.at(-1)!;
  const partitions = brokers * 2;
  await reader.topics.create([{ name: "t", partitionCount: partitions, configs: [] }]);
  await scene.settle();
  const topic = reader.topics.byName("t")!.id;
  const leader = scene.leaders(topic, 0)[0]!;
  if (leader === reader) throw new Error("the last broker leads partition 0");
  return { scene, topic, leader, log: await leader.log(topic, 0), reader };
}

async function follow({ reader, topic, scene }: Follower): Promise<FollowedLog> {
  const opened = Promise.resolve(reader.followed!.open(topic, 0));
  await scene.settle(50);
  const log = await opened;
  if (typeof log === "number") throw new Error(`refused with code ${log}`);
  return log;
}

const values = async (log: FollowedLog | PartitionLogState) =>
  (await readAll(log)).map(([, value]) => value);

Deno.test("a follower has what was and what is being committed", async () => {
  const it = await follower();
  await commit(it.log, ["a", "b"]);
  const log = await follow(it);
  assertEquals(await readAll(log), [[0, "a"], [1, "b"]]);
  let woken = 0;
  const stop = log.onAdvance(() => woken++);
  await commit(it.log, ["c"]);
  await it.scene.settle(FOLLOW_PAUSE_MAX_MS + 20);
  assertEquals([woken, log.highWatermark], [1, 3]);
  assertEquals(await values(log), ["a", "b", "c"]);
  // A chain that grows is asked at the pace, whatever the pause was before.
  await commit(it.log, ["d"]);
  for (let ms = 0; ms < 1_000 && log.highWatermark < 4; ms += 10) await it.scene.settle(10);
  await commit(it.log, ["e"]);
  await it.scene.settle(60);
  assertEquals(await values(log), ["a", "b", "c", "d", "e"]);
  stop();
  await it.scene.stop();
});

Deno.test("what a slot behind a gap holds is not there for a follower", async () => {
  const it = await follower();
  await commit(it.log, ["a"]);
  const log = await follow(it);
  log.onAdvance(() => {});
  const { brokerId, brokerEpoch } = it.leader;
  const key = (slot: number) => slotKey("ns", brokerId, brokerEpoch, slot);
  await commit(it.log, ["b"]);
  const inFlight = it.scene.objects.get(key(1))!;
  it.scene.objects.delete(key(1));
  await commit(it.log, ["c"]);
  await it.scene.settle(2_000);
  assertEquals(await values(log), ["a"]);
  it.scene.objects.set(key(1), inFlight);
  await it.scene.settle(1_000);
  assertEquals(await values(log), ["a", "b", "c"]);
  await it.scene.stop();
});

Deno.test("a follower goes on where segments took over from deleted slots", async () => {
  const it = await follower();
  await commit(it.log, ["a"]);
  const log = await follow(it);
  log.onAdvance(() => {});
  await commit(it.log, ["b"]);
  await it.scene.settle(1_000);
  assertEquals(log.tail.length, 2);
  await rewriteWhole(it.log);
  await it.leader.ledger.sweep();
  assertEquals(it.scene.keys(chainPrefix("ns", it.leader.brokerId, it.leader.brokerEpoch)), []);
  await commit(it.log, ["c"]);
  await it.scene.settle(2_000);
  assertEquals(log.tail.length, 1, "the tail goes when the low-water mark passes it");
  assertEquals(await values(log), ["a", "b", "c"]);
  await it.scene.stop();
});

Deno.test("a slot that is gone before the follower knows is read from the segment", async () => {
  const it = await follower();
  await commit(it.log, ["a", "b"]);
  const log = await follow(it);
  await rewriteWhole(it.log);
  await it.leader.ledger.sweep();
  // No time has passed: neither mark nor manifest are known to the follower.
  assertEquals(await values(log), ["a", "b"]);
  await it.scene.stop();
});

Deno.test("a leader's death costs a follower no record, and doubles none", async () => {
  const it = await follower(3);
  await commit(it.log, ["a"]);
  const log = await follow(it);
  log.onAdvance(() => {});
  await commit(it.log, ["b"]);
  it.leader.crash();
  const epochBefore = log.leaderEpoch;
  await it.scene.settle(LEASE_MS + 1_500);
  const [successor] = it.scene.leaders(it.topic, 0).filter((node) => node !== it.leader);
  assert(successor !== undefined && successor !== it.reader);
  const next = await successor.log(it.topic, 0);
  await commit(next, ["c"]);
  await it.scene.settle(1_500);
  assertEquals(await readAll(log), [[0, "a"], [1, "b"], [2, "c"]]);
  assert(log.leaderEpoch > epochBefore);
  assertEquals(log.endOffsetForEpoch(epochBefore).endOffset, 2);
  await it.scene.stop();
});

Deno.test("a follower goes through a planned hand-over", async () => {
  const it = await follower(3);
  await commit(it.log, ["a"]);
  const log = await follow(it);
  log.onAdvance(() => {});
  const drained = it.leader.node.drain(10_000);
  await it.scene.settle(3_000);
  await drained;
  const [successor] = it.scene.leaders(it.topic, 0);
  assert(successor !== undefined && successor !== it.leader && successor !== it.reader);
  const next = await successor.log(it.topic, 0);
  await commit(next, ["b"]);
  await it.scene.settle(2_000);
  assertEquals(await readAll(log), [[0, "a"], [1, "b"]]);
  await it.scene.stop();
});

Deno.test("a lagging replica only makes a follower late", async () => {
  const replica = new MemoryObjects();
  const it = await follower(2, (scene) => (store) => {
    const lagging = memoryStore(replica, scene.runtime);
    return {
      ...delegate(store),
      get: (key, range, options) => lagging.get(key, range, options),
      list: (prefix, after, options) => lagging.list(prefix, after, options),
    };
  });
  const { objects } = it.scene;
  const copy = (key: string) => replica.set(key, objects.get(key)!);
  await commit(it.log, ["a"]);
  const log = await follow(it);
  log.onAdvance(() => {});
  assertEquals(log.highWatermark, 0);
  const chain = chainPrefix("ns", it.leader.brokerId, it.leader.brokerEpoch);
  await commit(it.log, ["b"]);
  await commit(it.log, ["c"]);
  const [first, second, third] = it.scene.keys(chain);
  copy(third!);
  await it.scene.settle(1_000);
  assertEquals(log.highWatermark, 0);
  copy(first!);
  await it.scene.settle(1_000);
  assertEquals(await values(log), ["a"]);
  // The leader covers all of it and deletes its slots; the replica has neither of both yet.
  await rewriteWhole(it.log);
  await it.leader.ledger.sweep();
  await commit(it.log, ["d"]);
  copy(it.scene.keys(chain).at(-1)!);
  await it.scene.settle(2_000);
  assertEquals(log.highWatermark, 1, "a hole that no manifest here covers");
  replica.delete(second!);
  for (const key of it.scene.keys("ns/t/0/")) copy(key);
  await it.scene.settle(2_000);
  assertEquals(await readAll(log), [[0, "a"], [1, "b"], [2, "c"], [3, "d"]]);
  await it.scene.stop();
});

Deno.test("an idle follower asks nothing, and forgets the partition", async () => {
  let calls = 0;
  const it = await follower(2, () => (store) => ({
    ...delegate(store),
    get: (key, range, options) => (calls++, store.get(key, range, options)),
    list: (prefix, after, options) => (calls++, store.list(prefix, after, options)),
  }));
  await commit(it.log, ["a"]);
  await follow(it);
  await it.scene.settle(10_000);
  const before = calls;
  await it.scene.settle(10_000);
  assertEquals(calls - before, 0, "requests without a reader");
  assertEquals([it.reader.followed!.count, it.reader.followed!.chains], [1, 1]);
  await it.scene.settle(FOLLOW_IDLE_MS);
  assertEquals([it.reader.followed!.count, it.reader.followed!.chains], [0, 0]);
  const again = await follow(it);
  assertEquals(await values(again), ["a"]);
  await it.scene.stop();
});

Deno.test("a waiting reader costs a bounded number of requests", async () => {
  let calls = 0;
  const it = await follower(2, () => (store) => ({
    ...delegate(store),
    get: (key, range, options) => (calls++, store.get(key, range, options)),
    list: (prefix, after, options) => (calls++, store.list(prefix, after, options)),
  }));
  const log = await follow(it);
  log.onAdvance(() => {});
  await it.scene.settle(5_000);
  calls = 0;
  await it.scene.settle(10_000);
  assertLess(calls, 10_000 / FOLLOW_PAUSE_MAX_MS + 3);
  await it.scene.stop();
});

Deno.test("a seal that came late, below the low-water mark, ends nothing", async () => {
  const it = await follower();
  const { objects } = it.scene;
  await commit(it.log, ["a"]);
  const { brokerId, brokerEpoch } = it.leader;
  const log = await follow(it);
  log.onAdvance(() => {});
  await it.scene.settle(1_000);
  await commit(it.log, ["b"]);
  await rewriteWhole(it.log);
  await it.leader.ledger.sweep();
  objects.set(slotKey("ns", brokerId, brokerEpoch, 1), sealBytes(brokerId, brokerEpoch, 1));
  await commit(it.log, ["c"]);
  await it.scene.settle(3_000);
  assertEquals(await values(log), ["a", "b", "c"]);
  await it.scene.stop();
});

Deno.test("a deleted topic's follower says so", async () => {
  const it = await follower();
  await commit(it.log, ["a"]);
  const log = await follow(it);
  let woken = 0;
  log.onAdvance(() => woken++);
  await it.reader.topics.delete([{ name: "t" }]);
  await it.scene.settle(1_000);
  assertEquals([log.closed, woken > 0], [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, true]);
  assertEquals(it.reader.followed!.open(it.topic, 0), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  await it.scene.stop();
});

Deno.test("a read-only broker follows; it leads, controls and writes nothing", async () => {
  const scene = new ClusterScene();
  const wrap = (store: ObjectStore) => new ReadOnlyStore(store);
  const satellite = await scene.start(1, "far", wrap, true);
  await scene.settle(2_000);
  assertEquals([satellite.node.isController, satellite.coordinates], [false, 0]);
  const leader = await scene.start(2, "near");
  await leader.topics.create([{ name: "t", partitionCount: 4, configs: [] }]);
  await scene.settle(1_000);
  const topic = leader.topics.byName("t")!.id;
  assertEquals([leader.leadsCount(topic), leader.coordinates], [4, 16]);
  assertEquals(leader.node.replaceable, false, "nobody else would lead");
  const log = await leader.log(topic, 0);
  await commit(log, ["a"]);
  const followed = await follow({ scene, topic, leader, log, reader: satellite });
  assertEquals(await values(followed), ["a"]);
  leader.crash();
  await scene.settle(LEASE_MS + 3_000);
  assertEquals([satellite.leadsCount(topic), satellite.coordinates], [0, 0]);
  assertEquals([satellite.node.isController, await values(followed)], [false, ["a"]]);
  const own = chainPrefix("ns", satellite.brokerId, satellite.brokerEpoch);
  assertEquals(scene.keys(own), []);
  assertEquals((await readChains(scene.metadata.connect(), satellite.brokerId)).length, 0);
  await scene.stop();
});

/** What a taker would have written to end the chain at `slot`. */
function sealBytes(brokerId: number, brokerEpoch: number, slot: number): Uint8Array {
  const header = encodeSlotHeader("seal", new Uint8Array(8));
  const footer = encodeSlotFooter(header, {
    kind: "seal",
    brokerId,
    brokerEpoch,
    slot,
    createdMs: 0,
    objects: [],
    metadata: NO_MARK,
    partitions: [],
  });
  return concat([header, footer]);
}

/** All methods of a store, to override some. */
function delegate(store: ObjectStore): ObjectStore {
  return {
    putIfAbsent: (...o) => store.putIfAbsent(...o),
    put: (...o) => store.put(...o),
    get: (...o) => store.get(...o),
    list: (...o) => store.list(...o),
    delete: (...o) => store.delete(...o),
    advice: store.advice,
    close: () => store.close(),
  };
}
