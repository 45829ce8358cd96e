/** Admin calls with their outputs checked. */
import { assert, assertEquals } from "@std/assert";
import { noise, record } from "../records.ts";
import type { Context, Scenario } from "../suite.ts";
import { waitUntil } from "../wait_until.ts";

async function topicLife(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("life");
  await agent.call("createTopic", { topic, partitions: 3, configs: { "retention.ms": "3600000" } });
  await waitUntil("the topic in the list", async () => {
    return (await agent.call("listTopics", {})).includes(topic) ? true : undefined;
  });
  const { partitions } = await waitUntil("the topic", async () => {
    const found = await agent.call("describeTopic", { topic }).catch(() => undefined);
    return found?.partitions.length === 3 ? found : undefined;
  });
  const sorted = partitions.toSorted((one, other) => one.id - other.id);
  const wanted = [0, 1, 2].map((id) => {
    const leader = partitions.find((each) => each.id === id)?.leader;
    return { id, leader, replicas: [leader], isr: [leader] };
  });
  assertEquals(sorted, wanted as typeof sorted);

  await agent.call("createPartitions", { topic, total: 6 });
  await waitUntil("6 partitions", async () => {
    const found = await agent.call("describeTopic", { topic }).catch(() => undefined);
    return found?.partitions.length === 6 ? true : undefined;
  });
  const records = [record("late", "in a new partition", { p: 5 })];
  await waitUntil("a produce to the new partition", async () => {
    // A client's cached metadata may not have the partition yet.
    return await agent.call("produce", { topic, records }).then(() => true, () => undefined);
  });

  await agent.call("deleteTopic", { topic });
  await waitUntil("the end of the topic", async () => {
    return (await agent.call("listTopics", {})).includes(topic) ? undefined : true;
  });
}

/** A new topic of the same name has nothing of the old one. */
async function sameName(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("again");
  await agent.call("createTopic", { topic, partitions: 1 });
  const old = [...Array(10).keys()].map((index) => record("old", `${index}`, { p: 0 }));
  await agent.call("produce", { topic, records: old });
  await agent.call("deleteTopic", { topic });
  await waitUntil("a new topic of the same name", async () => {
    return await agent.call("createTopic", { topic, partitions: 1 }).then(
      () => true,
      () => undefined,
    );
  });
  const latest = await waitUntil("its offsets", async () => {
    const call = agent.call("listOffsets", { topic, partition: 0, at: "latest" });
    return (await call.catch(() => undefined))?.offset;
  });
  assertEquals(latest, 0);
}

async function configs(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("configs");
  const given = {
    "retention.ms": "7200000",
    "cleanup.policy": "delete",
    "max.message.bytes": "500000",
  };
  await agent.call("createTopic", { topic, partitions: 1, configs: given });
  const found = await agent.call("describeConfigs", { topic });
  for (const [name, value] of Object.entries(given)) assertEquals(found[name]?.value, value, name);
  assertEquals(found["retention.ms"]?.isDefault, false);
  const defaults = {
    "compression.type": "producer",
    "message.timestamp.type": "CreateTime",
    "retention.bytes": "-1",
  };
  for (const [name, value] of Object.entries(defaults)) {
    assertEquals(found[name], { value, isDefault: true }, name);
  }
  for (const name of ["segment.bytes", "min.insync.replicas"]) {
    assert(Number(found[name]?.value) > 0, name);
  }
}

async function alterConfigs(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("alter");
  await agent.call("createTopic", {
    topic,
    partitions: 1,
    configs: { "retention.ms": "7200000", "retention.bytes": "1000000" },
  });
  // The old call replaces all: what it doesn't name goes back to its default.
  await agent.call("alterConfigs", { topic, configs: { "retention.ms": "60000" } });
  const found = await agent.call("describeConfigs", { topic });
  assertEquals(found["retention.ms"]?.value, "60000");
  assertEquals(found["retention.bytes"], { value: "-1", isDefault: true });
}

async function incremental(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("incremental");
  const values = async () => {
    const found = await agent.call("describeConfigs", { topic });
    return ["retention.ms", "retention.bytes", "cleanup.policy"].map((name) => found[name]?.value);
  };
  await agent.call("createTopic", { topic, partitions: 1, configs: { "retention.bytes": "777" } });
  const change = (
    name: string,
    op: "set" | "delete" | "append" | "subtract",
    value: string | null,
  ) => agent.call("incrementalAlterConfigs", { topic, changes: [{ name, op, value }] });
  await change("retention.ms", "set", "60000");
  assertEquals(await values(), ["60000", "777", "delete"]);
  await change("cleanup.policy", "append", "delete");
  assertEquals(await values(), ["60000", "777", "delete"], "nothing twice in a list");
  await change("cleanup.policy", "append", "compact");
  assertEquals((await values())[2]?.split(",").sort(), ["compact", "delete"]);
  await change("cleanup.policy", "subtract", "compact");
  await change("retention.ms", "delete", null);
  assertEquals(await values(), ["604800000", "777", "delete"]);
}

async function deleteRecords(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("delete-records");
  await agent.call("createTopic", { topic, partitions: 1 });
  const records = [...Array(30).keys()].map((index) => record(`k${index}`, `v${index}`, { p: 0 }));
  await agent.call("produce", { topic, records });
  // Some clients don't try again while the topic is new to the broker.
  const answer = await waitUntil("the deletion", () => {
    return agent.call("deleteRecords", { topic, partition: 0, before: 12 }).catch(() => undefined);
  });
  if (answer !== null) assertEquals(answer.low, 12);
  const earliest = await agent.call("listOffsets", { topic, partition: 0, at: "earliest" });
  assertEquals(earliest.offset, 12);
  const got = await agent.call("consume", {
    topic,
    partitions: 1,
    from: "earliest",
    count: 18,
    waitMs: 10_000,
  });
  assertEquals(got.map((one) => one.o), [...Array(18).keys()].map((index) => index + 12));
}

async function maxTimestamp(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("max-timestamp");
  await agent.call("createTopic", { topic, partitions: 1 });
  const base = 1_700_000_000_000;
  const records = [5, 9, 2].map((at) => record("k", `${at}`, { p: 0, t: base + at * 1000 }));
  for (const one of records) await agent.call("produce", { topic, records: [one] });
  const found = await agent.call("listOffsets", { topic, partition: 0, at: "maxTimestamp" });
  assertEquals(found.offset, 1);
  if (found.timestamp !== undefined) assertEquals(found.timestamp, base + 9000);
}

async function groups(context: Context): Promise<void> {
  const { agent } = context;
  const [topic, group] = [context.name("topic"), context.name("admin-group")];
  await agent.call("createTopic", { topic, partitions: 2 });
  const records = [...Array(20).keys()].map((index) => record("k", `${index}`, { p: index % 2 }));
  await agent.call("produce", { topic, records });
  await agent.call("setGroupOffsets", { group, topic, offsets: { 0: 4, 1: 7 } });
  assertEquals(await agent.call("groupOffsets", { group, topic, partitions: 2 }), { 0: 4, 1: 7 });
  assert((await agent.call("listGroups", {})).includes(group), "the group is listed");
  if (agent.can("deleteGroupOffsets")) {
    await agent.call("deleteGroupOffsets", { group, topic, partitions: [0] });
    const left = await agent.call("groupOffsets", { group, topic, partitions: 2 });
    assertEquals([left[0] ?? -1, left[1]], [-1, 7]);
  }
  await agent.call("deleteGroup", { group });
  assertEquals((await agent.call("listGroups", {})).includes(group), false);
}

async function cluster({ agent, bootstrap }: Context): Promise<void> {
  const { clusterId, controller, brokers } = await agent.call("describeCluster", {});
  const told = brokers.map(({ host, port }) => `${host}:${port}`);
  assertEquals(told.toSorted(), bootstrap.split(",").toSorted());
  assert(brokers.some(({ id }) => id === controller), `the controller is ${controller}`);
  assert(clusterId.length > 0, "no cluster id");
}

async function logDirs(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("log-dirs");
  await agent.call("createTopic", { topic, partitions: 1 });
  await agent.call("produce", { topic, records: [record("k", noise(5000, 5), { p: 0 })] });
  // in a cluster whoever led it a moment ago may tell of it, too
  const found = await waitUntil("one log", async () => {
    const logs = await agent.call("describeLogDirs", { topic });
    return logs.length === 1 ? logs[0]! : undefined;
  });
  assertEquals(found.partition, 0);
  assert(found.size >= 5000, `a size of ${found.size}`);
}

async function producers(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("producers");
  await agent.call("createTopic", { topic, partitions: 1 });
  for (const value of ["1", "2", "3"]) {
    await agent.call("produce", { topic, records: [record("k", value, { p: 0 })] });
  }
  const [found, ...rest] = await agent.call("describeProducers", { topic, partition: 0 });
  assertEquals([found?.producerEpoch, found?.lastSequence, rest.length], [0, 2, 0]);
  assert((found?.producerId ?? -1) >= 0);
}

export const adminScenarios: readonly Scenario[] = [
  {
    criterion: "creates, lists, describes, extends and deletes a topic",
    needs: ["createTopic", "listTopics", "describeTopic", "createPartitions", "deleteTopic"],
    run: topicLife,
  },
  {
    criterion: "a topic of a deleted one's name starts empty",
    needs: ["createTopic", "deleteTopic", "listOffsets"],
    run: sameName,
  },
  { criterion: "describes topic configs", needs: ["createTopic", "describeConfigs"], run: configs },
  {
    criterion: "replaces topic configs",
    needs: ["alterConfigs", "describeConfigs"],
    run: alterConfigs,
  },
  {
    criterion: "changes topic configs one by one",
    needs: ["incrementalAlterConfigs", "describeConfigs"],
    run: incremental,
  },
  {
    criterion: "deletes records before an offset",
    needs: ["deleteRecords", "listOffsets"],
    run: deleteRecords,
  },
  {
    criterion: "sets, lists and deletes group offsets and groups",
    needs: ["setGroupOffsets", "groupOffsets", "listGroups", "deleteGroup"],
    run: groups,
  },
  { criterion: "describes the cluster", needs: ["describeCluster"], run: cluster },
  { criterion: "describes log directories", needs: ["describeLogDirs"], run: logDirs },
  {
    criterion: "describes an idempotent producer",
    needs: ["describeProducers", "produce"],
    run: producers,
  },
  {
    criterion: "finds the offset of the greatest timestamp",
    needs: ["listOffsets", "maxTimestamp"],
    run: maxTimestamp,
  },
];
