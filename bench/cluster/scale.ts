/**
 * What many partitions cost a cluster: how long until they have owners after their topics were made
 * and after a broker was killed, what etcd sends for that, and what is written at rest. Three
 * brokers, etcd and MinIO, all on this machine. Prints it, and exits with 1 where a mark is missed.
 *
 *     deno run --allow-all bench/cluster/scale.ts [--topics 200] [--partitions 50] [--seconds 30]
 *                                                 [--smoke]
 */
import { parseArgs } from "@std/cli/parse-args";
import { AssignmentView, COORDINATORS } from "../../core/metadata/assignments.ts";
import { ASSIGNMENTS_PREFIX, LIVE_TOPICS_PREFIX } from "../../core/metadata/keys.ts";
import type { MetadataStore, Revision, WatchEvent } from "../../core/metadata/metadata_store.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { openMetadata } from "../../drivers/mod.ts";
import { BrokerCluster, TEST_LEASE_MS } from "../../tests/clients/broker_cluster.ts";
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

/**
 * What is written, by one watch of everything: it costs etcd what it sends here, which is counted,
 * and not a listing each time somebody looks.
 */
class Watcher {
  readonly assignments = new AssignmentView();
  bytes = 0;
  /** By the first part of their keys. */
  writes = new Map<string, number>();
  /** When the newest record of a topic was written, as far as it is known here. */
  topicMs = 0;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  private constructor(readonly metadata: MetadataStore, revision: Revision) {
    this.#running = this.#follow(revision);
  }

  static async start(metadata: MetadataStore): Promise<Watcher> {
    return new Watcher(metadata, (await metadata.list("")).revision);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #follow(revision: Revision): Promise<void> {
    for await (const batch of this.metadata.watch("", revision, this.#stop.signal)) {
      if ("compacted" in batch) throw new Error("etcd compacted what was watched");
      for (const event of batch.events) this.#note(event);
    }
  }

  #note(event: WatchEvent): void {
    const key = event.type === "put" ? event.entry.key : event.key;
    const kind = key.split("/", 1)[0]!;
    this.bytes += key.length + (event.type === "put" ? event.entry.value.length : 0);
    this.writes.set(kind, (this.writes.get(kind) ?? 0) + 1);
    if (key.startsWith(LIVE_TOPICS_PREFIX)) this.topicMs = performance.now();
    if (key.startsWith(ASSIGNMENTS_PREFIX)) this.assignments.apply([event]);
  }

  /** How many partitions each broker owns, by the records. */
  owned(): Map<number, number> {
    const counts = new Map<number, number>();
    for (const { topicId, partitions } of this.assignments.all()) {
      if (topicId === COORDINATORS) continue;
      for (const { owner } of partitions) {
        if (owner !== undefined) counts.set(owner.brokerId, (counts.get(owner.brokerId) ?? 0) + 1);
      }
    }
    return counts;
  }

  /** Resolves when a broker owns as many as `wanted` says; when that was. */
  async until(brokerId: number | "all", wanted: (count: number) => boolean): Promise<number> {
    for (;;) {
      const owned = this.owned();
      const count = brokerId === "all"
        ? [...owned.values()].reduce((sum, each) => sum + each, 0)
        : owned.get(brokerId) ?? 0;
      if (wanted(count)) return performance.now();
      await pause(10);
    }
  }
}

interface Traffic {
  readonly atMs: number;
  readonly revision: number;
  readonly proposals: number;
  readonly sentBytes: number;
  readonly watchedBytes: number;
  readonly writes: ReadonlyMap<string, number>;
}

async function traffic(etcd: Etcd, watcher: Watcher): Promise<Traffic> {
  const text = await (await fetch(`${etcd.endpoints[0]}/metrics`)).text();
  const of = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  return {
    atMs: performance.now(),
    revision: await etcd.revision(),
    proposals: of("etcd_server_proposals_applied_total"),
    sentBytes: of("etcd_network_client_grpc_sent_bytes_total"),
    watchedBytes: watcher.bytes,
    writes: new Map(watcher.writes),
  };
}

/** Prints what came in between; transactions that wrote, per second. */
function spent(what: string, from: Traffic, to: Traffic): number {
  const seconds = (to.atMs - from.atMs) / 1000;
  const per = (count: number) => `${count} (${(count / seconds).toFixed(2)} a second)`;
  const writes = to.revision - from.revision;
  const kinds = [...to.writes]
    .map(([kind, count]) => [kind, count - (from.writes.get(kind) ?? 0)] as const)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} of ${kind}`).join(", ");
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(2);
  const watched = to.watchedBytes - from.watchedBytes;
  console.log(
    `${what}: ${seconds.toFixed(1)} s, ${per(writes)} transactions that wrote` +
      `${kinds === "" ? "" : ` (keys: ${kinds})`}, ` +
      `${per(to.proposals - from.proposals)} proposals, ` +
      `${megabytes(to.sentBytes - from.sentBytes - watched)} MB sent by etcd to brokers`,
  );
  return writes / seconds;
}

async function main(): Promise<number> {
  const flags = parseArgs(Deno.args, {
    string: ["topics", "partitions", "seconds"],
    boolean: ["smoke"],
  });
  const smoke = flags["smoke"] === true;
  const topics = smoke ? 4 : Number(flags["topics"] ?? 200);
  const partitions = smoke ? 6 : Number(flags["partitions"] ?? 50);
  const idleMs = smoke ? 1_000 : Number(flags["seconds"] ?? 30) * 1000;
  const leaseMs = smoke ? TEST_LEASE_MS : LEASE_MS;
  const total = topics * partitions;
  await using etcd = await Etcd.start();
  await using minio = await Minio.start();
  const services = { etcd, bucket: minio.settings(await minio.bucket()) };
  const env = { KAFSCALE_BROKER_LEASE_MS: String(leaseMs) };
  await using cluster = await BrokerCluster.start(services, { env });
  const runtime = systemRuntime(systemLog("error", false));
  const at = { KAFSCALE_ETCD_ENDPOINTS: etcd.list, KAFSCALE_ETCD_PREFIX: cluster.name };
  const config = configOf({ dataDir: cluster.brokers[0]!.dataDir, env: at });
  const metadata = await openMetadata({ config, runtime });
  const watcher = await Watcher.start(metadata);

  const start = await traffic(etcd, watcher);
  const asked = createTopics(cluster.brokers[0]!.bootstrap, topics, partitions);
  const ownedMs = await watcher.until("all", (count) => count === total);
  const madeMs = watcher.topicMs;
  await asked;
  const answeredMs = performance.now();
  spent(
    `${topics} topics with ${total} partitions, made and led`,
    start,
    await traffic(etcd, watcher),
  );
  console.log(`owners: ${JSON.stringify(Object.fromEntries(watcher.owned()))}`);

  const idle = await traffic(etcd, watcher);
  await pause(idleMs);
  const writesPerSecond = spent("nothing happens", idle, await traffic(etcd, watcher));

  await cluster.brokers[2]!.kill();
  const killed = await traffic(etcd, watcher);
  const share = watcher.owned().get(2) ?? 0;
  const firstMs = await watcher.until(2, (count) => count < share);
  const lastMs = await watcher.until(2, (count) => count === 0);
  const over = await traffic(etcd, watcher);
  spent("a broker killed, its partitions led by others", killed, over);
  await watcher.stop();
  await metadata.close();
  const ms = (from: number, to: number) => `${Math.round(to - from)} ms`;
  const tookMs = lastMs - killed.atMs - leaseMs;
  console.log(
    `topics made after ${ms(start.atMs, madeMs)}, owners for all ${ms(madeMs, ownedMs)} later, ` +
      `answered after ${ms(start.atMs, answeredMs)}; taken over ${Math.round(tookMs)} ms after ` +
      `the lease, ${ms(firstMs, lastMs)} from the first to the last`,
  );
  const assigned = ownedMs - start.atMs <= ASSIGN_MS_MAX && tookMs <= ASSIGN_MS_MAX;
  const good = assigned && writesPerSecond <= WRITES_PER_SECOND_MAX;
  console.log(
    `marks: ${ASSIGN_MS_MAX} ms to assign, ${WRITES_PER_SECOND_MAX} writes a second at rest: ` +
      (good ? "kept" : "missed"),
  );
  return good || smoke ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
