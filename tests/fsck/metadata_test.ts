/** What the metadata says against what the bucket holds. */
import { assertEquals } from "@std/assert";
import { sealHead, sealOffset } from "../../core/groups/snapshot.ts";
import { changeAssignment, UNASSIGNED } from "../../core/metadata/assignments.ts";
import { groupHeadKey, offsetKey } from "../../core/metadata/mod.ts";
import { commit } from "../log/scene.ts";
import { alter, check, found, type HealthyStore, healthyStore } from "./healthy_store.ts";

const SNAPSHOT = {
  generationId: 0,
  protocolType: null,
  protocolName: null,
  leaderId: null,
  stateSinceMs: 0,
};

async function commitOffset(
  { scene }: HealthyStore,
  topic: { readonly name: string; readonly id: string; readonly partition: number },
  offset: number,
  groupId = "readers",
): Promise<void> {
  const head = { groupId, writer: "w", sequence: 1, snapshot: SNAPSHOT };
  const value = {
    offset,
    leaderEpoch: -1,
    metadata: "",
    committedAtMs: 0,
    expiresAtMs: null,
    topicId: topic.id,
  };
  await scene.metadata.connect().commit({
    if: [],
    then: [
      { put: groupHeadKey(groupId), value: sealHead(head, "Empty") },
      { put: offsetKey(groupId, topic.name, topic.partition), value: sealOffset(value) },
    ],
  });
}

Deno.test("committed offsets up to the end of a log are right, those behind it not", async () => {
  const store = await healthyStore();
  const id = store.topicId;
  await commitOffset(store, { name: "a", id, partition: 0 }, 17);
  await commitOffset(store, { name: "a", id, partition: 1 }, 4, "others");
  await commitOffset(store, { name: "a", id, partition: 2 }, 0, "third");
  assertEquals(found(await check(store)), []);
  await commitOffset(store, { name: "a", id, partition: 1 }, 5);
  await commitOffset(store, { name: "a", id, partition: 2 }, 1);
  const report = await check(store);
  assertEquals(report.verdict, "leftovers");
  assertEquals(found(report), [
    `group-offset-beyond-end ${offsetKey("readers", "a", 1)}`,
    `group-offset-beyond-end ${offsetKey("readers", "a", 2)}`,
  ]);
  assertEquals(
    report.findings[0]!.text,
    "the group readers has committed offset 5 of partition 1 of a, whose log ends at 4",
  );
});

Deno.test("offsets of a deleted topic, or of an unreadable partition, say nothing", async () => {
  const store = await healthyStore();
  await commitOffset(store, { name: "b", id: "AAECAwQFBgcICQoLDA0ODw", partition: 0 }, 99);
  await commitOffset(store, { name: "a", id: store.topicId, partition: 0 }, 99);
  const manifest = "ns/a/0/manifest-00000000000000000002";
  alter(store.scene, manifest, (bytes) => void (bytes[70]! ^= 1));
  assertEquals(found(await check(store)), [`manifest-damaged ${manifest}`]);
});

Deno.test("a topic whose objects are gone is told by who has read it", async () => {
  const store = await healthyStore();
  const room = await store.scene.open();
  const id = await room.topic("empty");
  await room.sweepLeftovers();
  room.crash();
  assertEquals(found(await check(store)), []);
  await commitOffset(store, { name: "empty", id, partition: 0 }, 3);
  const report = await check(store);
  assertEquals(found(report), ["topic-objects-missing ns/empty/"]);
  assertEquals(found(await check(store, { topics: ["empty"] })), found(report));
  assertEquals(found(await check(store, { topics: ["a"] })), []);
});

Deno.test("entries are in chains that their partition's assignment names", async () => {
  const store = await healthyStore();
  const chain = (brokerEpoch: number) => ({ brokerId: 3, brokerEpoch });
  const led = { ...UNASSIGNED, target: 3, leaderEpoch: 0, owner: chain(2) };
  const taken = { ...led, owner: { brokerId: 5, brokerEpoch: 1 }, sources: [chain(1), chain(2)] };
  const metadata = store.scene.metadata.connect();
  await changeAssignment(metadata, store.topicId, () => [led, taken, { ...led, owner: chain(9) }]);
  assertEquals(found(await check(store)), []);
});

Deno.test("groups with a damaged record are told, and the others are looked at", async () => {
  const store = await healthyStore();
  await commitOffset(store, { name: "a", id: store.topicId, partition: 1 }, 5);
  const value = new Uint8Array(12);
  const key = groupHeadKey("broken");
  await store.scene.metadata.connect().commit({ if: [], then: [{ put: key, value }] });
  assertEquals(found(await check(store)), [
    `group-offset-beyond-end ${offsetKey("readers", "a", 1)}`,
    `metadata-damaged ${key}`,
  ]);
});

Deno.test("entries of topics that the metadata never had are told", async () => {
  const store = await healthyStore();
  const room = await store.scene.open();
  await room.sweepLeftovers();
  const id = await room.topic("late");
  await commit(await room.log(id), ["x"]);
  await commit(await room.log(store.topicId), ["y"]);
  room.crash();
  const metadata = store.scene.metadata.connect();
  const entry = (await metadata.get("topics/live/late"))!;
  await metadata.commit({ if: [], then: [{ delete: "topics/live/late" }] });
  assertEquals(found(await check(store)), [`wal-unknown-topic ${id}`]);
  await metadata.commit({ if: [], then: [{ put: "topics/live/late", value: entry.value }] });
  const next = await store.scene.open();
  await next.sweepLeftovers();
  await next.topics.delete([{ id }]);
  next.crash();
  assertEquals(found(await check(store)), []);
});
