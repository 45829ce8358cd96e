import { assert, assertEquals } from "@std/assert";
import { CALM } from "../../drivers/storage/memory/driver.ts";
import { readSnapshot } from "../../plugins/snapshot/snapshots.ts";
import { waitUntil } from "../clients/wait_until.ts";
import { HostedBroker } from "./hosted.ts";

const TOKEN = "a-token-for-tests";
/** Metadata is in memory; the setting alone tells the plugin that it is somebody's to copy. */
const EVERY_SECOND = {
  metadata: "etcd",
  operatorEtcdSnapshotSchedule: "* * * * * *",
  operatorEtcdSnapshotKeep: 2,
  opsToken: TOKEN,
} as const;

const keys = ({ scene }: HostedBroker) =>
  scene.objects.page("etcd-snapshots/", undefined, 1_000).map(({ key }) => key);

async function metric(broker: HostedBroker, name: string): Promise<number | undefined> {
  for (const [series, value] of await broker.metrics()) {
    if (series.startsWith(`kafscale_operator_etcd_snapshot_${name}{`)) return value;
  }
  return undefined;
}

Deno.test("snapshots are made on schedule, are whole, and the newest are kept", async () => {
  await using broker = await HostedBroker.open(EVERY_SECOND);
  await broker.scene.topic("t");
  const first = await waitUntil("a snapshot", () => keys(broker)[0]);
  await waitUntil(
    "it to give way to newer ones",
    () => keys(broker).length === 2 && !keys(broker).includes(first) || undefined,
  );
  const { store } = broker.scene.view.backups;
  const body = await store.get(keys(broker).at(-1)!, undefined);
  const entries = await readSnapshot(body!);
  assert(entries.some(({ key }) => key === "topics/live/t"));
  assertEquals(await metric(broker, "access_ok"), 1);
  assertEquals(await metric(broker, "success"), 1);
  assertEquals(await metric(broker, "stale"), 0);
  const age = await metric(broker, "age_seconds");
  assert(age !== undefined && age < 60);
});

Deno.test("a snapshot is made when it is asked for, with the token", async () => {
  const config = { ...EVERY_SECOND, operatorEtcdSnapshotSchedule: "0 0 1 1 *" };
  await using broker = await HostedBroker.open(config);
  await waitUntil(
    "the preflight",
    async () => await metric(broker, "access_ok") === 1 || undefined,
  );
  assertEquals(await metric(broker, "success"), 0);
  assertEquals(keys(broker), []);
  const { status, text } = await broker.get("/api/v1/etcd/snapshot", { method: "POST" });
  assertEquals(status, 401, text);
  const headers = { authorization: `Bearer ${TOKEN}` };
  const made = await broker.get("/api/v1/etcd/snapshot", { method: "POST", headers });
  assertEquals([made.status, JSON.parse(made.text).key], [200, keys(broker)[0]]);
});

Deno.test("a bucket that takes no snapshots any more is told by metrics", async () => {
  const faults = { ...CALM };
  await using broker = await HostedBroker.open(EVERY_SECOND, faults);
  await waitUntil("a snapshot", () => keys(broker)[0]);
  faults.failBeforeChance = 1;
  await waitUntil("the metric", async () => await metric(broker, "access_ok") === 0 || undefined);
  assertEquals(await metric(broker, "success"), 1);
  faults.failBeforeChance = 0;
  await waitUntil("writes again", async () => await metric(broker, "access_ok") === 1 || undefined);
});

Deno.test("without etcd, or when turned off, no snapshot is made and no metric shows", async () => {
  for (const off of [{ metadata: "memory" }, { operatorEtcdSnapshotSchedule: null }] as const) {
    await using broker = await HostedBroker.open({ ...EVERY_SECOND, ...off });
    assertEquals(await metric(broker, "access_ok"), undefined);
    assert(broker.scene.view.backups.status === null);
  }
});
