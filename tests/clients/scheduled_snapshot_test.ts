/** The plugin `snapshot` of a real broker: metadata in etcd is copied to a bucket by the clock. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { cli } from "../cli/run_cli.ts";
import { Etcd } from "../services/etcd.ts";
import { haveMinio, Minio } from "../services/minio.ts";
import { BrokerProcess, targetIsApache } from "./broker_process.ts";
import { askOps } from "./ops_api.ts";
import { haveTools } from "./requirement.ts";
import { waitUntil } from "./wait_until.ts";
import { createTopic } from "./wire/produce.ts";
import { RawConnection } from "./wire/raw_connection.ts";

const TOKEN = "snapshot-test-token";
const KEPT = 2;

interface Verified {
  readonly key: string;
  readonly counts: Readonly<Record<string, number>>;
}

async function byTheClock(): Promise<void> {
  await using etcd = await Etcd.start();
  await using minio = await Minio.start();
  const stores = {
    KAFSCALE_STORAGE: "minio",
    ...minio.settings(await minio.bucket()),
    KAFSCALE_ETCD_ENDPOINTS: etcd.list,
  };
  const snapshot = async <T>(...args: string[]): Promise<T> => {
    const { code, stdout, stderr } = await cli(["snapshot", ...args, "--json"], { env: stores });
    assertEquals(code, 0, stderr);
    return JSON.parse(stdout);
  };
  const keys = async () => (await snapshot<{ key: string }[]>("list")).map(({ key }) => key);
  await using broker = await BrokerProcess.start({
    env: {
      ...stores,
      KAFSCALE_OPERATOR_ETCD_SNAPSHOT_SCHEDULE: "* * * * * *",
      KAFSCALE_OPERATOR_ETCD_SNAPSHOT_KEEP: String(KEPT),
      KAFSCALE_OPS_TOKEN: TOKEN,
    },
  });
  using connection = await RawConnection.open(broker.bootstrap);
  assertEquals(await createTopic(connection, "kept", 1), 0);

  const holds = await waitUntil("a snapshot that has the topic", async () => {
    if ((await keys()).length === 0) return undefined;
    const found = await snapshot<Verified>("verify");
    return found.counts["topics/live"] === 1 ? found : undefined;
  });
  await waitUntil("newer ones in its place", async () => {
    const now = await keys();
    return now.length <= KEPT && now.length > 0 && !now.includes(holds.key) || undefined;
  });

  const path = "/api/v1/etcd/snapshot";
  assertEquals((await askOps(broker, path, { method: "POST" })).status, 401);
  const before = (await keys()).at(-1);
  const headers = { authorization: `Bearer ${TOKEN}` };
  const { status, body } = await askOps(broker, path, { method: "POST", headers });
  assertEquals(status, 200);
  assertNotEquals(body.key, before);

  const metrics = await fetch(`http://127.0.0.1:${broker.metricsPort}/metrics`);
  const text = await metrics.text();
  for (const name of ["access_ok", "success"]) {
    const series = new RegExp(`^kafscale_operator_etcd_snapshot_${name}\\{.*\\} 1$`, "m");
    assert(series.test(text), name);
  }
}

if (haveTools("scheduled snapshots", "etcd") && await haveMinio("scheduled snapshots")) {
  Deno.test({
    name: "snapshot plugin: metadata is copied to the bucket by the clock, and when asked",
    ignore: targetIsApache(),
    fn: byTheClock,
  });
}
