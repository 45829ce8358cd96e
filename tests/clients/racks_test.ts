/**
 * Consumers with client.rack (librdkafka, Java's, franz-go) on three broker processes in three
 * racks, on a real etcd and a real MinIO (KIP-392): the broker of their rack serves them, follows
 * appends, and goes through the leader's death; nothing is read twice or skipped.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { Etcd } from "../services/etcd.ts";
import { haveMinio, Minio } from "../services/minio.ts";
import { goAgent } from "./agents.ts";
import { BrokerCluster } from "./broker_cluster.ts";
import { type BrokerProcess, targetIsApache } from "./broker_process.ts";
import { fetchedBytes, figure } from "./broker_figures.ts";
import { ToolHost } from "./java/tool_host.ts";
import { KcatReader, KcatWriter } from "./kcat_streams.ts";
import { haveTools } from "./requirement.ts";
import { waitUntil } from "./wait_until.ts";

const RACKS = ["rack-a", "rack-b", "rack-c"];
const TOPIC = "near";
/** What a follower may be late, on a machine that is busy with other things. */
const LATE_MS = 3_000;

const bytesOf = (broker: BrokerProcess) => fetchedBytes(broker, TOPIC);

async function withCluster(run: (cluster: BrokerCluster, host: ToolHost) => Promise<void>) {
  await using etcd = await Etcd.start();
  await using minio = await Minio.start();
  await using host = await ToolHost.start();
  const bucket = minio.settings(await minio.bucket());
  const envOf = (id: number) => ({ KAFSCALE_RACK: RACKS[id]! });
  await using cluster = await BrokerCluster.start({ etcd, bucket }, { envOf });
  try {
    const args = ["--create", "--topic", TOPIC, "--replica-assignment", "0"];
    const server = ["--bootstrap-server", cluster.brokers[0]!.bootstrap];
    const created = await host.run("topics", [...server, ...args]);
    assertEquals(created.code, 0, created.out + created.err);
    await run(cluster, host);
    const bugs = cluster.brokers.flatMap(({ log }) => log)
      .filter((line) => /invariant|uncaught|unhandled|TypeError/i.test(line));
    assertEquals(bugs.slice(0, 3), []);
  } catch (error) {
    console.error(cluster.tail());
    throw error;
  }
}

/** What a broker's metadata says of the topic. */
async function described(broker: BrokerProcess): Promise<string> {
  const args = ["-L", "-b", broker.bootstrap, "-t", TOPIC];
  const { stdout } = await new Deno.Command("kcat", { args }).output();
  return new TextDecoder().decode(stdout);
}

async function near(cluster: BrokerCluster, host: ToolHost): Promise<void> {
  await waitUntil("the first broker to lead, and the others to serve reads", async () => {
    const text = await described(cluster.brokers[1]!);
    return /leader 0, replicas: 0,1,2, isrs: 0,1,2/.test(text) ? true : undefined;
  });
  const [first, second, third] = cluster.brokers as [BrokerProcess, BrokerProcess, BrokerProcess];
  await using writer = new KcatWriter(cluster.bootstrap, TOPIC);
  await using atSecond = new KcatReader(cluster.bootstrap, TOPIC, RACKS[1]!);
  await using atThird = new KcatReader(cluster.bootstrap, TOPIC, RACKS[2]!);
  const readers = [atSecond, atThird];
  const caughtUp = (count: number) =>
    waitUntil(`readers at ${count}`, () => readers.every((r) => r.count >= count) || undefined);
  await caughtUp(200);
  for (const reader of readers) assertLess(reader.lateMs(100), LATE_MS);
  assertEquals(await bytesOf(first), 0, "the leader sent its readers away");
  for (const broker of [second, third]) assert(await bytesOf(broker) > 200 * 10);

  assert(await figure(first, "kafscale_fetch_referrals_total") >= 2);
  assertEquals(await figure(second, "kafscale_followed_partitions"), 1);
  assert(await figure(second, "kafscale_followed_slots_total") > 0);

  const before = await bytesOf(second);
  const consumed = await host.run("console-consumer", [
    ...["--bootstrap-server", first.bootstrap, "--topic", TOPIC, "--from-beginning"],
    ...["--max-messages", "100", "--timeout-ms", "20000"],
    ...["--consumer-property", `client.rack=${RACKS[1]}`],
  ]);
  assertEquals(consumed.out.trim().split("\n").length, 100, consumed.err);
  assertEquals(await bytesOf(first), 0, "Java's consumer was sent away, too");
  assert(await bytesOf(second) > before);

  await franzGo(first, third);

  await first.kill();
  const written = writer.count;
  await caughtUp(written + 200);
  const served = await Promise.all([second, third].map((broker) => bytesOf(broker)));
  const count = await writer.end();
  await caughtUp(count);
  for (const reader of readers) reader.assertWhole(count);
  // One of them leads now; the other one goes on as a follower.
  for (const [at, broker] of [second, third].entries()) {
    assert(await bytesOf(broker) > served[at]!, `broker ${at + 1} served on`);
  }
}

/** franz-go, which learns from the leader's answer where to fetch. */
async function franzGo(leader: BrokerProcess, atRack: BrokerProcess): Promise<void> {
  const before = await bytesOf(atRack);
  const agent = await goAgent("franz", leader.bootstrap);
  try {
    const topic = { topic: TOPIC, partitions: 1, from: "earliest" as const };
    const ask = { ...topic, count: 150, waitMs: 20_000, rack: RACKS[2]! };
    const records = await agent.call("consume", ask);
    const offsets = records.slice(0, 150).map(({ o }) => o);
    assertEquals(offsets, Array.from({ length: 150 }, (_, at) => at));
  } finally {
    await agent.stop();
  }
  assertEquals(await bytesOf(leader), 0, "franz-go was sent away, too");
  assert(await bytesOf(atRack) > before);
}

const NAME = "consumers with a rack";

if (haveTools(NAME, "java", "javac", "mvn", "go", "etcd", "kcat") && await haveMinio(NAME)) {
  Deno.test({
    name: `${NAME}: read at their rack's broker, through the leader's death, each record once`,
    ignore: targetIsApache(),
    sanitizeOps: false,
    sanitizeResources: false,
    fn: () => withCluster(near),
  });
}
