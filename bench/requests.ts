/**
 * What many partitions that get little cost in requests: each is written once a second, evenly
 * spread, on a real MinIO that counts; with S3's price for that. See `HELP`.
 */
import { parseArgs } from "@std/cli/parse-args";
import { WAL_OBJECTS_MAX, WAL_OBJECTS_RELAXED } from "../core/config/limits.ts";
import { slotOfKey, walPrefix } from "../core/storage/keys.ts";
import { systemLog, systemRuntime } from "../core/runtime/system.ts";
import { openStore } from "../drivers/mod.ts";
import { Minio } from "../tests/services/minio.ts";
import { figure, table } from "./figures.ts";
import { configOf } from "./killed_broker.ts";
import { ClientConnection, createTopic } from "./load/client_connection.ts";
import * as wire from "./load/wire.ts";
import { provenance } from "./machine.ts";
import { startPeer } from "./peers.ts";
import {
  classesOf,
  difference,
  monthlyDollars,
  type Requests,
  requestsOf,
  TELLING,
} from "./store_requests.ts";

const HELP = `Usage: requests.ts [options]
  --partitions 1000      each gets a record of 100 bytes a second
  --spacing-ms 250       KAFSCALE_FLUSH_INTERVAL_MS
  --seconds 150          a round of rewriting comes after some 1,000: with 1,150 it is counted, too,
                         from its greater part where the machine is slow
  --storage s3           or minio: the driver; the store is a MinIO either way
  --json                 one JSON object instead of a table`;

const NUMBERS = { partitions: 1_000, "spacing-ms": 250, seconds: 150 };
const TOPIC = "metered";
const CONNECTIONS = 4;
/** Partitions of one request: what a producer that serves many of them sends together. */
const BATCHES_PER_REQUEST = 10;
const RECORD_BYTES = 100;
/** Segment, index and manifest of one partition. */
const PUTS_PER_REWRITE = 3;
const DAY_SECONDS = 86_400;
/** From so much of a round on it is told what a whole one costs. */
const ROUNDS_MIN = 0.5;

/** Writes to each of `partitions` once a second until `endMs`, at its own moment of the second. */
async function lane(port: number, partitions: readonly number[], endMs: number): Promise<number> {
  const connection = await ClientConnection.open("127.0.0.1", port);
  const batch = wire.recordBatch(1, RECORD_BYTES, Date.now());
  const frames: wire.ProduceFrame[] = [];
  for (let at = 0; at < partitions.length; at += BATCHES_PER_REQUEST) {
    const some = partitions.slice(at, at + BATCHES_PER_REQUEST);
    frames.push(new wire.ProduceFrame(TOPIC, some, batch, -1));
  }
  const everyMs = 1_000 / frames.length;
  let sent = 0;
  let answered = 0;
  let wake = () => {};
  const startMs = performance.now();
  const send = async () => {
    for (; performance.now() < endMs; sent++) {
      const waitMs = startMs + sent * everyMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      await connection.send(frames[sent % frames.length]!.bytes);
      wake();
    }
    sent = -sent;
    wake();
  };
  const receive = async () => {
    while (sent >= 0 || answered < -sent) {
      if (sent >= 0 && answered >= sent) {
        await new Promise<void>((resolve) => wake = resolve);
        continue;
      }
      wire.checkProduced(await connection.receive());
      answered++;
    }
  };
  await Promise.all([send(), receive()]);
  connection.close();
  return answered;
}

interface Metered {
  readonly partitions: number;
  readonly seconds: number;
  /** Records a second and partition. */
  readonly rate: number;
  /** PUTs of the commit log. */
  readonly slots: number;
  readonly requests: Requests;
}

async function meter(
  o: { partitions: number; seconds: number; storage: string; spacingMs: number },
): Promise<Metered> {
  const dataDir = await Deno.makeTempDir({ prefix: "kafscale-bench-" });
  const minio = await Minio.start(TELLING);
  try {
    const env = {
      ...minio.settings(await minio.bucket()),
      KAFSCALE_STORAGE: o.storage,
      KAFSCALE_FLUSH_INTERVAL_MS: String(o.spacingMs),
    };
    const peer = await startPeer("kafscale", { dataDir, env });
    await createTopic(peer.port, TOPIC, o.partitions);
    const before = await requestsOf(minio.endpoint);
    const started = performance.now();
    const lanes = Array.from({ length: CONNECTIONS }, (_, at) => {
      const all = Array.from({ length: o.partitions }, (_, partition) => partition);
      const own = all.filter((partition) => partition % CONNECTIONS === at);
      return lane(peer.port, own, started + o.seconds * 1_000);
    });
    const answers = await Promise.all(lanes);
    const seconds = (performance.now() - started) / 1_000;
    const after = await requestsOf(minio.endpoint);
    await peer.stop();
    const sent = answers.reduce((sum, each) => sum + each, 0) * BATCHES_PER_REQUEST;
    return {
      partitions: o.partitions,
      seconds,
      rate: sent / seconds / o.partitions,
      slots: await slots({ dataDir, env }),
      requests: difference(after, before),
    };
  } finally {
    await minio.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** How many slots the only chain ever had. */
async function slots(o: Parameters<typeof configOf>[0]): Promise<number> {
  const config = configOf(o);
  const store = await openStore({ config, runtime: systemRuntime(systemLog("error", true)) });
  let last = -1;
  for await (const { key } of store.list(walPrefix(config.namespace), undefined)) {
    last = slotOfKey(key) ?? last;
  }
  await store.close();
  return last + 1;
}

interface PerSecond {
  readonly writes: number;
  readonly reads: number;
}

interface Costs {
  /** Of rewriting, as far as they were met. */
  readonly rounds: number;
  /** Requests by what they are for; undefined where less than a round was met. */
  readonly chain: PerSecond;
  readonly rewriting: PerSecond | undefined;
  readonly sweeping: PerSecond | undefined;
}

/**
 * Rewriting comes in rounds over all partitions, one for so many slots: its cost is spread. The
 * orphan sweep, which lists each partition soon after the start, comes once a day from then on.
 */
function costsOf({ partitions, seconds, slots, requests }: Metered): Costs {
  const { writes, reads } = classesOf(requests);
  const chain = { writes: slots / seconds, reads: 0 };
  const rewrites = ((requests["PutObject"] ?? 0) - slots) / PUTS_PER_REWRITE;
  const rounds = rewrites / partitions;
  if (rounds < ROUNDS_MIN) return { rounds, chain, rewriting: undefined, sweeping: undefined };
  const lists = requests["ListObjectsV2"] ?? 0;
  const swept = Math.max(0, Math.min(partitions, lists - rewrites));
  const objects = Math.min(Math.max(4 * partitions, WAL_OBJECTS_MAX), WAL_OBJECTS_RELAXED);
  const perSecond = chain.writes / objects / rounds;
  return {
    rounds,
    chain,
    rewriting: { writes: (writes - slots - swept) * perSecond, reads: reads * perSecond },
    sweeping: { writes: partitions / DAY_SECONDS, reads: 0 },
  };
}

function report(metered: Metered): void {
  const { partitions, seconds, rate, requests } = metered;
  const { rounds, chain, rewriting, sweeping } = costsOf(metered);
  console.log(
    `${partitions} partitions, ${figure(rate)} records a second each, ${figure(seconds)} s; ` +
      `${Object.entries(requests).map(([name, count]) => `${count} ${name}`).join(", ")}`,
  );
  const row = (what: string, each: PerSecond) => [
    what,
    figure(each.writes),
    figure(each.reads),
    figure(monthlyDollars(each)),
  ];
  const rows = [["", "PUTs and LISTs a second", "GETs a second", "dollars a month"]];
  rows.push(row("commit log", chain));
  if (rewriting !== undefined && sweeping !== undefined) {
    const parts = [chain, rewriting, sweeping];
    const sum = (of: keyof PerSecond) => parts.reduce((total, each) => total + each[of], 0);
    rows.push(row("rewriting", rewriting), row("orphan sweep", sweeping));
    rows.push(row("together", { writes: sum("writes"), reads: sum("reads") }));
  }
  console.log(table(rows));
  console.log(`rounds of rewriting that were met: ${figure(rounds)}`);
}

async function main(): Promise<void> {
  const args = parseArgs(Deno.args, {
    string: ["storage", ...Object.keys(NUMBERS)],
    boolean: ["json", "help"],
  });
  if (args["help"] === true) return console.log(HELP);
  const number = (name: keyof typeof NUMBERS) => Number(args[name] ?? NUMBERS[name]);
  const metered = await meter({
    partitions: number("partitions"),
    seconds: number("seconds"),
    spacingMs: number("spacing-ms"),
    storage: String(args["storage"] ?? "s3"),
  });
  if (args["json"] !== true) return report(metered);
  console.log(JSON.stringify({ ...await provenance(), ...metered, ...costsOf(metered) }));
}

if (import.meta.main) await main();
