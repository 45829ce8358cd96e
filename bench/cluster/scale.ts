/**
 * What 10,000 partitions in 200 topics cost the metadata service of three brokers: how fast they
 * are assigned, again after a broker was killed, and what goes on while nothing happens. Prints
 * all, and exits with 1 where a mark is missed.
 *
 *     deno run --allow-all bench/cluster/scale.ts [--topics 200] [--partitions 50] [--seconds 30]
 */
import { parseArgs } from "@std/cli/parse-args";
import { assignmentOf, COORDINATORS } from "../../core/metadata/assignments.ts";
import { ASSIGNMENTS_PREFIX } from "../../core/metadata/keys.ts";
import type { MetadataStore } from "../../core/metadata/metadata_store.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { openMetadata } from "../../drivers/mod.ts";
import { BrokerCluster } from "../../tests/clients/broker_cluster.ts";
import { RawWriter } from "../../tests/clients/wire/bytes.ts";
import { RawConnection } from "../../tests/clients/wire/raw_connection.ts";
import { Etcd } from "../../tests/services/etcd.ts";
import { Minio } from "../../tests/services/minio.ts";
import { configOf } from "../killed_broker.ts";
import { pause } from "./moving_producer.ts";

const LEASE_MS = 6_000;
const ASSIGN_MS_MAX = 2_000;
const WRITES_PER_SECOND_MAX = 0.5;

/** CreateTopics v2 of many topics; throws what the first refusal says. */
async function createTopics(
  bootstrap: string,
  topics: number,
  partitions: number,
): Promise<void> {
  using at = await RawConnection.open(bootstrap);
  const body = new RawWriter().int32(topics);
  for (let topic = 0; topic < topics; topic++) {
    body.string(`scale-${topic}`).int32(partitions).int16(1).int32(0).int32(0);
  }
  const correlation = await at.send(19, 2, body.int32(60_000).int8(0));
  const answer = await at.read(60_000);
  if (answer?.int32() !== correlation) throw new Error("the creation was not answered");
  answer.int32();
  for (let left = answer.int32(); left > 0; left--) {
    const name = answer.string();
    const code = answer.int16();
    if (code !== 0) throw new Error(`${name}: error ${code}`);
    answer.string();
  }
}

/** How many partitions each broker owns, by the records. */
async function owned(metadata: MetadataStore): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  const { entries } = await metadata.list(ASSIGNMENTS_PREFIX);
  for (const { topicId, partitions } of entries.map(assignmentOf)) {
    if (topicId === COORDINATORS) continue;
    for (const { owner } of partitions) {
      if (owner !== undefined) counts.set(owner.brokerId, (counts.get(owner.brokerId) ?? 0) + 1);
    }
  }
  return counts;
}

interface Traffic {
  readonly atMs: number;
  readonly revision: number;
  readonly proposals: number;
  readonly sentBytes: number;
}

async function traffic(etcd: Etcd): Promise<Traffic> {
  const text = await (await fetch(`${etcd.endpoints[0]}/metrics`)).text();
  const of = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  return {
    atMs: performance.now(),
    revision: await etcd.revision(),
    proposals: of("etcd_server_proposals_applied_total"),
    sentBytes: of("etcd_network_client_grpc_sent_bytes_total"),
  };
}

function spent(what: string, from: Traffic, to: Traffic): { writesPerSecond: number } {
  const seconds = (to.atMs - from.atMs) / 1000;
  const per = (count: number) => `${count} (${(count / seconds).toFixed(2)} a second)`;
  const writes = to.revision - from.revision;
  console.log(
    `${what}: ${seconds.toFixed(1)} s, ${per(writes)} writes, ` +
      `${per(to.proposals - from.proposals)} proposals, ` +
      `${((to.sentBytes - from.sentBytes) / 1e6).toFixed(2)} MB sent by etcd`,
  );
  return { writesPerSecond: writes / seconds };
}

async function main(): Promise<number> {
  const flags = parseArgs(Deno.args, { string: ["topics", "partitions", "seconds"] });
  const topics = Number(flags["topics"] ?? 200);
  const partitions = Number(flags["partitions"] ?? 50);
  const idleMs = Number(flags["seconds"] ?? 30) * 1000;
  const total = topics * partitions;
  await using etcd = await Etcd.start();
  await using minio = await Minio.start();
  const services = { etcd, bucket: minio.settings(await minio.bucket()) };
  const env = { KAFSCALE_BROKER_LEASE_MS: String(LEASE_MS) };
  await using cluster = await BrokerCluster.start(services, { env });
  const runtime = systemRuntime(systemLog("error", false));
  const at = { KAFSCALE_ETCD_ENDPOINTS: etcd.list, KAFSCALE_ETCD_PREFIX: cluster.name };
  const config = configOf({ dataDir: cluster.brokers[0]!.dataDir, env: at });
  const metadata = await openMetadata({ config, runtime });

  const start = await traffic(etcd);
  await createTopics(cluster.brokers[0]!.bootstrap, topics, partitions);
  const created = await traffic(etcd);
  const createdMs = created.atMs - start.atMs;
  spent(`${topics} topics with ${total} partitions, created and led`, start, created);
  console.log(`owners: ${JSON.stringify(Object.fromEntries(await owned(metadata)))}`);

  const idle = await traffic(etcd);
  await pause(idleMs);
  const { writesPerSecond } = spent("nothing happens", idle, await traffic(etcd));

  await cluster.brokers[2]!.kill();
  const killed = await traffic(etcd);
  let firstMs = 0;
  for (;;) {
    const counts = await owned(metadata);
    if (firstMs === 0 && (counts.get(2) ?? 0) < total / 3 - 1) firstMs = performance.now();
    if ((counts.get(2) ?? 0) === 0) break;
    await pause(50);
  }
  const over = await traffic(etcd);
  spent("a broker killed, its partitions led by others", killed, over);
  const tookMs = over.atMs - killed.atMs - LEASE_MS;
  console.log(
    `created and led after ${Math.round(createdMs)} ms; taken over ${Math.round(tookMs)} ms ` +
      `after the lease, ${Math.round(over.atMs - firstMs)} ms from the first to the last`,
  );
  await metadata.close();
  const good = createdMs <= ASSIGN_MS_MAX && tookMs <= ASSIGN_MS_MAX &&
    writesPerSecond <= WRITES_PER_SECOND_MAX;
  console.log(
    `marks: ${ASSIGN_MS_MAX} ms to assign, ${WRITES_PER_SECOND_MAX} writes a second at rest: ` +
      (good ? "kept" : "missed"),
  );
  return good ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
