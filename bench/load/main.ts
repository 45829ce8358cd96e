/**
 * A cheap load, to profile the broker without a JVM:
 *
 *   deno run -A bench/load/main.ts                       our broker, started for the run, 10 s
 *   deno run -A bench/load/main.ts --peer kafka          the same against Apache Kafka
 *   deno run -A bench/load/main.ts --port 9092 --pid N   a broker that runs already
 */
import { parseArgs } from "@std/cli/parse-args";
import { figure, GIB, MIB, percentile } from "../figures.ts";
import { type Peer, PEER_NOTES, type PeerName, startPeer } from "../peers.ts";
import { cpuSeconds, memory } from "../process_figures.ts";
import { createTopic } from "./client_connection.ts";
import { fetchLoad } from "./fetch_load.ts";
import { type LoadResult, produceLoad } from "./produce_load.ts";

const HELP = `Usage: main.ts [options]
  --mode produce|fetch|both   what to do (both: produce, then fetch it all)
  --seconds 10                how long to produce, unless --requests ends it first
  --requests N                how many requests to produce
  --connections 4 --depth 5   requests in flight on each connection
  --batch-bytes 131072 --record-bytes 1024 --batches-per-request 1
  --partitions 8 --topic load --acks -1
  --idempotent                with producer ids and sequences
  --rate MIB                  MiB/s to produce at most
  --fetch-bytes 52428800 --fetch-partition-bytes 1048576 --verify
  --port N [--pid N]          a broker that runs; its pid for CPU and memory
  --peer kafscale|kafka|kafka-fsync   else: this one is started
  --data-dir DIR              kept; else a temporary one
  --json                      one JSON object instead of text`;

const NUMBERS = {
  seconds: 10,
  requests: Number.MAX_SAFE_INTEGER,
  connections: 4,
  depth: 5,
  "batch-bytes": 131_072,
  "record-bytes": 1024,
  "batches-per-request": 1,
  partitions: 8,
  acks: -1,
  rate: 0,
  "fetch-bytes": 52_428_800,
  "fetch-partition-bytes": 1_048_576,
  port: 0,
  pid: 0,
};

interface Options {
  readonly number: typeof NUMBERS;
  readonly mode: string;
  readonly topic: string;
  readonly peer: PeerName;
  readonly dataDir: string | undefined;
  readonly idempotent: boolean;
  readonly verify: boolean;
  readonly json: boolean;
}

function parse(argv: readonly string[]): Options {
  const strings = ["mode", "topic", "peer", "data-dir", ...Object.keys(NUMBERS)];
  const args = parseArgs(argv, {
    boolean: ["idempotent", "verify", "json", "help"],
    string: strings,
    unknown: (name) => {
      console.error(`unknown option ${name}\n${HELP}`);
      Deno.exit(2);
    },
  });
  if (args["help"] === true) {
    console.log(HELP);
    Deno.exit(0);
  }
  const given = Object.keys(NUMBERS).filter((name) => args[name] !== undefined);
  const peer = String(args["peer"] ?? "kafscale");
  if (!(peer in PEER_NOTES)) throw new Error(`no such peer: ${peer}`);
  return {
    number: { ...NUMBERS, ...Object.fromEntries(given.map((name) => [name, Number(args[name])])) },
    mode: String(args["mode"] ?? "both"),
    topic: String(args["topic"] ?? "load"),
    peer: peer as PeerName,
    dataDir: args["data-dir"] === undefined ? undefined : String(args["data-dir"]),
    idempotent: args["idempotent"] === true,
    verify: args["verify"] === true,
    json: args["json"] === true,
  };
}

function describe(result: LoadResult, cpu: number | undefined): Record<string, number> {
  const { latenciesMs: sorted, seconds, bytes } = result;
  return {
    mibPerSecond: bytes / MIB / seconds,
    requestsPerSecond: result.requests / seconds,
    records: result.records,
    seconds,
    p50Ms: percentile(sorted, 0.5),
    p95Ms: percentile(sorted, 0.95),
    p99Ms: percentile(sorted, 0.99),
    maxMs: percentile(sorted, 1),
    ...(cpu === undefined
      ? {}
      : { cpuSecondsPerGib: cpu / (bytes / GIB), cpuCores: cpu / seconds }),
  };
}

async function run(options: Options, port: number, pid: number): Promise<unknown> {
  const { number, topic } = options;
  const report: Record<string, unknown> = {};
  const measured = async (name: string, load: () => Promise<LoadResult>) => {
    const before = pid > 0 ? cpuSeconds(pid) : 0;
    const result = await load();
    const figures = describe(result, pid > 0 ? cpuSeconds(pid) - before : undefined);
    report[name] = figures;
    if (options.json) return;
    const texts = Object.entries(figures).map(([key, value]) => `${key} ${figure(value)}`);
    console.log(`${name.padEnd(8)} ${texts.join("  ")}`);
  };
  await createTopic(port, topic, number.partitions);
  const common = { port, topic, partitions: number.partitions, connections: number.connections };
  if (options.mode !== "fetch") {
    await measured("produce", () =>
      produceLoad({
        ...common,
        depth: number.depth,
        batchBytes: number["batch-bytes"],
        recordBytes: number["record-bytes"],
        batchesPerRequest: number["batches-per-request"],
        acks: number.acks,
        idempotent: options.idempotent,
        bytesPerSecond: number.rate * MIB,
        seconds: number.seconds,
        requestsMax: number.requests,
      }));
  }
  if (options.mode !== "produce") {
    await measured("fetch", () =>
      fetchLoad({
        ...common,
        bytesMax: number["fetch-bytes"],
        partitionBytesMax: number["fetch-partition-bytes"],
        verify: options.verify,
      }));
  }
  if (pid > 0) {
    const { residentBytes, residentPeakBytes } = memory(pid);
    report["memory"] = { residentBytes, residentPeakBytes };
    if (!options.json) {
      console.log(
        `memory   resident ${figure(residentBytes / MIB)} MiB  peak ${
          figure(residentPeakBytes / MIB)
        } MiB`,
      );
    }
  }
  return report;
}

async function main(): Promise<void> {
  const options = parse(Deno.args);
  let peer: Peer | undefined;
  const temporary = options.dataDir === undefined && options.number.port === 0;
  const dataDir = options.dataDir ?? (temporary ? await Deno.makeTempDir() : "");
  try {
    if (options.number.port === 0) peer = await startPeer(options.peer, { dataDir, env: tuning() });
    const port = peer?.port ?? options.number.port;
    const report = await run(options, port, peer?.pid ?? options.number.pid);
    if (options.json) console.log(JSON.stringify(report));
  } catch (error) {
    if (peer !== undefined) console.error(peer.log.slice(-20).join("\n"));
    throw error;
  } finally {
    await peer?.stop();
    if (temporary) await Deno.remove(dataDir, { recursive: true });
  }
}

/** KAFSCALE_* settings of this shell go to the broker that is measured. */
function tuning(): Record<string, string> {
  const all = Object.entries(Deno.env.toObject());
  return Object.fromEntries(
    all.filter(([key]) => key.startsWith("KAFSCALE_") && !key.startsWith("KAFSCALE_BENCH_")),
  );
}

if (import.meta.main) await main();
