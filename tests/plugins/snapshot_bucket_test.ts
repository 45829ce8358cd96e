/** Scheduled snapshots of a real cluster: in a bucket of their own, by the controller alone. */
import { assert, assertEquals } from "@std/assert";
import { cli } from "../cli/run_cli.ts";
import { BrokerCluster } from "../clients/broker_cluster.ts";
import type { BrokerProcess } from "../clients/broker_process.ts";
import { haveTools } from "../clients/requirement.ts";
import { waitUntil } from "../clients/wait_until.ts";
import { clusterAt } from "../clients/wire/cluster_at.ts";
import { createTopic } from "../clients/wire/produce.ts";
import { RawConnection } from "../clients/wire/raw_connection.ts";
import { Etcd } from "../services/etcd.ts";
import { haveMinio, Minio } from "../services/minio.ts";
import { send } from "../services/signed_request.ts";

const SUITE = "snapshots in a bucket of their own";

const made = ({ log }: BrokerProcess) =>
  log.filter((line) => line.includes("made a metadata snapshot")).length;

async function controllerOf({ bootstrap }: BrokerProcess): Promise<number> {
  return (await clusterAt(bootstrap)).controllerId;
}

async function run() {
  await using etcd = await Etcd.start();
  await using minio = await Minio.start();
  const bucket = "snapshots-alone";
  const env = {
    KAFSCALE_OPERATOR_ETCD_SNAPSHOT_BUCKET: bucket,
    KAFSCALE_OPERATOR_ETCD_SNAPSHOT_S3_ENDPOINT: minio.endpoint,
    KAFSCALE_OPERATOR_ETCD_SNAPSHOT_CREATE_BUCKET: "1",
    KAFSCALE_OPERATOR_ETCD_SNAPSHOT_PROTECT_BUCKET: "1",
    KAFSCALE_OPERATOR_ETCD_SNAPSHOT_SCHEDULE: "* * * * * *",
    KAFSCALE_OPERATOR_ETCD_SNAPSHOT_KEEP: "3",
  };
  const services = { etcd, bucket: minio.settings(await minio.bucket("log")) };
  await using cluster = await BrokerCluster.start(services, { brokers: 2, env });
  using connection = await RawConnection.open(cluster.brokers[0]!.bootstrap);
  assertEquals(await createTopic(connection, "kept", 3), 0);

  const first = await controllerOf(cluster.brokers[0]!);
  const [maker, other] = [cluster.brokers[first]!, cluster.brokers[1 - first]!];
  await waitUntil("three snapshots", () => made(maker) >= 3 || undefined);
  assertEquals(made(other), 0, cluster.tail());

  const query = { versioning: "" };
  const asked = await send(minio, { method: "GET", path: `/${bucket}`, query });
  assert((await asked.text()).includes("<Status>Enabled</Status>"));
  const settings = {
    ...services.bucket,
    ...env,
    KAFSCALE_ETCD_ENDPOINTS: etcd.list,
    KAFSCALE_ETCD_PREFIX: cluster.name,
    KAFSCALE_NAMESPACE: cluster.name,
  };
  const verified = await cli(["snapshot", "verify", "latest", "--json"], { env: settings });
  assertEquals(verified.code, 0, verified.stderr);
  assertEquals(JSON.parse(verified.stdout).counts["topics/live"], 1);
  const inLog = { method: "GET", path: "/log", query: { prefix: "etcd-snapshots" } };
  assert(!(await (await send(minio, inLog)).text()).includes("<Key>"), "none beside the log");

  await maker.kill();
  await waitUntil("the other to make them", () => made(other) >= 2 || undefined);
  assertEquals(await controllerOf(other), 1 - first);
}

Deno.test({
  name: "with two brokers the controller alone makes snapshots, in a bucket of their own",
  ignore: !haveTools(SUITE, "etcd") || !await haveMinio(SUITE),
  fn: run,
});
