/**
 * How long a cluster is without a leader: after kill -9 of a leader of many partitions, and for one
 * partition while its leader drains. Three brokers with default leases, etcd and MinIO, all on this
 * machine. Prints both, and exits with 1 where a mark is missed.
 *
 *     deno run --allow-all bench/cluster/failover.ts [--partitions 100] [--smoke]
 */
import { parseArgs } from "@std/cli/parse-args";
import { BrokerCluster } from "../../tests/clients/broker_cluster.ts";
import { createTopic } from "../../tests/clients/wire/produce.ts";
import { RawConnection } from "../../tests/clients/wire/raw_connection.ts";
import { Etcd } from "../../tests/services/etcd.ts";
import { Minio } from "../../tests/services/minio.ts";
import { MovingProducer, pause, produceToEach } from "./moving_producer.ts";

const BROKERS = 3;
const TAKE_OVER_MARGIN_MS = 2_000;
const HAND_OVER_MS_MAX = 300;
const SAMPLED = 10;
/** A producer that is not at the next leader by then is a fault. */
const MOVED_WITHIN_MS = 20_000;

/** Partitions by the broker that takes their records. */
async function ledBy(cluster: BrokerCluster, topic: string, count: number): Promise<number[][]> {
  const all = Array.from({ length: count }, (_, partition) => partition);
  return await Promise.all(cluster.brokers.map(async ({ bootstrap }) => {
    using connection = await RawConnection.open(bootstrap);
    return await produceToEach(connection, topic, all);
  }));
}

/** Milliseconds from kill -9 until every partition of the broker takes records again. */
async function takeOver(cluster: BrokerCluster, topic: string, count: number): Promise<number> {
  const victim = cluster.brokers[0]!;
  let left = (await ledBy(cluster, topic, count))[0]!;
  console.log(`kill -9 of a leader of ${left.length} of ${count} partitions`);
  await victim.kill();
  const killedMs = performance.now();
  const others = await Promise.all(
    cluster.brokers.slice(1).map(({ bootstrap }) => RawConnection.open(bootstrap)),
  );
  while (left.length > 0) {
    for (const connection of others) {
      const taken = new Set(await produceToEach(connection, topic, left));
      left = left.filter((partition) => !taken.has(partition));
    }
    await pause(20);
  }
  const tookMs = performance.now() - killedMs;
  for (const connection of others) connection.close();
  await victim.restart();
  return tookMs;
}

interface HandOver {
  /** The longest time without an acknowledgement of each partition whose leader ends by SIGTERM. */
  readonly gapsMs: readonly number[];
  /** The same of partitions that stay where they are: the store and the machine, nothing else. */
  readonly stayedMs: number;
}

async function handOver(
  cluster: BrokerCluster,
  topic: string,
  count: number,
): Promise<HandOver> {
  const led = await ledBy(cluster, topic, count);
  const bootstraps = cluster.brokers.map(({ bootstrap }) => bootstrap);
  const producersTo = (partitions: readonly number[]) =>
    partitions.map((partition) => new MovingProducer(bootstraps, topic, partition));
  const producers = producersTo(led[1]!.slice(0, SAMPLED));
  const others = producersTo([led[0]![0]!, led[2]![0]!]);
  await pause(2_000);
  for (const producer of [...producers, ...others]) producer.reset();
  await cluster.brokers[1]!.terminate();
  const endMs = performance.now() + MOVED_WITHIN_MS;
  while (producers.some(({ moves }) => moves === 0) && performance.now() < endMs) await pause(20);
  await Promise.all([...producers, ...others].map((each) => each.stop()));
  const moved = producers.filter(({ moves }) => moves > 0);
  if (moved.length < producers.length) {
    throw new Error(`only ${moved.length} of ${producers.length} moved`);
  }
  return {
    gapsMs: moved.map(({ longestGapMs }) => Math.round(longestGapMs)).toSorted((a, b) => a - b),
    stayedMs: Math.round(Math.max(...others.map(({ longestGapMs }) => longestGapMs))),
  };
}

async function main(): Promise<number> {
  const flags = parseArgs(Deno.args, { string: ["partitions"], boolean: ["smoke"] });
  const smoke = flags["smoke"] === true;
  const each = smoke ? 4 : Number(flags["partitions"] ?? 100);
  const leaseMs = smoke ? 2_000 : 6_000;
  await using etcd = await Etcd.start();
  await using minio = await Minio.start();
  const services = { etcd, bucket: minio.settings(await minio.bucket()) };
  const env = { KAFSCALE_BROKER_LEASE_MS: String(leaseMs) };
  await using cluster = await BrokerCluster.start(services, { brokers: BROKERS, env });
  const topic = "failover";
  const count = BROKERS * each;
  using admin = await RawConnection.open(cluster.brokers[0]!.bootstrap);
  const code = await createTopic(admin, topic, count);
  if (code !== 0) throw new Error(`the topic cannot be created: error ${code}`);
  const shares = (await ledBy(cluster, topic, count)).map((led) => led.length);
  console.log(`${count} partitions, by broker: ${shares.join(", ")}`);
  const { gapsMs: gaps, stayedMs } = await handOver(cluster, topic, count);
  await cluster.brokers[1]!.restart();
  // until the restarted broker leads its part again
  while ((await ledBy(cluster, topic, count)).some((led) => led.length < each)) await pause(100);
  const tookMs = Math.round(await takeOver(cluster, topic, count));
  console.log(
    `producing to all of them again after ${tookMs} ms: the lease of ${leaseMs} ms and ` +
      `${tookMs - leaseMs} ms (at most ${TAKE_OVER_MARGIN_MS})`,
  );
  const [median, most] = [gaps[gaps.length >> 1]!, gaps.at(-1)!];
  console.log(
    `a drained partition took no records for ${median} ms (median of ${gaps.length}), ` +
      `${most} ms at most (below ${HAND_OVER_MS_MAX}, where the store does not stall: meanwhile ` +
      `partitions that stayed took none for ${stayedMs} ms)`,
  );
  if (smoke) return 0;
  // One commit that the store holds up is in the gap as well as in those of partitions that stayed.
  const judged = median < HAND_OVER_MS_MAX && most < HAND_OVER_MS_MAX + stayedMs;
  return tookMs <= leaseMs + TAKE_OVER_MARGIN_MS && judged ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
