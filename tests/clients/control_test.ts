/** The control service of a real broker, called by a client that is generated from its .proto. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Etcd } from "../services/etcd.ts";
import { haveMinio, Minio } from "../services/minio.ts";
import { BrokerCluster } from "./broker_cluster.ts";
import { BrokerProcess, targetIsApache } from "./broker_process.ts";
import { ControlClient } from "./control_client.ts";
import { allRegistered } from "./ops_api.ts";
import { haveTools } from "./requirement.ts";
import { waitUntil } from "./wait_until.ts";
import { batch, createTopic, produce } from "./wire/produce.ts";
import { RawConnection } from "./wire/raw_connection.ts";

const TOKEN = "control-test-token";

/** Where the newest start of the broker serves the control service. */
async function controlAddress(broker: BrokerProcess): Promise<string> {
  const line = await waitUntil(
    "the control service",
    () => broker.log.findLast((each) => each.includes("control listening on port")),
  );
  return `127.0.0.1:${/on port (\d+)/.exec(line)![1]}`;
}

function test(criterion: string, fn: () => Promise<void>): void {
  Deno.test({
    name: `control: ${criterion}`,
    ignore: targetIsApache(),
    sanitizeOps: false,
    sanitizeResources: false,
    fn,
  });
}

const refs = (partitions: readonly { topic: string; partition: number }[]) =>
  partitions.map(({ topic, partition }) => `${topic}-${partition}`).sort();

async function oneBroker(): Promise<void> {
  const env = { KAFSCALE_CONTROL_ADDR: "127.0.0.1:0", KAFSCALE_OPS_TOKEN: TOKEN };
  await using broker = await BrokerProcess.start({ env });
  await using client = await ControlClient.start(await controlAddress(broker));
  using connection = await RawConnection.open(broker.bootstrap);
  assertEquals(await createTopic(connection, "t", 2), 0);
  const { errorCode } = await produce(connection, "t", 1, batch([new Uint8Array(100)]));
  assertEquals(errorCode, 0);

  const status = await client.ok({ method: "GetStatus" });
  assertEquals([status.broker_id, status.ready, status.state], ["0", true, "serving"]);
  assertEquals(refs(status.partitions), ["t-0", "t-1"]);
  const { log_start_offset, log_end_offset, high_watermark, leader, state } = status.partitions[1];
  assertEquals([log_start_offset, log_end_offset, high_watermark], ["0", "1", "1"]);
  assertEquals([leader, state], [true, "online"]);

  const flush = { method: "TriggerFlush", request: { all_assigned: true } };
  assertEquals((await client.refused(flush))[0], "UNAUTHENTICATED");
  assertEquals((await client.refused({ ...flush, token: "wrong-token" }))[0], "UNAUTHENTICATED");
  assertEquals(refs((await client.ok({ ...flush, token: TOKEN })).flushed), ["t-0", "t-1"]);
  const none = await client.refused({ method: "TriggerFlush", token: TOKEN });
  assertEquals(none[0], "INVALID_ARGUMENT");

  const drain = await client.refused({ method: "DrainPartitions", token: TOKEN });
  assertEquals(drain[0], "FAILED_PRECONDITION");
  assertMatch(drain[1], /no other broker/);

  const samples = await client.ok({
    method: "StreamMetrics",
    request: { interval_ms: 100 },
    take: 3,
  });
  assertEquals(samples.length, 3);
  const [first, , last] = samples;
  assert(Number(last.timestamp_ms) > Number(first.timestamp_ms));
  assertEquals(first.gauges.kafscale_broker_ready, 1);
  assert(Object.values(first.counters).some((value) => Number(value) > 0));

  const watched = { method: "WatchAssignments", take: 2, keep: "watch" };
  const events = await client.ok(watched);
  assertEquals(refs(events.map((each: { partition: unknown }) => each.partition)), ["t-0", "t-1"]);
  assertEquals(await createTopic(connection, "later", 1), 0);
  const [event] = await client.ok({ more: "watch", take: 1 });
  assertEquals(event, {
    partition: { topic: "later", partition: 0 },
    broker_id: "0",
    status: "assigned",
    epoch: 0,
  });
}

async function withoutToken(): Promise<void> {
  await using broker = await BrokerProcess.start({
    env: { KAFSCALE_CONTROL_ADDR: "127.0.0.1:0" },
  });
  await using client = await ControlClient.start(await controlAddress(broker));
  for (const method of ["DrainPartitions", "TriggerFlush"]) {
    const [code, details] = await client.refused({ method, token: TOKEN });
    assertEquals(code, "PERMISSION_DENIED");
    assertMatch(details, /set KAFSCALE_OPS_TOKEN/);
  }
  assertEquals((await client.ok({ method: "GetStatus" })).partitions, []);
}

/** The controller alone has tried that the bucket takes metadata snapshots. */
async function oneMakesSnapshots(brokers: readonly BrokerProcess[]): Promise<void> {
  await waitUntil("one broker to make snapshots", async () => {
    const tried = await Promise.all(brokers.map(async ({ metricsPort }) => {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      return /^kafscale_operator_etcd_snapshot_access_ok\{.*\} 1$/m.test(text);
    }));
    return tried.filter((each) => each).length === 1 ? true : undefined;
  }, 40_000);
}

async function draining(): Promise<void> {
  await using etcd = await Etcd.start();
  await using minio = await Minio.start();
  const bucket = { KAFSCALE_STORAGE: "minio", ...minio.settings(await minio.bucket()) };
  const env = { KAFSCALE_CONTROL_ADDR: "127.0.0.1:0", KAFSCALE_OPS_TOKEN: TOKEN };
  await using cluster = await BrokerCluster.start({ etcd, bucket }, { brokers: 2, env });
  const [stays, leaves] = cluster.brokers as [BrokerProcess, BrokerProcess];
  await using client = await ControlClient.start(await controlAddress(leaves));
  await allRegistered(cluster.brokers);
  await oneMakesSnapshots(cluster.brokers);
  {
    using connection = await RawConnection.open(stays.bootstrap);
    assertEquals(await createTopic(connection, "t", 6), 0);
  }
  const led = async () => refs((await client.ok({ method: "GetStatus" })).partitions);
  const mine = await waitUntil("a share of the partitions", async () => {
    const found = await led();
    return found.length === 3 ? found : undefined;
  });
  const watch = { method: "WatchAssignments", request: { broker_id: "1" }, take: 3, keep: "mine" };
  const events = await client.ok(watch);
  assertEquals(refs(events.map((each: { partition: unknown }) => each.partition)), mine);
  const partition = Number(mine[0]!.split("-")[1]);
  const drain = (request: Record<string, unknown>) =>
    client.ok({ method: "DrainPartitions", request, token: TOKEN });
  const one = await drain({ partitions: [{ topic: "t", partition }], reason: "a test" });
  assertEquals([refs(one.drained), one.pending], [[mine[0]!], []]);
  // the controller may give this broker another one for it, and tell of that before
  const lost = await waitUntil("the event of the drained partition", async () => {
    const [event] = await client.ok({ more: "mine", take: 1 });
    return event.partition.partition === partition ? event : undefined;
  });
  assertEquals(lost.broker_id, "0");
  const all = await drain({ deadline_seconds: 30 });
  assertEquals(all.pending, []);
  assertEquals(await led(), []);
  assertEquals((await client.ok({ method: "GetStatus" })).state, "drained");
}

if (haveTools("control", "python3")) {
  test("status, flush, metrics and assignments, for whoever has the token", oneBroker);
  test("nothing can be changed where no token is set", withoutToken);
}

if (haveTools("control of two brokers", "python3", "etcd") && await haveMinio("control")) {
  test("DrainPartitions moves one partition, then all, and the watch tells", draining);
}
