/** Start-up with metadata that went back, as after a restore from an older snapshot. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ForeignBucketError } from "../../core/cluster/older_metadata.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { readChains } from "../../core/metadata/brokers.ts";
import { ProducerIds } from "../../core/metadata/producer_ids.ts";
import { chainsAbove } from "../../core/storage/wal/chains.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { memoryStore } from "../../drivers/storage/memory/driver.ts";
import { commit, readAll, Scene } from "./scene.ts";

const BROKER_ID = 3;

function snapshot(scene: Scene): Promise<Uint8Array[]> {
  return Array.fromAsync(scene.metadata.connect().snapshot());
}

function restore(scene: Scene, snapshot: Uint8Array[]): Promise<void> {
  return scene.metadata.connect().restore(ReadableStream.from(snapshot));
}

function chains(scene: Scene) {
  return readChains(scene.metadata.connect(), BROKER_ID);
}

Deno.test("recover() gives no epoch twice when metadata forgot several starts", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const topic = await first.topic("a");
  await commit(await first.log(topic), ["1"]);
  const older = await snapshot(scene);
  for (const value of ["2", "3", "4"]) {
    first.crash();
    const room = await scene.open();
    await commit(await room.log(topic), [value]);
    await room.sweepLeftovers();
    room.crash();
  }
  await restore(scene, older);
  const room = await scene.open();
  assertEquals(room.brokerEpoch, 5);
  const log = await room.log(topic);
  assertEquals(await readAll(log), [[0, "1"], [1, "2"], [2, "3"], [3, "4"]]);
  assertEquals(await commit(log, ["5"]), 4);
  assertEquals((await chains(scene)).map(({ epoch }) => epoch), [5]);
  await room.sweepLeftovers();
  await rewriteTail(log, true);
  await room.ledger.sweep();
  room.crash();
  const next = await scene.open();
  assertEquals((await readAll(await next.log(topic))).length, 5);
});

Deno.test("recover() with older metadata finds what is left of a cleaned chain", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const topic = await first.topic("a");
  const older = await snapshot(scene);
  first.crash();
  const second = await scene.open();
  const log = await second.log(topic);
  for (let at = 0; at < 10; at++) await commit(log, [`${at}`]);
  await rewriteTail(log, true);
  await second.ledger.sweep();
  assertEquals(second.ledger.objects, 0, "slots are gone, and the low-water mark is lost");
  for (let at = 10; at < 13; at++) await commit(log, [`${at}`]);
  second.crash();
  await restore(scene, older);
  const third = await scene.open();
  const values = (await readAll(await third.log(topic))).map(([, value]) => value);
  assertEquals(values, Array.from({ length: 13 }, (_, at) => `${at}`));
});

Deno.test("recover() goes on from what is there when a low-water mark was lost", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const topic = await first.topic("a");
  const older = await snapshot(scene);
  const log = await first.log(topic);
  for (let at = 0; at < 80; at++) await commit(log, [`${at}`]);
  await rewriteTail(log, true);
  await first.ledger.sweep();
  for (let at = 80; at < 90; at++) await commit(log, [`${at}`]);
  first.crash();
  await restore(scene, older);
  const second = await scene.open();
  assertEquals(second.brokerEpoch, 2);
  const values = (await readAll(await second.log(topic))).map(([, value]) => value);
  assertEquals(values, Array.from({ length: 90 }, (_, at) => `${at}`));
});

Deno.test("producer ids leap when metadata went back", async () => {
  const scene = new Scene();
  const first = await scene.open();
  await first.topic("a");
  const older = await snapshot(scene);
  first.crash();
  const second = await scene.open();
  await commit(await second.log(await second.topic("b")), ["x"]);
  const given = await new ProducerIds(scene.metadata.connect()).next();
  second.crash();
  await restore(scene, older);
  await scene.open();
  assert(await new ProducerIds(scene.metadata.connect()).next() > given + 1_000_000);
});

Deno.test("records of topics that older metadata lost are kept until they are known", async () => {
  const scene = new Scene();
  const first = await scene.open();
  const known = await first.topic("known");
  const older = await snapshot(scene);
  first.crash();
  const second = await scene.open();
  const lost = await second.topic("lost");
  await commit(await second.log(known), ["k"]);
  await commit(await second.log(lost), ["l"]);
  const newer = await snapshot(scene);
  second.crash();
  await restore(scene, older);
  for (let restart = 0; restart < 3; restart++) {
    const room = await scene.open();
    const log = await room.log(known);
    await commit(log, [`${restart}`]);
    await rewriteTail(log, true);
    await room.ledger.sweep();
    await room.sweepLeftovers();
    room.crash();
  }
  const [line] = scene.runtime.lines.filter(({ message }) => message.includes("does not know"));
  assertEquals(line?.fields, { topicIds: [lost] });
  await restore(scene, newer);
  const room = await scene.open();
  assertEquals(await readAll(await room.log(lost)), [[0, "l"]]);
  assertEquals((await readAll(await room.log(known))).map(([, v]) => v), ["k", "0", "1", "2"]);
});

Deno.test("recover() refuses a bucket with a log where metadata is empty", async () => {
  const scene = new Scene();
  const first = await scene.open();
  await commit(await first.log(await first.topic("a")), ["x"]);
  first.crash();
  const before = scene.keys("ns/");
  await restore(
    scene,
    await Array.fromAsync(new MemoryMetadata(scene.runtime).connect().snapshot()),
  );
  await assertRejects(() => scene.open(), ForeignBucketError, "restore a snapshot of the metadata");
  assertEquals(scene.keys("ns/"), before);
  assertEquals(await chains(scene), []);
});

Deno.test("chainsAbove() lists each chain's first slot, with one call for each", async () => {
  const scene = new Scene();
  const key = (epoch: number, slot: number, id = 3) =>
    `ns/.wal/${id}/${String(epoch).padStart(10, "0")}/${String(slot).padStart(20, "0")}.wal`;
  const keys = [key(1, 0), key(4, 7), key(4, 8), key(12, 0), key(12, 1), key(99, 0, 31)];
  const store = memoryStore(scene.objects, scene.runtime);
  for (const each of keys) await store.put(each, [new Uint8Array(1)]);
  let calls = 0;
  const counted = {
    ...store,
    list: (...args: Parameters<typeof store.list>) => {
      calls++;
      return store.list(...args);
    },
  };
  const { signal } = new AbortController();
  assertEquals(await chainsAbove(counted, "ns", 3, 1, signal), [
    { brokerEpoch: 4, firstSlot: 7 },
    { brokerEpoch: 12, firstSlot: 0 },
  ]);
  assertEquals(calls, 3);
  assertEquals(await chainsAbove(store, "ns", 3, 12, signal), []);
  assertEquals((await chainsAbove(store, "ns", 3, 0, signal)).length, 3);
  assertEquals(await chainsAbove(store, "ns", 4, 0, signal), []);
});
