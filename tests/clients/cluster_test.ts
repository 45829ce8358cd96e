/**
 * Three broker processes on a real etcd and a real MinIO: leaders are spread, any broker answers
 * for the whole, a killed broker is taken over, and a rolling restart is no event.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { Etcd } from "../services/etcd.ts";
import { haveMinio, Minio } from "../services/minio.ts";
import type { Agent } from "./agent.ts";
import { denoAgent, goAgent } from "./agents.ts";
import { BrokerCluster, TEST_LEASE_MS } from "./broker_cluster.ts";
import { targetIsApache } from "./broker_process.ts";
import { assertDelivered } from "./delivery_check.ts";
import { assertSameRecords, record, type WireRecord } from "./records.ts";
import { haveTools } from "./requirement.ts";
import { readAll, SteadyLoad } from "./steady_load.ts";
import { SUITE_SETTINGS } from "./suite.ts";
import { waitUntil } from "./wait_until.ts";
import { coordinatorOf } from "./wire/coordinators.ts";

const PARTITIONS = 6;
const IDS = [0, 1, 2];
/** Records wait a little for each other: commits cost this machine more than they tell. */
const SETTINGS = { ...SUITE_SETTINGS, KAFSCALE_FLUSH_INTERVAL_MS: "25" };

async function withCluster(run: (cluster: BrokerCluster) => Promise<void>): Promise<void> {
  const [etcd, minio] = await Promise.all([Etcd.start(), Minio.start()]);
  try {
    const services = { etcd, bucket: minio.settings(await minio.bucket()) };
    await using cluster = await BrokerCluster.start(services, { env: SETTINGS });
    try {
      await run(cluster);
      const bugs = cluster.brokers.flatMap(({ log }) => log)
        .filter((line) => /invariant|uncaught|unhandled|TypeError/i.test(line));
      assertEquals(bugs.slice(0, 3), []);
    } catch (error) {
      console.error(cluster.tail());
      throw error;
    }
  } finally {
    await Promise.all([etcd.close(), minio.stop()]);
  }
}

function test(criterion: string, run: (cluster: BrokerCluster) => Promise<void>): void {
  Deno.test({
    name: `cluster: ${criterion}`,
    ignore: targetIsApache() || Deno.env.has("KAFSCALE_TEST_BOOTSTRAP"),
    sanitizeOps: false,
    sanitizeResources: false,
    fn: () => withCluster(run),
  });
}

/** Leader ids by partition, once every partition has one of `wanted`, none less than its share. */
function spread(agent: Agent, topic: string, wanted: readonly number[]): Promise<number[]> {
  return waitUntil(`leaders of ${topic} among ${wanted}`, async () => {
    const described = await agent.call("describeTopic", { topic }).catch(() => undefined);
    const leaders = described?.partitions.toSorted((a, b) => a.id - b.id).map((p) => p.leader);
    const counts = wanted.map((id) => leaders?.filter((leader) => leader === id).length ?? 0);
    const fair = counts.every((count) => count >= Math.floor(PARTITIONS / wanted.length));
    return fair && counts.reduce((a, b) => a + b) === PARTITIONS ? leaders : undefined;
  });
}

const numbered = (from: number, count: number): WireRecord[] =>
  Array.from({ length: count }, (_, at) => {
    const number = from + at;
    return record(`k${number}`, `v${number}`, { p: number % PARTITIONS });
  });

async function assertServes(agent: Agent, topic: string, sent: WireRecord[]): Promise<void> {
  const args = { topic, partitions: PARTITIONS, from: "earliest", waitMs: 15_000 } as const;
  assertSameRecords(await agent.call("consume", { ...args, count: sent.length }), sent);
}

/** A group whose coordinator is that broker. */
async function groupAt(cluster: BrokerCluster, broker: number): Promise<string> {
  for (let at = 0; at < 500; at++) {
    const group = `g-${broker}-${at}`;
    if (await coordinatorOf(cluster.brokers[0]!.bootstrap, group) === broker) return group;
  }
  throw new Error(`broker ${broker} coordinates nothing`);
}

async function start(agent: Agent, topic: string): Promise<number[]> {
  await agent.call("createTopic", { topic, partitions: PARTITIONS });
  return await spread(agent, topic, IDS);
}

const ready = haveTools("cluster", "etcd") && await haveMinio("cluster");

if (ready) {
  test("three brokers share leaders and groups, and each answers for all", async (cluster) => {
    // told of one broker only, it must find the others
    const agent = await denoAgent("kafkajs_agent.mjs", cluster.brokers[0]!.bootstrap);
    try {
      const { brokers } = await agent.call("describeCluster", {});
      assertEquals(brokers.map(({ id }) => id).toSorted(), IDS);
      await start(agent, "shared");
      const sent = numbered(0, 60);
      await agent.call("produce", { topic: "shared", records: sent });
      await assertServes(agent, "shared", sent);
      for (const broker of IDS) {
        const group = await groupAt(cluster, broker);
        const offsets = { 0: 1 + broker, 5: 2 };
        await agent.call("setGroupOffsets", { group, topic: "shared", offsets });
        const args = { group, topic: "shared", partitions: PARTITIONS };
        const found = await agent.call("groupOffsets", args);
        assertEquals([found[0], found[5]], [1 + broker, 2]);
        // whoever is asked names the same coordinator
        const named = await Promise.all(
          cluster.brokers.map(({ bootstrap }) => coordinatorOf(bootstrap, group)),
        );
        assertEquals(named, [broker, broker, broker]);
      }
    } finally {
      await agent.stop();
    }
  });
}

if (ready && haveTools("cluster: kill -9", "go")) {
  test("a killed broker is taken over, its groups too, with all of it", async (cluster) => {
    const agent = await goAgent("franz", cluster.bootstrap);
    try {
      await start(agent, "taken");
      const group = await groupAt(cluster, 1);
      const before = numbered(0, 300);
      await agent.call("produce", { topic: "taken", records: before });
      const offsets = { 0: 7, 1: 8 };
      await agent.call("setGroupOffsets", { group, topic: "taken", offsets });
      await cluster.brokers[1]!.kill();
      const killed = performance.now();
      const after = numbered(300, 300);
      await agent.call("produce", { topic: "taken", records: after, timeoutMs: 30_000 });
      const took = performance.now() - killed;
      console.log(`producing to all partitions again after ${Math.round(took)} ms`);
      assertLess(took, TEST_LEASE_MS + 10_000);
      await spread(agent, "taken", [0, 2]);
      await assertServes(agent, "taken", [...before, ...after]);
      const args = { group, topic: "taken", partitions: PARTITIONS };
      const found = await agent.call("groupOffsets", args);
      assertEquals([found[0], found[1]], [7, 8]);
      await cluster.brokers[1]!.restart();
      await spread(agent, "taken", IDS);
      await assertServes(agent, "taken", [...before, ...after]);
    } finally {
      await agent.stop();
    }
  });
}

const LOAD = {
  topic: "rolling",
  partitions: PARTITIONS,
  producers: 2,
  recordsPerSecond: 600,
  valueBytes: 100,
  follow: true,
  members: 2,
};

async function restartEach(cluster: BrokerCluster, load: SteadyLoad): Promise<void> {
  for (const [id, broker] of cluster.brokers.entries()) {
    const started = performance.now();
    assertEquals(await broker.terminate(), 0);
    const ended = performance.now() - started;
    const left = broker.log.findLast((line) => line.includes('"msg":"drained"')) ?? "";
    assert(left.includes('"left":0'), `broker ${id} gave everything away: ${left}`);
    await broker.restart();
    const resumed = await load.goesOn(`after broker ${id}'s restart`);
    console.log(`broker ${id}: ended after ${Math.round(ended)} ms, ${resumed} ms for 500 more`);
  }
}

if (ready && haveTools("cluster: rolling restart", "java", "javac", "mvn")) {
  test("a rolling restart is invisible to producers, readers and groups", async (cluster) => {
    const agent = await denoAgent("kafkajs_agent.mjs", cluster.bootstrap);
    await start(agent, LOAD.topic);
    await agent.stop();
    const load = await SteadyLoad.start(LOAD, cluster.bootstrap);
    try {
      await load.goesOn("at the start");
      await restartEach(cluster, load);
      await load.finish();
      assertEquals(load.failures.slice(0, 3), [], `${load.failures.length} sends failed`);
      const records = await readAll(LOAD, cluster.bootstrap);
      assertDelivered(records, load.acknowledged);
      load.assertRead(records);
      load.group.assertWhole(records);
    } finally {
      load.kill();
    }
  });
}
