/**
 * A read-only broker on a real etcd and a real MinIO whose keys may not write: readers of its rack
 * read there, and nobody else is sent there for anything.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Etcd } from "../services/etcd.ts";
import { haveMinio, Minio } from "../services/minio.ts";
import { readOnlyPolicy, temporaryKeys } from "../services/temporary_keys.ts";
import { BrokerCluster } from "./broker_cluster.ts";
import { type BrokerProcess, targetIsApache } from "./broker_process.ts";
import { fetchedBytes } from "./broker_figures.ts";
import { KcatReader, KcatWriter } from "./kcat_streams.ts";
import { haveTools } from "./requirement.ts";
import { waitUntil } from "./wait_until.ts";
import { coordinatorOf } from "./wire/coordinators.ts";
import { batch, createTopic, produce } from "./wire/produce.ts";
import { RawConnection } from "./wire/raw_connection.ts";

const TOPIC = "afar";
const NOT_LEADER_OR_FOLLOWER = 6;

async function afar(cluster: BrokerCluster): Promise<void> {
  const [writing, satellite] = cluster.brokers as [BrokerProcess, BrokerProcess];
  using connection = await RawConnection.open(satellite.bootstrap);
  await waitUntil("a topic to be made by way of the satellite", async () => {
    const code = await createTopic(connection, TOPIC, 1);
    return code === 0 || code === 36 ? true : undefined;
  });
  const value = batch([new TextEncoder().encode("no")]);
  assertEquals((await produce(connection, TOPIC, 0, value)).errorCode, NOT_LEADER_OR_FOLLOWER);
  for (const group of ["a", "b", "c", "d", "e", "f"]) {
    await waitUntil("a coordinator that writes", async () => {
      return await coordinatorOf(satellite.bootstrap, group) === 0 ? true : undefined;
    });
  }
  // What clients find by the satellite alone leads them on.
  await using writer = new KcatWriter(satellite.bootstrap, TOPIC);
  await waitUntil("records", () => writer.count > 100 || undefined);
  await using reader = new KcatReader(satellite.bootstrap, TOPIC, "far");
  await waitUntil("records at the satellite", () => reader.count > 100 || undefined);
  await satellite.kill();
  await satellite.restart();
  const count = await writer.end();
  await waitUntil("all records", () => reader.count >= count || undefined);
  reader.assertWhole(count);
  assert(await fetchedBytes(satellite, TOPIC) > 0, "it serves again after a kill");
  assertEquals(await satellite.terminate(), 0);
  assertEquals(writing.log.filter((line) => line.includes('"level":"error"')), []);
}

const NAME = "a read-only broker";

if (haveTools(NAME, "etcd", "kcat") && await haveMinio(NAME)) {
  Deno.test({
    name: `${NAME} serves readers of its rack with keys that may not write`,
    ignore: targetIsApache(),
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using etcd = await Etcd.start();
      await using minio = await Minio.start();
      const name = await minio.bucket();
      const keys = await temporaryKeys(minio, readOnlyPolicy(name));
      const readOnly = {
        KAFSCALE_S3_ACCESS_KEY: keys.accessKeyId,
        KAFSCALE_S3_SECRET_KEY: keys.secretAccessKey,
        KAFSCALE_S3_SESSION_TOKEN: keys.sessionToken,
        KAFSCALE_RACK: "far",
        KAFSCALE_READ_ONLY: "true",
      };
      const bucket = minio.settings(name);
      const envOf = (id: number) => id === 0 ? { KAFSCALE_RACK: "near" } : readOnly;
      await using cluster = await BrokerCluster.start({ etcd, bucket }, { brokers: 2, envOf });
      try {
        await afar(cluster);
        const writes = { ...readOnly, KAFSCALE_READ_ONLY: "false" };
        await assertRejects(
          () => BrokerCluster.start({ etcd, bucket }, { brokers: 1, env: writes }),
          Error,
          "the object store cannot be written",
        );
      } catch (error) {
        console.error(cluster.tail());
        throw error;
      }
    },
  });
}
