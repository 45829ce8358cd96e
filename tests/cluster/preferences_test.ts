import { assert, assertEquals, assertRejects } from "@std/assert";
import { shardOf } from "../../core/groups/shards.ts";
import type { ClusterView } from "../../core/handlers/rooms.ts";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { commit, readAll } from "../log/scene.ts";
import { ClusterScene, LEASE_MS, type TestNode } from "./scene.ts";

async function scene(brokers: number): Promise<ClusterScene> {
  const scene = new ClusterScene();
  for (let id = 1; id <= brokers; id++) await scene.start(id);
  return scene;
}

const viewOf = ({ node }: TestNode): ClusterView => node.view("c", shardOf);

/** Owners of all partitions, as one broker sees them. */
function owners(at: TestNode, topicId: string): number[] {
  const { partitionCount } = at.topics.byId(topicId)!;
  const view = viewOf(at);
  return Array.from({ length: partitionCount }, (_, p) => view.placement(topicId, p).ownerId);
}

async function created(
  s: ClusterScene,
  at: TestNode,
  name: string,
  partitionCount: number,
  preferred?: number[],
): Promise<string> {
  const making = at.topics.create([{ name, partitionCount, configs: [], preferred }]);
  await s.settle();
  const [outcome] = await making;
  assertEquals(outcome!.errorCode, ErrorCode.NONE);
  return outcome!.topic!.id;
}

Deno.test("prefer() moves leadership with its records, and it stays there", async () => {
  const s = await scene(3);
  const [first, second] = s.nodes;
  const topic = await created(s, first!, "t", 3);
  const [from] = s.leaders(topic, 0);
  const to = s.nodes.find((node) => node !== from)!;
  await commit(await from!.log(topic, 0), ["a", "b"]);
  const moving = viewOf(second!).prefer(topic, new Map([[0, to.brokerId]]));
  await s.settle(1_000);
  await moving;
  assertEquals(s.leaders(topic, 0), [to]);
  const log = await to.log(topic, 0);
  await commit(log, ["c"]);
  assertEquals((await readAll(log)).map(([, value]) => value), ["a", "b", "c"]);
  const placement = { ownerId: to.brokerId, preferredId: to.brokerId, movingTo: undefined };
  for (const node of s.nodes) assertEquals(viewOf(node).placement(topic, 0), placement);
  // Another broker that comes and takes its share leaves it alone.
  await s.start(4);
  await s.settle(1_000);
  assertEquals(s.leaders(topic, 0), [to]);
  await s.stop();
});

Deno.test("a preferred broker that dies is replaced, and leads again once it is back", async () => {
  const s = await scene(2);
  const [first, second] = s.nodes;
  const topic = await created(s, first!, "t", 2, [2, 2]);
  assertEquals(owners(first!, topic), [2, 2]);
  second!.crash();
  await s.settle(LEASE_MS + 1_000);
  assertEquals(owners(first!, topic), [1, 1]);
  const gone = { ownerId: 1, preferredId: 2, movingTo: undefined };
  assertEquals(viewOf(first!).placement(topic, 0), gone);
  assert(!viewOf(first!).canLead(2));
  s.nodes.pop();
  await s.start(2);
  await s.settle(2_000);
  assertEquals(owners(first!, topic), [2, 2]);
  await s.stop();
});

Deno.test("prefer() of null ends a move: the owner keeps the partition", async () => {
  const s = await scene(3);
  const [first, second] = s.nodes;
  const topic = await created(s, first!, "t", 1, [2]);
  await commit(await second!.log(topic, 0), ["a"]);
  const view = viewOf(first!);
  const prefer = async (broker: number | null) => {
    const asked = view.prefer(topic, new Map([[0, broker]]));
    await s.settle(50);
    await asked;
  };
  // Its owner does not hear of the move for a while, and so is not done with it.
  second!.metadata.disconnect();
  await prefer(3);
  assertEquals(view.placement(topic, 0), { ownerId: 2, preferredId: 3, movingTo: 3 });
  await prefer(null);
  second!.metadata.reconnect();
  await s.settle(3_000);
  assertEquals(view.placement(topic, 0), { ownerId: 2, preferredId: 2, movingTo: undefined });
  const log = await second!.log(topic, 0);
  await commit(log, ["b"]);
  assertEquals((await readAll(log)).map(([, value]) => value), ["a", "b"]);
  await s.stop();
});

Deno.test("topics and partitions are made with their leaders, on any broker", async () => {
  const s = await scene(3);
  const [first, second, third] = s.nodes;
  const topic = await created(s, third!, "placed", 4, [3, 1, 3, 3]);
  assertEquals(owners(first!, topic), [3, 1, 3, 3]);
  const request = { name: "placed", partitionCount: 6, preferred: [2, 3] };
  const grown = second!.topics.addPartitions([request]);
  await s.settle(1_000);
  assertEquals((await grown)[0]!.errorCode, ErrorCode.NONE);
  assertEquals(owners(first!, topic), [3, 1, 3, 3, 2, 3]);
  const deleted = first!.topics.delete([{ name: "placed" }]);
  await s.settle();
  assertEquals((await deleted)[0]!.errorCode, ErrorCode.NONE);
  assertEquals(s.nodes.flatMap(({ node }) => node.assignments.of(topic) ?? []), []);
  await s.stop();
});

Deno.test("prefer() of a partition that has no record yet is a retriable refusal", async () => {
  const s = await scene(1);
  const view = viewOf(s.nodes[0]!);
  await assertRejects(() => view.prefer("no-such-topic", new Map([[0, 1]])), MetadataError);
  await s.stop();
});
