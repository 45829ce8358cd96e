/**
 * The brokers that are measured, as child processes on free loopback ports with fresh directories:
 * ours as `deno task start` runs it, or Apache Kafka as a single KRaft node.
 *
 * Environment:
 * - KAFSCALE_BENCH_BINARY  path of a compiled broker to run in place of `deno run main.ts`
 * - KAFKA_CLI_HOME         directory whose `libs` holds Apache Kafka's jars, see java_tools.ts
 */
import { startTask } from "../tests/services/start_task.ts";
import { javaClassPath } from "./end_to_end/java_tools.ts";
import { freePort } from "../tests/services/free_port.ts";

const REPO = new URL("../", import.meta.url);

export type PeerName = "kafscale" | "kafka" | "kafka-fsync";

/** One line each, for the head of a report. */
export const PEER_NOTES: Readonly<Record<PeerName, string>> = {
  "kafscale": "every commit is on disk (fdatasync) before it is acknowledged",
  "kafka": "acknowledges from the page cache, its default: no fsync",
  "kafka-fsync": "Apache Kafka with log.flush.interval.messages=1: fsync before each answer",
};

/** How long a broker may take to listen, and to stop after SIGTERM. */
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const LOG_LINES_KEPT = 200;

export interface Peer {
  readonly name: PeerName;
  readonly bootstrap: string;
  readonly port: number;
  readonly pid: number;
  /** From spawn to listening. */
  readonly startMs: number;
  readonly dataDir: string;
  /** The newest lines that the process wrote. */
  readonly log: readonly string[];
  /** SIGTERM, then SIGKILL after a while; keeps the directory. */
  stop(): Promise<void>;
}

export interface PeerOptions {
  readonly dataDir: string;
  /** Further KAFSCALE_* settings for ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** Another checkout to run ours from. */
  readonly checkout?: string;
}

const running = new Set<Deno.ChildProcess>();
globalThis.addEventListener("unload", () => {
  for (const child of running) signal(child, "SIGKILL");
});

export async function startPeer(name: PeerName, options: PeerOptions): Promise<Peer> {
  await Deno.mkdir(options.dataDir, { recursive: true });
  const port = freePort(2);
  const { dataDir, checkout } = options;
  const serves = /"msg":"broker listening/;
  return name === "kafscale"
    ? await spawn(name, port, dataDir, ourCommand(port, options), serves, checkout)
    : await spawn(
      name,
      port,
      options.dataDir,
      await kafkaCommand(port, options.dataDir, name === "kafka-fsync"),
      /Kafka Server started/,
    );
}

interface Command {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

function ourCommand(port: number, options: PeerOptions): Command {
  const env = {
    KAFSCALE_BROKER_ADDR: `127.0.0.1:${port}`,
    KAFSCALE_BROKER_HOST: "127.0.0.1",
    KAFSCALE_BROKER_PORT: String(port),
    KAFSCALE_DATA_DIR: options.dataDir,
    KAFSCALE_METRICS_ADDR: "127.0.0.1:0",
    ...options.env,
  };
  const binary = Deno.env.get("KAFSCALE_BENCH_BINARY");
  if (binary !== undefined) return { path: binary, args: ["start"], env };
  const task = startTask();
  return { path: Deno.execPath(), args: task.args, env: { ...task.env, ...env } };
}

/** Formats the directory and returns the command, with the heap that Kafka's own script gives. */
async function kafkaCommand(port: number, dataDir: string, flush: boolean): Promise<Command> {
  const properties = `${dataDir}/server.properties`;
  await Deno.writeTextFile(properties, kafkaProperties(port, dataDir, flush));
  const classPath = await javaClassPath();
  const quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=info";
  const format = await new Deno.Command("java", {
    args: ["-cp", classPath, "kafka.tools.StorageTool", "format"]
      .concat(["-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", properties]),
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!format.success) throw new Error(new TextDecoder().decode(format.stderr));
  return {
    path: "java",
    args: ["-Xmx1g", quiet, "-cp", classPath, "kafka.Kafka", properties],
    env: {},
  };
}

function kafkaProperties(port: number, dataDir: string, flush: boolean): string {
  const one = ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"];
  return [
    "process.roles=broker,controller",
    "node.id=1",
    `controller.quorum.voters=1@127.0.0.1:${port + 1}`,
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
    "controller.listener.names=CONTROLLER",
    `log.dirs=${dataDir}/log`,
    ...one.map((prefix) => `${prefix}.replication.factor=1`),
    ...one.slice(1).map((prefix) => `${prefix}.min.isr=1`),
    ...(flush ? ["log.flush.interval.messages=1"] : []),
  ].join("\n") + "\n";
}

async function spawn(
  name: PeerName,
  port: number,
  dataDir: string,
  command: Command,
  listening: RegExp,
  cwd = REPO.pathname,
): Promise<Peer> {
  const started = performance.now();
  const child = new Deno.Command(command.path, {
    args: [...command.args],
    env: { ...environment(), ...command.env },
    clearEnv: true,
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  running.add(child);
  const log: string[] = [];
  const up = Promise.withResolvers<void>();
  const take = (line: string) => {
    log.push(line);
    if (log.length > LOG_LINES_KEPT) log.shift();
    if (listening.test(line)) up.resolve();
  };
  const drained = Promise.all([eachLine(child.stdout, take), eachLine(child.stderr, take)]);
  const timer = setTimeout(() => up.reject(new Error("no listening line")), START_TIMEOUT_MS);
  const ended = child.status.then(({ code }) => {
    running.delete(child);
    throw new Error(`exit code ${code}`);
  });
  ended.catch(() => {});
  try {
    await Promise.race([up.promise, ended]);
  } catch (error) {
    signal(child, "SIGKILL");
    await drained;
    throw new Error(`${name} did not start: ${error}\n${log.slice(-20).join("\n")}`);
  } finally {
    clearTimeout(timer);
  }
  const startMs = performance.now() - started;
  const stop = async () => {
    signal(child, "SIGTERM");
    const late = setTimeout(() => signal(child, "SIGKILL"), STOP_TIMEOUT_MS);
    await child.status;
    clearTimeout(late);
    await drained;
  };
  const bootstrap = `127.0.0.1:${port}`;
  return { name, bootstrap, port, pid: child.pid, startMs, dataDir, log, stop };
}

/** Ours without settings that would leak into the broker. */
function environment(): Record<string, string> {
  const all = Object.entries(Deno.env.toObject());
  return Object.fromEntries(all.filter(([key]) => !key.startsWith("KAFSCALE_")));
}

async function eachLine(
  stream: ReadableStream<Uint8Array>,
  take: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(take);
  }
  if (rest !== "") take(rest);
}

function signal(child: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    child.kill(name);
  } catch {
    // it has ended already
  }
}
