/**
 * How late readers are at a broker that follows, beside those at the leader: from the moment in
 * which a record is written, one in 5 ms, until librdkafka hands it out. Three brokers in racks of
 * their own, etcd and MinIO, all on this machine.
 *
 *     deno run --allow-all bench/cluster/followers.ts [--seconds 20]
 */
import { parseArgs } from "@std/cli/parse-args";
import { BrokerCluster } from "../../tests/clients/broker_cluster.ts";
import { KcatReader, KcatWriter } from "../../tests/clients/kcat_streams.ts";
import { fetchedBytes } from "../../tests/clients/broker_figures.ts";
import { waitUntil } from "../../tests/clients/wait_until.ts";
import { createTopic } from "../../tests/clients/wire/produce.ts";
import { RawConnection } from "../../tests/clients/wire/raw_connection.ts";
import { Etcd } from "../../tests/services/etcd.ts";
import { Minio } from "../../tests/services/minio.ts";
import { pause, produceToEach } from "./moving_producer.ts";

const TOPIC = "followed";
const rackOf = (brokerId: number) => `rack-${brokerId}`;

async function main(): Promise<void> {
  const flags = parseArgs(Deno.args, { string: ["seconds"] });
  const seconds = Number(flags["seconds"] ?? 20);
  await using etcd = await Etcd.start();
  await using minio = await Minio.start();
  const services = { etcd, bucket: minio.settings(await minio.bucket()) };
  const envOf = (id: number) => ({ KAFSCALE_RACK: rackOf(id) });
  await using cluster = await BrokerCluster.start(services, { envOf });
  using admin = await RawConnection.open(cluster.brokers[0]!.bootstrap);
  const code = await createTopic(admin, TOPIC, 1);
  if (code !== 0) throw new Error(`the topic cannot be created: error ${code}`);
  const leader = await leaderOf(cluster);
  const follower = (leader + 1) % 3;
  await using _writer = new KcatWriter(cluster.bootstrap, TOPIC);
  await using atLeader = new KcatReader(cluster.bootstrap, TOPIC, rackOf(leader));
  await using atFollower = new KcatReader(cluster.bootstrap, TOPIC, rackOf(follower));
  const readers = { leader: atLeader, follower: atFollower };
  await waitUntil(
    "both to read",
    () => Object.values(readers).every(({ count }) => count > 200) || undefined,
  );
  const before = Object.values(readers).map(({ count }) => count);
  await pause(seconds * 1000);
  for (const [at, [name, reader]] of Object.entries(readers).entries()) {
    const count = reader.count - before[at]!;
    const [p50, p99, most] = [0.5, 0.99, 1].map((part) => Math.round(reader.lateMs(count, part)));
    console.log(
      `${name.padEnd(8)} ${count} records, late by ${p50} ms (p50), ${p99} ms (p99), ` +
        `${most} ms at most`,
    );
  }
  const served = await fetchedBytes(cluster.brokers[follower]!, TOPIC);
  if (served === 0) throw new Error("the follower served nothing");
}

/** The broker that takes the partition's first record. */
async function leaderOf(cluster: BrokerCluster): Promise<number> {
  return await waitUntil("a broker to lead the partition", async () => {
    for (const [id, { bootstrap }] of cluster.brokers.entries()) {
      using connection = await RawConnection.open(bootstrap);
      if ((await produceToEach(connection, TOPIC, [0])).length > 0) return id;
    }
    return undefined;
  });
}

if (import.meta.main) await main();
