/**
 * How long a restart after kill -9 takes with much data: until the broker listens, and until it has
 * served a fetch of the oldest and of the newest record and a produce. See `HELP`.
 */
import { parseArgs } from "@std/cli/parse-args";
import { Minio } from "../tests/services/minio.ts";
import { figure, GIB, MIB, table } from "./figures.ts";
import {
  configOf,
  firstUse,
  type KilledOptions,
  leaveKilled,
  produceToAll,
} from "./killed_broker.ts";
import { provenance } from "./machine.ts";
import { startPeer } from "./peers.ts";
import { difference, type Requests, requestsOf, TELLING } from "./store_requests.ts";

const HELP = `Usage: recovery.ts [options]
  --storage minio|s3|file    on a MinIO of its own, by either driver, or in a directory
  --segments 5000            in all, of
  --segment-mib 4            each: 5000 of 4 MiB are 20 GiB
  --partitions 1000
  --kills 3                  each after a record to every partition
  --json                     one JSON object instead of a table`;

const NUMBERS = { segments: 5_000, "segment-mib": 4, partitions: 1_000, kills: 3 };
const RECORD_BYTES = 64 << 10;

interface Restart {
  /** From spawn to listening, and to the end of the first use. */
  readonly listeningMs: number;
  readonly usedMs: number;
  /** By a MinIO's count. */
  readonly requests: Requests | undefined;
}

async function restarts(o: KilledOptions, kills: number, endpoint?: string): Promise<Restart[]> {
  const count = async () => endpoint === undefined ? undefined : await requestsOf(endpoint);
  const oldRecords = o.segments / o.partitions * o.batches;
  const all: Restart[] = [];
  for (let kill = 1; kill <= kills; kill++) {
    const before = await count();
    const started = performance.now();
    const peer = await startPeer("kafscale", o);
    await firstUse(peer.port, (kill * 37) % o.partitions, oldRecords);
    const usedMs = performance.now() - started;
    const after = await count();
    const requests = after && before && difference(after, before);
    all.push({ listeningMs: peer.startMs, usedMs, requests });
    await produceToAll(peer.port, o.partitions);
    Deno.kill(peer.pid, "SIGKILL");
    await peer.stop();
  }
  return all;
}

async function main(): Promise<void> {
  const args = parseArgs(Deno.args, {
    string: ["storage", ...Object.keys(NUMBERS)],
    boolean: ["json", "help"],
  });
  if (args["help"] === true) return console.log(HELP);
  const number = (name: keyof typeof NUMBERS) => Number(args[name] ?? NUMBERS[name]);
  const storage = String(args["storage"] ?? "minio");
  const dataDir = await Deno.makeTempDir({ prefix: "kafscale-bench-" });
  const minio = storage === "file" ? undefined : await Minio.start(TELLING);
  try {
    const bucket = minio && await minio.bucket();
    const env = minio === undefined
      ? {}
      : { ...minio.settings(bucket!), KAFSCALE_STORAGE: storage };
    const o: KilledOptions = {
      dataDir,
      env,
      partitions: number("partitions"),
      segments: number("segments"),
      batches: number("segment-mib") * MIB / RECORD_BYTES,
      recordBytes: RECORD_BYTES - 100,
    };
    if (o.segments % o.partitions !== 0) throw new Error("want as many segments in each partition");
    configOf(o);
    const started = performance.now();
    const bytes = await leaveKilled(o);
    const fillSeconds = (performance.now() - started) / 1_000;
    const found = await restarts(o, number("kills"), minio?.endpoint);
    await report({ storage, bytes, fillSeconds, found, json: args["json"] === true, options: o });
  } finally {
    await minio?.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function report(
  { storage, bytes, fillSeconds, found, json, options }: {
    readonly storage: string;
    readonly bytes: number;
    readonly fillSeconds: number;
    readonly found: readonly Restart[];
    readonly json: boolean;
    readonly options: KilledOptions;
  },
): Promise<void> {
  const { segments, partitions } = options;
  if (json) {
    const where = await provenance();
    return console.log(
      JSON.stringify({ ...where, storage, segments, partitions, bytes, fillSeconds, found }),
    );
  }
  console.log(
    `${storage}: ${figure(bytes / GIB)} GiB in ${segments} segments of ${partitions} partitions, ` +
      `written in ${figure(fillSeconds)} s`,
  );
  const rows = found.map(({ listeningMs, usedMs, requests }, at) => [
    `restart ${at + 1}`,
    figure(listeningMs),
    figure(usedMs),
    Object.entries(requests ?? {}).map(([name, count]) => `${count} ${name}`).join(" "),
  ]);
  console.log(table([["", "listening, ms", "first use, ms", "requests"], ...rows]));
}

if (import.meta.main) await main();
