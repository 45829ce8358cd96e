/** What a client has made outlives kill -9; topics are made on first use where that is allowed. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Agent } from "./agent.ts";
import { denoAgent } from "./agents.ts";
import { BrokerProcess, targetIsApache } from "./broker_process.ts";
import { assertSameRecords, record, type WireRecord } from "./records.ts";
import { waitUntil } from "./wait_until.ts";

const OWN_BROKER = !Deno.env.has("KAFSCALE_TEST_BOOTSTRAP");

function withBroker(
  name: string,
  run: (broker: BrokerProcess, agent: Agent) => Promise<void>,
  ignore = false,
): void {
  Deno.test({
    name,
    ignore: ignore || !OWN_BROKER,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const env = {
        KAFSCALE_AUTO_CREATE_TOPICS: "true",
        KAFSCALE_AUTO_CREATE_PARTITIONS: "3",
        KAFSCALE_GROUP_INITIAL_REBALANCE_DELAY_MS: "100",
      };
      await using broker = await BrokerProcess.start({ env });
      const agent = await denoAgent("kafkajs_agent.mjs", broker.bootstrap);
      try {
        await run(broker, agent);
      } catch (error) {
        console.error(broker.tail(20));
        throw error;
      } finally {
        await agent.stop();
      }
    },
  });
}

/** All that a client can see of a topic and a group. */
async function visible(agent: Agent, topic: string, group: string, count: number) {
  const args = { topic, partitions: 4, from: "earliest", count, waitMs: 10_000 } as const;
  const records = await agent.call("consume", args);
  const order = (one: WireRecord) => `${one.p}/${String(one.o).padStart(9, "0")}`;
  return {
    topics: (await agent.call("listTopics", {})).filter((name) => !name.startsWith("__")),
    partitions: (await agent.call("describeTopic", { topic })).partitions.length,
    retention: (await agent.call("describeConfigs", { topic }))["retention.ms"]?.value,
    earliest: (await agent.call("listOffsets", { topic, partition: 0, at: "earliest" })).offset,
    latest: (await agent.call("listOffsets", { topic, partition: 0, at: "latest" })).offset,
    offsets: await agent.call("groupOffsets", { group, topic, partitions: 4 }),
    records: records.toSorted((one, other) => order(one) < order(other) ? -1 : 1),
  };
}

withBroker("restart: topics, configs, records, offsets outlive kill -9", async (broker, agent) => {
  const [topic, group] = ["kept", "kept-group"];
  const configs = { "retention.ms": "86400000" };
  await agent.call("createTopic", { topic, partitions: 4, configs });
  await agent.call("createTopic", { topic: "dropped", partitions: 1 });
  const sent = [...Array(400).keys()].map((index) =>
    record(`k${index}`, `v${index}`, { p: index % 4 })
  );
  await agent.call("produce", { topic, records: sent });
  await agent.call("setGroupOffsets", { group, topic, offsets: { 0: 11, 1: 22, 2: 33, 3: 44 } });
  await agent.call("deleteRecords", { topic, partition: 0, before: 7 });
  await agent.call("deleteTopic", { topic: "dropped" });
  const before = await visible(agent, topic, group, 393);
  assertEquals([before.earliest, before.latest, before.records.length], [7, 100, 393]);
  assertEquals(before.topics.includes("dropped"), false);
  for (let round = 0; round < 3; round++) {
    if (round === 1) await broker.terminate();
    else await broker.kill();
    await broker.restart();
    const after = await waitUntil("an answer", () => {
      return visible(agent, topic, group, 393).catch(() => undefined);
    });
    assertEquals(after, before);
  }
  const later = [record("later", "after all", { p: 0 })];
  await agent.call("produce", { topic, records: later });
  const [last] = await agent.call("consume", {
    topic,
    partitions: 4,
    from: { offset: 100 },
    count: 1,
    waitMs: 10_000,
  });
  assertEquals([last?.p, last?.o], [0, 100]);
});

withBroker(
  "auto-create: a topic is made on first use with the set partitions",
  async (_, agent) => {
    const sent = [...Array(30).keys()].map((index) => record(`k${index}`, `v${index}`));
    await agent.call("produce", { topic: "made-on-use", records: sent });
    const { partitions } = await agent.call("describeTopic", { topic: "made-on-use" });
    assertEquals(partitions.length, 3);
    const args = { topic: "made-on-use", partitions: 3, from: "earliest", count: 30 } as const;
    assertSameRecords(await agent.call("consume", { ...args, waitMs: 10_000 }), sent);
  },
);

withBroker(
  "restart: a second broker on the same directory refuses to start",
  async (broker) => {
    const second = BrokerProcess.start({ dataDir: broker.dataDir });
    const error = await assertRejects(() => second, Error, "exit code 1");
    assertMatch(error.message, /directory .* is in use by another broker/);
  },
  targetIsApache(),
);
