/**
 * The fault bench of a cluster: three brokers, etcd and MinIO as real processes, which are killed,
 * paused and stopped at random, while idempotent Java producers write, and a reader and a group
 * read. At the end nothing may be lost, doubled or reordered, no offset may ever have had two
 * values, and the group may have skipped nothing.
 *
 *     deno task faults --seconds 600 [--seed WORD] [--storage minio]
 */
import { assertEquals } from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { javaAgent } from "../clients/agents.ts";
import { BrokerCluster } from "../clients/broker_cluster.ts";
import { assertDelivered } from "../clients/delivery_check.ts";
import { readAll, SteadyLoad } from "../clients/steady_load.ts";
import { SUITE_SETTINGS } from "../clients/suite.ts";
import { Etcd } from "../services/etcd.ts";
import { Minio } from "../services/minio.ts";
import { Prng } from "../simulation/prng.ts";
import { CLUSTER_OUTAGES, type ClusterOutage, supervised } from "./cluster_outages.ts";

const LOAD = {
  topic: "faults",
  partitions: 12,
  producers: 3,
  recordsPerSecond: 600,
  valueBytes: 200,
  follow: true,
  members: 2,
};
/** Everything goes on so soon after an outage at the latest. */
const RESUME_MS_MAX = 90_000;

/** Small segments, so that rewriting and checkpoints are always under way. */
const SETTINGS = {
  ...SUITE_SETTINGS,
  KAFSCALE_FLUSH_INTERVAL_MS: "20",
  KAFSCALE_S3_TIMEOUT_MS: "2000",
  KAFSCALE_ETCD_TIMEOUT_MS: "2000",
  KAFSCALE_WAL_BYTES: "1MiB",
  KAFSCALE_SEGMENT_BYTES: "256KiB",
  KAFSCALE_CACHE_BYTES: "4MiB",
  // refusals are told, too
  KAFSCALE_LOG_LEVEL: "debug",
};

export interface FaultPlan {
  readonly seed: string;
  /** Outages at random for so long; unset: each of `outages` once. */
  readonly seconds?: number;
  readonly outages?: readonly ClusterOutage[];
  readonly storage?: string;
}

export async function clusterFaults(plan: FaultPlan): Promise<void> {
  const random = new Prng(plan.seed);
  const startedMs = performance.now();
  await using etcd = await Etcd.start();
  await using minio = await Minio.start();
  const services = { etcd, bucket: minio.settings(await minio.bucket()) };
  const env = { ...SETTINGS, KAFSCALE_STORAGE: plan.storage ?? "s3" };
  await using cluster = await BrokerCluster.start(services, { env });
  const world = { cluster, etcd, minio, random };
  const admin = await javaAgent(cluster.bootstrap);
  await admin.call("createTopic", { topic: LOAD.topic, partitions: LOAD.partitions });
  await admin.stop();
  const load = await SteadyLoad.start(LOAD, cluster.bootstrap);
  let count = 0;
  let restarts = 0;
  try {
    await load.goesOn("at the start");
    for (const outage of drawn(plan, random, startedMs)) {
      const before = load.acknowledged.size;
      const began = performance.now();
      await outage.run(world);
      const tookMs = Math.round(performance.now() - began);
      const meanwhile = load.acknowledged.size - before;
      const resuming = load.goesOn(`after: ${outage.name}`, RESUME_MS_MAX);
      restarts += await supervised(cluster, resuming);
      console.log(
        `${++count}. ${outage.name}: ${tookMs} ms, ${meanwhile} acknowledged meanwhile, ` +
          `${await resuming} ms more until the next 500`,
      );
    }
    restarts += await supervised(cluster, load.finish());
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    const records = await check(cluster, load);
    console.log(
      `${count} outages in ${seconds} s; ${restarts} brokers found themselves sealed and were ` +
        `started again; ${load.acknowledged.size} records acknowledged, ${records} stored, all ` +
        `once and in order; each read once by the reader; none skipped by the group, which began ` +
        `with a partition ${load.group.starts} times`,
    );
  } catch (error) {
    console.error(cluster.tail(30));
    console.error(`whole logs and acknowledgements: ${await keep(cluster, load)}`);
    throw error;
  } finally {
    load.kill();
  }
}

function* drawn(plan: FaultPlan, random: Prng, startedMs: number): Generator<ClusterOutage> {
  const { seconds, outages = CLUSTER_OUTAGES } = plan;
  if (seconds === undefined) return yield* outages;
  while (performance.now() - startedMs < seconds * 1000) {
    yield outages[random.below(outages.length)]!;
  }
}

/** Everything against everything, then again after a cold start; how many records are stored. */
async function check(cluster: BrokerCluster, load: SteadyLoad): Promise<number> {
  const records = await readAll(LOAD, cluster.bootstrap);
  assertDelivered(records, load.acknowledged);
  load.assertRead(records);
  load.group.assertWhole(records);
  await Promise.all(cluster.brokers.map((broker) => broker.kill()));
  await Promise.all(cluster.brokers.map((broker) => broker.restart()));
  assertDelivered(await readAll(LOAD, cluster.bootstrap), load.acknowledged);
  const bugs = cluster.brokers.flatMap(({ log }) => log)
    .filter((line) => /invariant|unreachable|TypeError|ReferenceError/i.test(line));
  assertEquals(bugs.slice(0, 3), []);
  // last, for it would hide what is worse
  assertEquals(load.failures, [], `${load.failures.length} sends failed`);
  return records.length;
}

/** What tells how it came to a failure, in a folder of its own. */
async function keep(cluster: BrokerCluster, load: SteadyLoad): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-faults-" });
  for (const [id, { log }] of cluster.brokers.entries()) {
    await Deno.writeTextFile(`${dir}/broker-${id}.log`, log.join("\n"));
  }
  // in the order in which they came
  const lines = Array.from(load.acknowledged, ([record, offset]) => `${record} ${offset}`);
  await Deno.writeTextFile(`${dir}/acknowledged`, lines.concat(load.failures).join("\n"));
  return dir;
}

if (import.meta.main) {
  const flags = parseArgs(Deno.args, { string: ["seconds", "seed", "storage"] });
  const text = (flag: unknown, otherwise: string) => typeof flag === "string" ? flag : otherwise;
  const chosen = text(flags.seed, crypto.randomUUID().slice(0, 8));
  console.log(`seed ${chosen} (--seed ${chosen} draws the same outages)`);
  await clusterFaults({
    seed: chosen,
    seconds: Number(text(flags.seconds, "60")),
    storage: text(flags.storage, "s3"),
  });
  Deno.exit(0);
}
