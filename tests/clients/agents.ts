/** How each client's agent is started. */
import { Agent } from "./agent.ts";
import { goClients, javaClient, librdkafkaForNode, pythonClients } from "./install.ts";

const path = (name: string) => new URL(name, import.meta.url).pathname;

/** An agent for Deno: kafkajs_agent.mjs, platformatic_agent.mjs. */
export function denoAgent(script: string, bootstrap: string): Promise<Agent> {
  const flags = ["run", "-A", "--quiet", "--no-config", `--lock=${path("node/deno.lock")}`];
  return Agent.start(Deno.execPath(), [...flags, path(`node/${script}`)], bootstrap);
}

/** librdkafka under node. */
export async function nodeAgent(bootstrap: string): Promise<Agent> {
  const folder = await librdkafkaForNode();
  // Every waiting call of the addon holds one of the pool's threads, four by default.
  const env = { UV_THREADPOOL_SIZE: "64" };
  return await Agent.start("node", [path("node/rdkafka_agent.mjs"), folder], bootstrap, { env });
}

/** confluent_agent.py, kafka_python_agent.py. */
export async function pythonAgent(script: string, bootstrap: string): Promise<Agent> {
  const folder = await pythonClients();
  const env = { PYTHONDONTWRITEBYTECODE: "1" };
  return await Agent.start(`${folder}/venv/bin/python`, [path(`python/${script}`)], bootstrap, {
    env,
  });
}

/** franz, sarama, kafkago. */
export async function goAgent(program: string, bootstrap: string): Promise<Agent> {
  return await Agent.start(`${await goClients()}/${program}`, [], bootstrap);
}

/** Apache Kafka's own client. */
export async function javaAgent(bootstrap: string): Promise<Agent> {
  const args = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];
  return await Agent.start("java", [...args, "-cp", await javaClient(), "ClientAgent"], bootstrap);
}
