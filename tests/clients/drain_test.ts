/** A broker of three that is drained under load: clients follow, and notice nothing but latency. */
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { cli } from "../cli/run_cli.ts";
import { Etcd } from "../services/etcd.ts";
import { haveMinio, Minio } from "../services/minio.ts";
import { BrokerCluster } from "./broker_cluster.ts";
import { type BrokerProcess, targetIsApache } from "./broker_process.ts";
import { allRegistered, askOps } from "./ops_api.ts";
import { haveTools } from "./requirement.ts";
import { SteadyLoad } from "./steady_load.ts";
import { waitUntil } from "./wait_until.ts";
import { createTopic } from "./wire/produce.ts";
import { RawConnection } from "./wire/raw_connection.ts";

const NAME = "drain";
const TOKEN = "drain-test-token";
const PARTITIONS = 6;
const DRAIN_TIMEOUT_MS = 20_000;

/** Partitions and shards that the broker leads, and what it says of itself. */
async function state(broker: BrokerProcess) {
  const { body } = await askOps(broker, "/api/v1/status");
  return { state: body.state as string, led: body.partitionsLed as number };
}

async function drainedByCli(broker: BrokerProcess): Promise<string> {
  const url = `http://127.0.0.1:${broker.metricsPort}`;
  const refused = await cli(["drain", url, "--token", "not-the-token"]);
  assertEquals(refused.code, 1);
  assertMatch(refused.stderr, /^kafscale drain: .*not that of KAFSCALE_OPS_TOKEN/);
  const { code, stdout, stderr } = await cli(["drain", url, "--timeout", "30"], {
    env: { KAFSCALE_OPS_TOKEN: TOKEN },
  });
  assertEquals([code, stderr], [0, ""]);
  return stdout;
}

async function drainUnderLoad(cluster: BrokerCluster): Promise<void> {
  const [first, leaving] = cluster.brokers as [BrokerProcess, BrokerProcess];
  await allRegistered(cluster.brokers);
  {
    using connection = await RawConnection.open(first.bootstrap);
    assertEquals(await createTopic(connection, "steady", PARTITIONS), 0);
  }
  await waitUntil("all brokers to lead their share", async () => {
    const each = await Promise.all(cluster.brokers.map(state));
    return each.every(({ led }) => led === PARTITIONS / 3) ? true : undefined;
  });
  const shape = { topic: "steady", partitions: PARTITIONS, producers: 2, recordsPerSecond: 400 };
  const load = await SteadyLoad.start(
    { ...shape, valueBytes: 200, follow: true },
    cluster.bootstrap,
  );
  try {
    await load.goesOn("at first");
    assertMatch(await drainedByCli(leaving), /^drained: \d+ partitions and .* moved in [\d.]+ s/);
    assertEquals((await state(leaving)).state, "drained");
    await waitUntil(
      "its own view to show it",
      async () => (await state(leaving)).led === 0 ? true : undefined,
    );
    const ready = await askOps(leaving, "/readyz");
    assertEquals(ready.status, 503);
    assertMatch(JSON.stringify(ready.body), /has given what it led to other brokers/);
    await load.goesOn("after the drain");
    const started = performance.now();
    assertEquals(await leaving.terminate(), 0);
    assertLess(performance.now() - started, DRAIN_TIMEOUT_MS);
    await load.goesOn("without the broker");
    await leaving.restart();
    await waitUntil(
      "the broker to lead its share again",
      async () => (await state(leaving)).led > 0 ? true : undefined,
    );
    // A stop alone drains as well.
    assertEquals(await first.terminate(), 0);
    assert(first.log.some((line) => /"msg":"drained".*"left":0/.test(line)), first.tail());
    await load.goesOn("after the stop of another");
    await load.finish();
    assertEquals([load.failures, load.readFaults], [[], []]);
    for (const [name, offset] of load.acknowledged) {
      assertEquals(load.read[Number(name.split(" ")[1])]?.[offset], name);
    }
    const read = load.read.flat();
    assertEquals(new Set(read).size, read.length, "records, each once");
  } finally {
    load.kill();
  }
}

if (haveTools(NAME, "java", "javac", "mvn", "etcd") && await haveMinio(NAME)) {
  Deno.test({
    name: `${NAME}: leadership moves away under load, clients see no error`,
    ignore: targetIsApache(),
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using etcd = await Etcd.start();
      await using minio = await Minio.start();
      const bucket = { KAFSCALE_STORAGE: "minio", ...minio.settings(await minio.bucket()) };
      const env = {
        KAFSCALE_OPS_TOKEN: TOKEN,
        KAFSCALE_DRAIN_TIMEOUT_MS: String(DRAIN_TIMEOUT_MS),
      };
      await using cluster = await BrokerCluster.start({ etcd, bucket }, { env });
      try {
        await drainUnderLoad(cluster);
      } catch (error) {
        console.error(cluster.tail());
        throw error;
      }
    },
  });
}
