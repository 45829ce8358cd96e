/** The compose file, as far as it can be checked without a container engine. */
import { assertEquals } from "@std/assert";
import { parse } from "deno-std/yaml/mod.js";
import { resolveConfig } from "../../core/config/mod.ts";
import { ROOT } from "../../deploy/binary/deno.ts";
import { BrokerCluster } from "../clients/broker_cluster.ts";
import { haveTools } from "../clients/requirement.ts";
import { createTopic } from "../clients/wire/produce.ts";
import { RawConnection } from "../clients/wire/raw_connection.ts";
import { Etcd } from "../services/etcd.ts";
import { haveMinio, Minio } from "../services/minio.ts";

interface Service {
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: unknown;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

async function compose(): Promise<Compose> {
  const text = await Deno.readTextFile(new URL("deploy/compose/compose.yaml", ROOT));
  return parse(text) as Compose;
}

function brokersOf({ services }: Compose): Service[] {
  return Object.entries(services).filter(([name]) => name.startsWith("broker-"))
    .map(([, service]) => service);
}

Deno.test("the compose file gives each broker valid settings, an id and a port", async () => {
  const file = await compose();
  const brokers = brokersOf(file);
  assertEquals(brokers.length, 3);
  for (const [id, { environment, ports, depends_on }] of brokers.entries()) {
    const resolved = resolveConfig({ env: environment!, flags: {} });
    if (!resolved.ok) throw new Error(resolved.errors.join("\n"));
    const { config } = resolved;
    assertEquals([config.brokerId, config.cluster, config.metadata], [id, true, "etcd"]);
    assertEquals(config.brokerAddr, `:${9092 + id}`);
    assertEquals(config.brokerPort, 9092 + id);
    assertEquals(ports, [`127.0.0.1:${9092 + id}:${9092 + id}`]);
    for (const [name, { condition }] of Object.entries(depends_on!)) {
      if (condition !== "service_healthy") continue;
      assertEquals(file.services[name]?.healthcheck === undefined, false, `${name} is checked`);
    }
    const minio = file.services["minio"]!.environment!;
    assertEquals(
      [environment!["KAFSCALE_S3_ACCESS_KEY"], environment!["KAFSCALE_S3_SECRET_KEY"]],
      [minio["MINIO_ROOT_USER"], minio["MINIO_ROOT_PASSWORD"]],
    );
  }
});

if (haveTools("compose", "etcd") && await haveMinio("compose")) {
  Deno.test({
    name: "the compose file's settings make a cluster of three on a real etcd and MinIO",
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const { environment } = brokersOf(await compose())[0]!;
      // what is another one for each broker, or on this machine
      const own = /_ID$|_ADDR$|_HOST$|_PORT$|ENDPOINT|_S3_/;
      const env = Object.fromEntries(
        Object.entries(environment!).filter(([name]) => !own.test(name)),
      );
      await using etcd = await Etcd.start();
      await using minio = await Minio.start();
      const services = { etcd, bucket: minio.settings(await minio.bucket()) };
      await using cluster = await BrokerCluster.start(services, { env });
      using connection = await RawConnection.open(cluster.brokers[2]!.bootstrap);
      assertEquals(await createTopic(connection, "made", 6), 0);
    },
  });
}
