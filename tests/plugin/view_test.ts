import { assert, assertEquals, assertRejects } from "@std/assert";
import type { TopicFigures } from "../../core/plugin/mod.ts";
import { RawWriter } from "../clients/wire/bytes.ts";
import { BrokerScene } from "./scene.ts";

Deno.test("view() tells identity, settings without secrets, and readiness", async () => {
  await using scene = await BrokerScene.open({ brokerId: 7, rack: "a", opsToken: "hidden-value" });
  const { view } = scene;
  const { brokerId, rack, port, version, clusterId } = view.identity;
  assertEquals([brokerId, rack, port, version], [7, "a", scene.broker.port, "0.0.0-test"]);
  assertEquals(clusterId, scene.broker.clusterId);
  assert(view.uptimeMs() >= 0 && view.uptimeMs() < 60_000);
  assertEquals([view.config.brokerId, view.config.opsToken], [7, "(secret)"]);
  assert(!JSON.stringify(view.config).includes("hidden-value"));
  const { ready, checks } = view.readiness();
  assertEquals([ready, checks.map(({ name }) => name)], [true, [
    "listener",
    "leadership",
    "log",
    "groups",
  ]]);
  assert(scene.broker.view() === view);
});

Deno.test("readiness() ends when the broker begins to stop", async () => {
  await using scene = await BrokerScene.open();
  const { view } = scene;
  await scene.broker.drain();
  const failed = view.readiness().checks.filter(({ ok }) => !ok);
  assertEquals(failed.map(({ name, detail }) => [name, detail]), [
    ["listener", "stops, and accepts no connections"],
    ["leadership", "stops"],
  ]);
  await assertRejects(() => view.flush(), Error, "the broker is stopping");
});

Deno.test("figures move with what clients do", async () => {
  await using scene = await BrokerScene.open();
  const { figures } = scene.view;
  await scene.topic("t");
  assertEquals([...figures.topics()], []);
  await scene.produce("t", 0, ["a", "b"]);
  await scene.fetch("t", 0, 0);
  assertEquals((await scene.fetch("t", 0, 99)).errorCode, 1);
  const api = (name: string) => figures.apis.find((each) => each.name === name)!;
  assertEquals([api("Produce").requests, api("Produce").errorResponses], [1, 0]);
  assertEquals([api("Fetch").requests, api("Fetch").errorResponses], [2, 1]);
  assertEquals([...api("Fetch").errorCodes], [[1, 1]]);
  assertEquals(api("Fetch").latencyMs.count, 2);
  const [{ name, traffic, calls }] = [...figures.topics()] as [TopicFigures];
  assertEquals([name, traffic.producedRecords], ["t", 2]);
  assertEquals(traffic.fetchedBytes, traffic.producedBytes);
  assertEquals([calls.puts, figures.walCalls.puts], [0, 1]);
  assertEquals([figures.chain.commits >= 1, figures.chain.commitBytes.count], [true, 1]);
  assertEquals(figures.leadership(), { led: 1, offline: 0 });
  const { connections, walObjects, topics, partitions } = figures.now();
  assertEquals([connections, walObjects > 0, topics, partitions], [1, true, 1, 1]);
  assertEquals(scene.view.connections()[0]!.clientId, "raw");
  await scene.view.flush();
  const [{ calls: after }] = [...figures.topics()] as [TopicFigures];
  assertEquals(after.puts, 3, "a segment, its index and the manifest");
});

Deno.test("flush() rewrites the whole write-ahead log into segments", async () => {
  await using scene = await BrokerScene.open();
  const { view } = scene;
  await scene.topic("t", 2);
  for (const partition of [0, 1]) await scene.produce("t", partition, ["a"]);
  assert(view.figures.logs().unrewrittenBytes > 0);
  const [first, second] = await Promise.all([view.flush(), view.flush()]);
  assertEquals([first.segments, second.segments], [2, 2]);
  const { segments, segmentBytes, unrewrittenBytes, partitionsLoaded } = view.figures.logs();
  assertEquals([segments, unrewrittenBytes, partitionsLoaded], [2, 0, 2]);
  assert(segmentBytes > first.rewrittenBytes);
  assertEquals(view.figures.now().walObjects, 0);
  assertEquals((await view.flush()).segments, 0);
});

Deno.test("partitions() tells offsets and sizes, and loads what is not loaded", async () => {
  await using scene = await BrokerScene.open();
  await scene.topic("t", 3);
  await scene.produce("t", 1, ["a", "b", "c"]);
  await scene.stop();
  await scene.start();
  const { view } = scene;
  assertEquals(view.figures.logs().partitionsLoaded, 0);
  assert(view.figures.logs().unrewrittenBytes > 0, "recovered batches wait, too");
  const found = await view.partitions(view.topic("t")!, 1, 99);
  assertEquals(found.map((each) => each?.partition), [1, 2]);
  const { leader, log } = found[0]!;
  assertEquals([leader, log?.highWatermark, log!.walBytes > 0, log?.segments], [0, 3, true, 0]);
  assertEquals(view.figures.logs().partitionsLoaded, 2);
});

Deno.test("lag() is what a group has not read, and loads no more than it may", async () => {
  await using scene = await BrokerScene.open();
  await scene.topic("t", 3);
  for (const partition of [0, 1, 2]) await scene.produce("t", partition, ["a", "b", "c"]);
  for (const partition of [0, 1, 2]) {
    assertEquals(await scene.commitOffset("g", "t", partition, partition), 0);
  }
  const lags = async (loadsMax: number) => {
    const found = await scene.view.lag("g", loadsMax);
    const lag = found?.partitions.toSorted((a, b) => a.partition - b.partition)
      .map((each) => each.lag);
    return { lag, loads: found?.loads };
  };
  assertEquals(await lags(1), { lag: [3, 2, 1], loads: 1 });
  assertEquals(await lags(0), { lag: [3, 2, 1], loads: 0 });
  assertEquals(await scene.view.lag("nobody", 9), undefined);
  await scene.stop();
  await scene.start();
  assertEquals(scene.view.groups().map(({ groupId, state }) => [groupId, state]), [["g", "Empty"]]);
  assertEquals(await lags(0), { lag: undefined, loads: undefined });
  assertEquals(await lags(2), { lag: [3, null, null], loads: 2 });
  assertEquals(await lags(9), { lag: [3, 2, 1], loads: 2 });
});

Deno.test("lag() counts nothing for a topic that was deleted", async () => {
  await using scene = await BrokerScene.open();
  await scene.topic("t");
  await scene.produce("t", 0, ["a"]);
  await scene.commitOffset("g", "t", 0, 0);
  await scene.client.request(20, 1, new RawWriter().int32(1).string("t").int32(5_000));
  await scene.topic("t");
  assertEquals((await scene.view.lag("g", 9))?.partitions, []);
});
