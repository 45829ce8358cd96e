/**
 * Apache Kafka 4.1 from Maven's jars as a single node: the reference that the suites are checked
 * against. `deno run -A tests/clients/java/apache_kafka.ts PORT DIR` runs one by hand.
 */
import { kafkaJars } from "../install.ts";

/** The command that runs a node on DIR, which is formatted when it isn't yet. */
export async function apacheKafkaCommand(
  dir: string,
  port: number,
  settings: Readonly<Record<string, string>>,
): Promise<[string, string[], Record<string, string>]> {
  const classPath = await kafkaJars();
  const config = `${dir}/server.properties`;
  await Deno.mkdir(dir, { recursive: true });
  await Deno.writeTextFile(config, properties(dir, port, settings));
  try {
    await Deno.stat(`${dir}/log/meta.properties`);
  } catch {
    const cluster = "MkU3OEVBNTcwNTJENDM2Qg";
    const { success, stderr } = await new Deno.Command("java", {
      args: ["-cp", classPath, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", config],
    }).output();
    if (!success) throw new Error(`kafka storage format: ${new TextDecoder().decode(stderr)}`);
  }
  const level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=info";
  return ["java", ["-Xmx1g", level, "-cp", classPath, "kafka.Kafka", config], {}];
}

/** Our settings under the names that Apache Kafka has for them. */
function properties(
  dir: string,
  port: number,
  settings: Readonly<Record<string, string>>,
): string {
  const controllerPort = port < 65535 ? port + 1 : port - 1;
  return [
    "process.roles=broker,controller",
    "node.id=1",
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
    "controller.listener.names=CONTROLLER",
    `log.dirs=${dir}/log`,
    "offsets.topic.replication.factor=1",
    "offsets.topic.num.partitions=4",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    `auto.create.topics.enable=${settings["KAFSCALE_AUTO_CREATE_TOPICS"] ?? "true"}`,
    `num.partitions=${settings["KAFSCALE_AUTO_CREATE_PARTITIONS"] ?? "1"}`,
    `group.initial.rebalance.delay.ms=${
      settings["KAFSCALE_GROUP_INITIAL_REBALANCE_DELAY_MS"] ?? "3000"
    }`,
    "",
  ].join("\n");
}

if (import.meta.main) {
  const [port, dir] = Deno.args;
  if (port === undefined || dir === undefined) throw new Error("usage: apache_kafka.ts PORT DIR");
  const [command, args] = await apacheKafkaCommand(dir, Number(port), {
    KAFSCALE_AUTO_CREATE_TOPICS: "false",
    KAFSCALE_GROUP_INITIAL_REBALANCE_DELAY_MS: "0",
  });
  const child = new Deno.Command(command, { args }).spawn();
  Deno.exit((await child.status).code);
}
