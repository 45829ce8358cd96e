/**
 * Runs one of Kafka's command-line tools in a JVM of its own:
 *
 *     deno run -A tests/clients/java/kafka_cli.ts topics --bootstrap-server localhost:9092 --list
 *     deno run -A tests/clients/java/kafka_cli.ts class org.apache.kafka.tools.EndToEndLatency …
 */
import { kafkaJars } from "../install.ts";
import { type Tool, TOOL_CLASSES } from "./tools.ts";

/** The command and its arguments. Throws on an unknown tool. */
export async function kafkaCliCommand(
  tool: string,
  args: readonly string[],
): Promise<[string, string[]]> {
  const [main, rest] = tool === "class"
    ? [args[0], args.slice(1)]
    : [TOOL_CLASSES[tool as Tool], args];
  if (main === undefined) {
    throw new Error(`unknown tool ${tool}: one of class, ${Object.keys(TOOL_CLASSES).join(", ")}`);
  }
  const level = `-Dorg.slf4j.simpleLogger.defaultLogLevel=${
    Deno.env.get("KAFKA_CLI_LOG") ?? "error"
  }`;
  return ["java", ["-Xmx512m", level, "-cp", await kafkaJars(), main, ...rest]];
}

if (import.meta.main) {
  const [tool, ...rest] = Deno.args;
  if (tool === undefined) {
    console.error(
      `usage: kafka_cli.ts TOOL ARGS…\ntools: class, ${Object.keys(TOOL_CLASSES).join(", ")}`,
    );
    Deno.exit(2);
  }
  const [command, args] = await kafkaCliCommand(tool, rest);
  Deno.exit((await new Deno.Command(command, { args }).spawn().status).code);
}
