/**
 * A cluster through outages of its metadata service (I10): what is led goes on, what needs metadata
 * is answered with a retriable error, and afterwards everything works without a restart.
 *
 * Environment:
 * - KAFSCALE_OUTAGE_SECONDS   how long etcd is away; unset: 8, four times the brokers' leases
 */
import { assert, assertEquals } from "@std/assert";
import type { EtcdMember } from "../services/etcd.ts";
import { Etcd } from "../services/etcd.ts";
import { haveMinio, Minio } from "../services/minio.ts";
import { denoAgent } from "./agents.ts";
import { BrokerCluster } from "./broker_cluster.ts";
import { targetIsApache } from "./broker_process.ts";
import { assertDelivered } from "./delivery_check.ts";
import { haveTools } from "./requirement.ts";
import { readAll, SteadyLoad } from "./steady_load.ts";
import { SUITE_SETTINGS } from "./suite.ts";
import { waitUntil } from "./wait_until.ts";
import { commitOffset } from "./wire/commit_offset.ts";
import { coordinatorOf } from "./wire/coordinators.ts";
import { createTopic } from "./wire/produce.ts";
import { RawConnection } from "./wire/raw_connection.ts";

const SECONDS = Number(Deno.env.get("KAFSCALE_OUTAGE_SECONDS") ?? 8);
const TOPIC_ALREADY_EXISTS = 36;
/** REQUEST_TIMED_OUT, COORDINATOR_NOT_AVAILABLE. */
const [ADMIN_REFUSAL, COMMIT_REFUSAL] = [7, 15];
const LOAD = {
  topic: "outage",
  partitions: 6,
  producers: 2,
  recordsPerSecond: 400,
  valueBytes: 100,
  follow: true,
  members: 2,
};

async function onConnection<T>(
  bootstrap: string,
  call: (at: RawConnection) => Promise<T>,
): Promise<T> {
  using connection = await RawConnection.open(bootstrap);
  return await call(connection);
}

/** Whether what needs metadata works at that broker. */
async function worksAt(cluster: BrokerCluster, id: number): Promise<true | undefined> {
  const { bootstrap } = cluster.brokers[id]!;
  const code = await onConnection(bootstrap, (at) => createTopic(at, `after-${id}`, 1));
  if (code !== 0 && code !== TOPIC_ALREADY_EXISTS) return undefined;
  return await commits(cluster, `simple-${id}`) === 0 ? true : undefined;
}

/** The error code of a commit, from the group's coordinator. */
async function commits(cluster: BrokerCluster, group: string): Promise<number | undefined> {
  const id = await coordinatorOf(cluster.brokers[0]!.bootstrap, group);
  if (id === undefined) return undefined;
  const { bootstrap } = cluster.brokers[id]!;
  return await onConnection(bootstrap, (at) => commitOffset(at, LOAD.topic, 1, group));
}

async function outage(
  cluster: BrokerCluster,
  load: SteadyLoad,
  away: () => Promise<void> | void,
  back: () => Promise<void> | void,
): Promise<void> {
  await away();
  const ends = performance.now() + SECONDS * 1000;
  let slowestMs = 0;
  do slowestMs = Math.max(slowestMs, await load.goesOn("while metadata is away", 15_000)); while (
    performance.now() < ends - 3_000
  );
  const refused = await Promise.all(
    cluster.brokers.map(({ bootstrap }) =>
      onConnection(bootstrap, (at) => createTopic(at, "during", 1))
    ),
  );
  assertEquals(refused, [ADMIN_REFUSAL, ADMIN_REFUSAL, ADMIN_REFUSAL]);
  assertEquals(await commits(cluster, "simple"), COMMIT_REFUSAL);
  await back();
  const started = performance.now();
  for (const id of cluster.brokers.keys()) {
    await waitUntil(`metadata at broker ${id}`, () => worksAt(cluster, id), 30_000);
  }
  const resumedMs = Math.round(performance.now() - started);
  await load.goesOn("after the outage");
  assertEquals(cluster.brokers.map(({ exitCode }) => exitCode), [undefined, undefined, undefined]);
  console.log(
    `away ${SECONDS} s: 500 records took ${slowestMs} ms at most meanwhile; commits and topics ` +
      `work again after ${resumedMs} ms`,
  );
}

async function throughOutages(etcd: Etcd, cluster: BrokerCluster): Promise<void> {
  const agent = await denoAgent("kafkajs_agent.mjs", cluster.bootstrap);
  await agent.call("createTopic", { topic: LOAD.topic, partitions: LOAD.partitions });
  await agent.stop();
  const load = await SteadyLoad.start(LOAD, cluster.bootstrap);
  const member: EtcdMember = etcd.members[0]!;
  try {
    await load.goesOn("at the start");
    await waitUntil("the group reads", () => load.group.recordsSeen > 100 ? true : undefined);
    await outage(cluster, load, () => member.kill(), () => member.start());
    // its leases have all run out when it wakes up
    await outage(cluster, load, () => member.pause(), () => member.resume());
    await load.finish();
    assertEquals(load.failures.slice(0, 3), [], `${load.failures.length} sends failed`);
    const records = await readAll(LOAD, cluster.bootstrap);
    assertDelivered(records, load.acknowledged);
    load.assertRead(records);
    load.group.assertWhole(records);
    const sealed = cluster.brokers.flatMap(({ log }) => log)
      .filter((line) => line.includes("sealed the chain") || line.includes("cannot go on"));
    assert(sealed.length === 0, sealed.join("\n"));
  } finally {
    load.kill();
  }
}

if (haveTools("cluster without metadata", "etcd", "java", "javac", "mvn")) {
  Deno.test({
    name: "cluster: led partitions go on without metadata, and nothing needs a restart",
    ignore: targetIsApache() || Deno.env.has("KAFSCALE_TEST_BOOTSTRAP") ||
      !await haveMinio("cluster without metadata"),
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using etcd = await Etcd.start();
      await using minio = await Minio.start();
      const services = { etcd, bucket: minio.settings(await minio.bucket()) };
      const env = {
        ...SUITE_SETTINGS,
        KAFSCALE_ETCD_TIMEOUT_MS: "1500",
        // commits cost this machine more than they tell
        KAFSCALE_FLUSH_INTERVAL_MS: "25",
      };
      await using cluster = await BrokerCluster.start(services, { env });
      try {
        await throughOutages(etcd, cluster);
      } catch (error) {
        console.error(cluster.tail(40));
        throw error;
      }
    },
  });
}
