import { assertEquals } from "@std/assert";
import { singleNode } from "../../core/cluster/single_node.ts";
import { LEADERS_WAIT_MS } from "../../core/config/limits.ts";
import { awaitLeaders } from "../../core/handlers/await_leaders.ts";
import type { TopicInfo } from "../../core/metadata/topics.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

const TOPIC = { id: "id", name: "t", partitionCount: 2 } as TopicInfo;

function scene() {
  const runtime = manualRuntime();
  const owners = [-1, -1];
  const alone = singleNode("c", () => ({ nodeId: 7, host: "h", port: 1, rack: null }));
  const placement = (_: string, partition: number) => ({
    ownerId: owners[partition]!,
    preferredId: -1,
    movingTo: undefined,
  });
  let done = false;
  const rooms = { runtime, cluster: { ...alone, shared: true, placement } };
  const waiting = awaitLeaders(rooms, [undefined, TOPIC]).then(() => done = true);
  return { runtime, owners, waiting, isDone: () => done };
}

Deno.test("awaitLeaders() waits until every partition of a new topic is led", async () => {
  const { runtime, owners, waiting, isDone } = scene();
  await runtime.advance(500);
  owners[0] = 1;
  await runtime.advance(500);
  assertEquals(isDone(), false);
  owners[1] = 2;
  await runtime.advance(100);
  assertEquals(isDone(), true);
  await waiting;
});

Deno.test("awaitLeaders() gives up after a while", async () => {
  const { runtime, waiting, isDone } = scene();
  await runtime.advance(LEADERS_WAIT_MS - 100);
  assertEquals(isDone(), false);
  await runtime.advance(200);
  assertEquals(isDone(), true);
  await waiting;
});
