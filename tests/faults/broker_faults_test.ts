/**
 * A whole broker on a real MinIO through every outage there is, one after the other, while
 * idempotent Java producers write and a Java consumer and a raw one read: nothing is lost, doubled
 * or reordered, no send fails, and nobody helps.
 *
 * Environment:
 * - KAFSCALE_FAULT_SECONDS   outages drawn at random for so long, MinIO paused for 20 s among them;
 *                            unset: each once, briefly
 * - KAFSCALE_FAULT_SEED      repeats an order, as far as real processes can be repeated
 * - KAFSCALE_FAULT_STORAGE   `minio` for that driver; unset: `s3`
 */
import { assert, assertEquals } from "@std/assert";
import { javaAgent } from "../clients/agents.ts";
import { BrokerProcess } from "../clients/broker_process.ts";
import { assertDelivered } from "../clients/delivery_check.ts";
import { haveTools } from "../clients/requirement.ts";
import { readAll, SteadyLoad } from "../clients/steady_load.ts";
import { SUITE_SETTINGS } from "../clients/suite.ts";
import { VisibleBatches } from "../clients/wire/visible_batches.ts";
import { FaultProxy } from "../services/fault_proxy.ts";
import { haveMinio, Minio } from "../services/minio.ts";
import { Prng } from "../simulation/prng.ts";
import { type Outage, OUTAGES, type World } from "./outages.ts";
import { Rewriting } from "./rewriting.ts";

const LOAD = {
  topic: "faults",
  partitions: 4,
  producers: 3,
  recordsPerSecond: 1500,
  valueBytes: 200,
  follow: true,
};
const SECONDS = Number(Deno.env.get("KAFSCALE_FAULT_SECONDS") ?? 0);
const SEED = Deno.env.get("KAFSCALE_FAULT_SEED") ?? crypto.randomUUID().slice(0, 8);
const STORAGE = Deno.env.get("KAFSCALE_FAULT_STORAGE") ?? "s3";
/** "MinIO is paused" takes it twice. */
const OUTAGE_MS = SECONDS > 0 ? 10_000 : 1_500;
/** Producers go on so soon after an outage at the latest. */
const RESUME_MS_MAX = 30_000;

/** Small segments, so that rewriting and checkpoints are always under way. */
const SETTINGS = {
  ...SUITE_SETTINGS,
  KAFSCALE_STORAGE: STORAGE,
  KAFSCALE_FLUSH_INTERVAL_MS: "20",
  KAFSCALE_S3_TIMEOUT_MS: "2000",
  KAFSCALE_WAL_BYTES: "1MiB",
  KAFSCALE_SEGMENT_BYTES: "256KiB",
  KAFSCALE_CACHE_BYTES: "4MiB",
};

/** Each outage once in an order of the seed, or one after the other until the time is over. */
function* plan(random: Prng): Generator<Outage> {
  const ends = performance.now() + SECONDS * 1000;
  do {
    const left = [...OUTAGES];
    while (left.length > 0) {
      if (SECONDS > 0 && performance.now() > ends) return;
      yield left.splice(random.below(left.length), 1)[0]!;
    }
  } while (SECONDS > 0);
}

/** Lines that tell of a bug, whatever the weather. */
function assertNoBugs(log: readonly string[]): void {
  const bugs = log.filter((line) => /invariant|unreachable|TypeError|ReferenceError/i.test(line));
  assertEquals(bugs.slice(0, 3), []);
}

async function throughEverything(): Promise<void> {
  console.log(`seed ${SEED} (KAFSCALE_FAULT_SEED=${SEED} repeats the order)`);
  const random = new Prng(SEED);
  await using minio = await Minio.start();
  await using proxy = new FaultProxy({ port: minio.port, seed: SEED });
  const bucket = await minio.bucket();
  const settings = minio.settings(bucket);
  const env = { ...SETTINGS, ...settings, KAFSCALE_S3_ENDPOINT: proxy.endpoint };
  await using broker = await BrokerProcess.start({ env, startTimeoutMs: 60_000 });
  const rewriting = new Rewriting(minio, bucket);
  const world: World = { minio, proxy, broker, random };
  const admin = await javaAgent(broker.bootstrap);
  await admin.call("createTopic", { topic: LOAD.topic, partitions: LOAD.partitions });
  await admin.stop();
  const load = await SteadyLoad.start(LOAD, broker.bootstrap);
  const watch = new VisibleBatches(broker.bootstrap, LOAD.topic, LOAD.partitions);
  try {
    await load.goesOn("at the start");
    for (const outage of plan(random)) {
      // Otherwise nothing of this were about rewriting and checkpoints.
      if (outage.endsBroker) await rewrites(rewriting, 1);
      await suffer(outage, world, load);
      if (outage.endsBroker) await rewriting.restarted();
    }
    await rewrites(rewriting, LOAD.partitions + 1);
    await load.finish();
    await check(broker, load, watch);
    await broker.kill();
    await broker.restart();
    const records = await readAll(LOAD, broker.bootstrap);
    assertDelivered(records, load.acknowledged);
    assertNoBugs(broker.log);
    const struck = JSON.stringify(proxy.struck);
    console.log(`${proxy.total} requests to the store, struck: ${struck}`);
  } catch (error) {
    console.error(broker.tail(40));
    throw error;
  } finally {
    watch.stop();
    load.kill();
  }
}

async function rewrites(rewriting: Rewriting, segments: number): Promise<void> {
  const ms = await rewriting.goesOn(segments);
  console.log(`rewritten since the broker started, after ${ms} ms more`);
}

async function suffer(outage: Outage, world: World, load: SteadyLoad): Promise<void> {
  const before = load.acknowledged.size;
  const started = performance.now();
  await outage.run(world, OUTAGE_MS);
  const took = Math.round(performance.now() - started);
  const meanwhile = load.acknowledged.size - before;
  const resumed = await load.goesOn(`after: ${outage.name}`, RESUME_MS_MAX);
  console.log(
    `${outage.name}: ${took} ms, ${meanwhile} acknowledged meanwhile, ${resumed} ms more until ` +
      "the next 500",
  );
}

async function check(
  broker: BrokerProcess,
  load: SteadyLoad,
  watch: VisibleBatches,
): Promise<void> {
  assertEquals(load.failures.slice(0, 3), [], `${load.failures.length} sends failed`);
  const records = await readAll(LOAD, broker.bootstrap);
  assertDelivered(records, load.acknowledged);
  load.assertRead(records);
  const seen = await watch.check();
  assert(seen > 0, "the raw reader saw nothing");
  console.log(
    `${load.acknowledged.size} acknowledged, ${records.length} stored, all once; all were read ` +
      `once; ${seen} batches seen on the way are the same`,
  );
}

const ready = haveTools("faults", "java", "javac", "mvn") && await haveMinio("faults");
Deno.test({
  name: `faults: a broker on ${STORAGE} comes through every outage, by itself`,
  ignore: !ready || Deno.env.has("KAFSCALE_TEST_BOOTSTRAP"),
  sanitizeOps: false,
  sanitizeResources: false,
  fn: throughEverything,
});
