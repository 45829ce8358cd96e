import { assert, assertEquals } from "@std/assert";
import { readChains } from "../../core/metadata/brokers.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { chainPrefix, slotKey } from "../../core/storage/keys.ts";
import { decodeSlotHeader } from "../../core/storage/wal/format.ts";
import { sealChain } from "../../core/storage/wal/seal.ts";
import { append, batchOf, commit, QUIET_MS, readAll, Scene } from "./scene.ts";

const BROKER_ID = 3;

Deno.test("recover() brings back what was committed, after a crash", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const topic = await first.topic("a");
  await commit(await first.log(topic), ["x", "y"]);
  first.crash();
  const log = await (await scene.open()).log(topic);
  assertEquals(await readAll(log), [[0, "x"], [1, "y"]]);
  assertEquals(await commit(log, ["z"]), 2);
});

Deno.test("entries of a partition that nobody opens survive any number of restarts", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const topic = await first.topic("a", 2);
  await commit(await first.log(topic, 1), ["kept"]);
  first.crash();
  for (let restart = 0; restart < 5; restart++) {
    const room = await scene.open();
    await commit(await room.log(topic, 0), [`${restart}`]);
    await rewriteTail(await room.log(topic, 0), true);
    await room.ledger.sweep();
    await room.sweepLeftovers();
    room.crash();
  }
  const room = await scene.open();
  assertEquals(await readAll(await room.log(topic, 1)), [[0, "kept"]]);
});

Deno.test("entries of a partition that nobody opens are rewritten when WAL piles up", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const topic = await first.topic("a", 2);
  await commit(await first.log(topic, 1), ["kept"]);
  first.crash();
  scene.options.walBytes = 0;
  const room = await scene.open();
  await room.sweepLeftovers();
  await scene.runtime.advance(QUIET_MS + 1_000);
  assertEquals(scene.keys(`ns/a/1/segment-`).length, 2);
  assertEquals(room.ledger.objects, 0);
  const left = scene.keys("ns/.wal/").map((key) => decodeSlotHeader(scene.objects.get(key)!).kind);
  assertEquals(left, ["seal"]);
});

Deno.test("recover() after a crash between adopt and removeChains counts once", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const topic = await first.topic("a");
  await commit(await first.log(topic), ["x", "y"]);
  await commit(await first.log(topic), ["z"]);
  first.crash();
  // opens its incarnation, adopts, and dies before it forgets the first chain
  scene.beforeCommit = (count) => count < 2 ? undefined : new Promise(() => {});
  void scene.open();
  await scene.runtime.settle();
  scene.beforeCommit = undefined;
  assertEquals((await readChains(scene.metadata.connect(), BROKER_ID)).length, 2);
  const third = await scene.open();
  const log = await third.log(topic);
  assertEquals(await readAll(log), [[0, "x"], [1, "y"], [2, "z"]]);
  assertEquals(log.tail.length, 2);
  await rewriteTail(log, true);
  await third.ledger.sweep();
  assertEquals(third.ledger.objects, 0);
  assertEquals(third.ledger.bytes, 0);
});

Deno.test("entries below the covered offset whose objects are gone are passed over", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const topic = await first.topic("a", 2);
  const log = await first.log(topic);
  await commit(log, ["x"]);
  await commit(await first.log(topic, 1), ["other"]);
  first.crash();
  const second = await scene.open();
  // covered, and the object deleted, while the adoption record still names both
  await rewriteTail(await second.log(topic), true);
  await second.ledger.sweep();
  second.crash();
  const third = await scene.open();
  assertEquals(await readAll(await third.log(topic)), [[0, "x"]]);
  assertEquals(await readAll(await third.log(topic, 1)), [[0, "other"]]);
});

Deno.test("recover() drops entries of a topic that was deleted meanwhile", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const topic = await first.topic("a");
  await commit(await first.log(topic), ["x"]);
  await first.topics.delete([{ name: "a" }]);
  first.crash();
  const second = await scene.open();
  assertEquals(second.logs.recovered.partitionCount, 0);
  await second.sweepLeftovers();
  const again = await second.topic("a");
  assertEquals((await second.log(again)).highWatermark, 0);
});

Deno.test("recover() keeps entries of a topic that its first listing missed", async () => {
  const scene = new Scene();
  const owner = await scene.open();
  let topic = "";
  scene.beforeCommit = async (count) => {
    if (count > 1) return;
    topic = await owner.topic("late");
    await commit(await owner.log(topic), ["acknowledged"]);
  };
  const room = await scene.open();
  await scene.runtime.settle();
  assertEquals(await readAll(await room.log(topic)), [[0, "acknowledged"]]);
});

Deno.test("a load that meets a hole fails again and again, and gives no offset twice", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const topic = await first.topic("a");
  const log = await first.log(topic);
  await commit(log, ["x"]);
  await rewriteTail(log, true);
  await first.ledger.sweep();
  await commit(log, ["y"]);
  first.crash();
  for (const key of scene.keys("ns/a/0/manifest-")) scene.objects.delete(key);
  const second = await scene.open();
  for (let attempt = 0; attempt < 3; attempt++) {
    assertEquals(await second.logs.state(topic, 0), ErrorCode.KAFKA_STORAGE_ERROR);
  }
});

Deno.test("sealChain() starts over when the owner deletes slots while it is sealed", async () => {
  const scene = new Scene();
  const owner = await scene.open();
  const topic = await owner.topic("a");
  const log = await owner.log(topic);
  for (const value of ["covered", "x", "y"]) await commit(log, [value]);
  const prefix = chainPrefix("ns", BROKER_ID, owner.brokerEpoch);
  assertEquals(scene.keys(prefix).length, 3);
  // The newcomer knows low water 0; before it lists, the owner raises it to 1 and deletes slot 0.
  scene.objects.delete(slotKey("ns", BROKER_ID, owner.brokerEpoch, 0));
  const slots = await sealChain({
    runtime: scene.runtime,
    store: owner.store,
    namespace: "ns",
    brokerId: BROKER_ID,
    brokerEpoch: owner.brokerEpoch + 1,
    signal: new AbortController().signal,
    lowWaterSlot: () => Promise.resolve(1),
  }, { brokerId: BROKER_ID, brokerEpoch: owner.brokerEpoch, lowWaterSlot: 0 });
  assertEquals(slots.map(({ footer }) => footer.slot), [1, 2]);
  const late = append(log, batchOf(["late"]));
  await scene.runtime.advance(1_000);
  assertEquals(await late.committed, ErrorCode.NOT_LEADER_OR_FOLLOWER);
  assert(owner.fenced, "the seal is where the owner writes next");
});

Deno.test("a stopped room deletes nothing that only the WAL holds", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const topic = await first.topic("a");
  await commit(await first.log(topic), ["x"]);
  await first.stop();
  await first.ledger.sweep();
  const second = await scene.open();
  assertEquals(await readAll(await second.log(topic)), [[0, "x"]]);
});
