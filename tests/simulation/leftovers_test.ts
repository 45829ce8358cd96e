/** The bucket's checker is fed buckets with too much in them. */
import { assertEquals } from "@std/assert";
import { mergeSegments } from "../../core/log/merge.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { commit, type Room, Scene } from "../log/scene.ts";
import { leftovers } from "./leftovers.ts";

const BROKER_ID = 3;

async function bucket(): Promise<{ scene: Scene; room: Room }> {
  const scene = new Scene();
  Object.assign(scene.settings, { segmentBytes: 360, indexIntervalBytes: 1 });
  const before = await scene.open();
  const topic = await before.topic("a", 2);
  const log = await before.log(topic);
  for (let at = 0; at < 5; at++) {
    await commit(log, [`value ${at}`]);
    await rewriteTail(log, true);
  }
  await mergeSegments(log);
  await commit(await before.log(topic, 1), ["adopted"]);
  before.crash();
  const room = await scene.open();
  await commit(await room.log(topic), ["in the chain"]);
  await room.sweepLeftovers();
  return { scene, room };
}

const left = (scene: Scene) =>
  leftovers(scene.objects, scene.metadata.connect(), "ns", [BROKER_ID]);

Deno.test("leftovers() are none where all is named", async () => {
  const { scene } = await bucket();
  assertEquals(await left(scene), []);
});

Deno.test("leftovers() are what nobody names", async () => {
  const { scene, room } = await bucket();
  const wal = scene.keys("ns/.wal/").find((key) => key.includes("/0000000001/"))!;
  const keys = [
    "ns/.probe/3/0011",
    wal.replace(/\d{20}/, "00000000000000000099"),
    "ns/a/0/manifest-00000000000000000000",
    "ns/a/0/segment-00000000000000000000.other",
    "ns/a~gone/0/manifest-00000000000000000000",
  ].sort();
  for (const key of keys) scene.objects.set(key, scene.objects.get(wal)!);
  assertEquals((await left(scene)).map((each) => each.split(": ")[0]).sort(), keys);
  for (const key of keys) scene.objects.delete(key);
  await room.topics.delete([{ name: "a" }]);
  await scene.runtime.settle();
  assertEquals((await left(scene)).filter((each) => each.startsWith("topics/deleted/")).length, 1);
});
