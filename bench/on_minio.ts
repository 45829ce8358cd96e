/**
 * `deno task bench:minio`: this broker on a MinIO of its own, by Apache Kafka's tools, next to what
 * the same MinIO gives in the same run without a broker. See `HELP`.
 */
import { parseArgs } from "@std/cli/parse-args";
import type { Config } from "../core/config/mod.ts";
import { systemLog, systemRuntime } from "../core/runtime/system.ts";
import { openStore } from "../drivers/mod.ts";
import { Minio } from "../tests/services/minio.ts";
import {
  consume,
  type Figures,
  latency,
  PARTITIONS,
  produce,
  TUNED,
  verify,
} from "./end_to_end/phases.ts";
import { figure, median, MIB, percentile, table } from "./figures.ts";
import { configOf } from "./killed_broker.ts";
import { ClientConnection, createTopic } from "./load/client_connection.ts";
import { roundTrips } from "./load/round_trips.ts";
import { listOffsets, readListOffsets } from "./load/wire.ts";
import { provenance } from "./machine.ts";
import { type Peer, startPeer } from "./peers.ts";
import { compare } from "./store/main.ts";

const HELP = `Usage: deno task bench:minio [options]
  One table: what the broker takes and gives on a MinIO, the goal, and what the same MinIO does
  without a broker (conditional creates of 4 MiB, 4 at a time; range reads of the same; creates of
  1 KiB, one at a time). Cold is right after a restart, nothing cached; produce is after a warm-up,
  and over before the write-ahead log is rewritten beside it. Needs java and mvn.

  --storage minio     or s3: the driver
  --rounds 2          the table shows medians
  --records 1000000   1 KiB records of the tuned produce (a third of it with the client's defaults)
  --messages 2000     round trips of each end-to-end latency
  --json FILE         writes all figures with commit, runtime and machine
  --smoke             few records, one round, each read back and checked; the figures mean nothing`;

const RECORD_BYTES = 1024;
/** As the driver's commits. */
const BARE = { bytes: 4 * MIB, parallel: 4 };
const REWRITTEN_WITHIN_MS = 120_000;

interface Options {
  readonly storage: string;
  readonly rounds: number;
  readonly records: number;
  readonly messages: number;
  readonly smoke: boolean;
}

const PUT = "bare creates: MiB/s";
const GET = "bare reads: MiB/s";
const CREATE = "bare create of 1 KiB: p50 ms";
const WAL = "consume cold, from the commit log";
const SEGMENTS = "consume cold, from segments";
const CALM = "end to end, acks=all, own client: p50 ms";
const BESIDE = "end to end beside a cold consumer: p50 ms";

/** The marks are in MB/s, the figures in MiB/s. */
const MB = 1e6 / MIB;

/** Figure, what the bare store does in its place, and the goal; a time is to be less. */
const ROWS: readonly (readonly [string, string, number | undefined])[] = [
  ["produce tuned: MiB/s", PUT, 90 * MB],
  ["produce defaults: MiB/s", PUT, 45 * MB],
  [`${WAL}: MiB/s`, GET, undefined],
  [`${WAL}: MiB/s without the join`, GET, 250 * MB],
  [`${SEGMENTS}: MiB/s`, GET, undefined],
  [`${SEGMENTS}: MiB/s without the join`, GET, 250 * MB],
  [CALM, CREATE, 8],
  ["end to end, acks=all: p50 ms, in whole ms", CREATE, undefined],
  [BESIDE, CREATE, undefined],
];

async function bare(minio: Minio, smoke: boolean): Promise<Figures> {
  const way = "node:http";
  const large = { ...BARE, count: smoke ? 4 : 64 };
  const { puts, gets } = (await compare(minio, [way], large, 1)).get(way)!;
  const small = { bytes: 1024, parallel: 1, count: smoke ? 10 : 300 };
  const creates = (await compare(minio, [way], small, 1)).get(way)!.puts;
  return {
    [PUT]: puts[0]!.mbPerSecond * 1e6 / MIB,
    [GET]: gets[0]!.mbPerSecond * 1e6 / MIB,
    [CREATE]: creates[0]!.p50Ms,
  };
}

/** Brokers one after the other, on one bucket and one directory. */
class Side {
  readonly #config: Config;

  constructor(readonly env: Readonly<Record<string, string>>, readonly dataDir: string) {
    this.#config = configOf(this);
  }

  /** Runs `phase` on a broker that has just started: its cache is empty. */
  async fresh<T>(phase: (peer: Peer) => Promise<T>): Promise<T> {
    const peer = await startPeer("kafscale", this);
    try {
      return await phase(peer);
    } catch (error) {
      console.error(peer.log.slice(-20).join("\n"));
      throw error;
    } finally {
      await peer.stop();
    }
  }

  /** Until the topic's segments hold so many bytes; throws where that takes too long. */
  async rewritten(peer: Peer, topic: string, bytes: number): Promise<void> {
    // Partitions that nobody uses are left in the commit log for a while.
    const connection = await ClientConnection.open("127.0.0.1", peer.port);
    readListOffsets(await connection.call(listOffsets(topic, PARTITIONS, -2)));
    connection.close();
    const runtime = systemRuntime(systemLog("error", true));
    const store = await openStore({ config: this.#config, runtime });
    const deadline = performance.now() + REWRITTEN_WITHIN_MS;
    try {
      for (;;) {
        let there = 0;
        const prefix = `${this.#config.namespace}/${topic}/`;
        for await (const { key, size } of store.list(prefix, undefined)) {
          if (key.endsWith(".kfs")) there += size;
        }
        if (there >= bytes) return;
        if (performance.now() > deadline) {
          throw new Error(`${there} of ${bytes} bytes were rewritten in time`);
        }
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    } finally {
      await store.close();
    }
  }
}

/** So that all is due for rewriting as soon as clients are quiet. */
const REWRITE_SOON = { KAFSCALE_COMPACTION_INTERVAL_MS: "1000" };

async function round(minio: Minio, dataDir: string, o: Options): Promise<Figures> {
  const { records, messages, smoke } = o;
  const third = Math.ceil(records / 3);
  const before = await bare(minio, smoke);
  const env = {
    ...minio.settings(await minio.bucket()),
    KAFSCALE_STORAGE: o.storage,
    ...(smoke ? { KAFSCALE_GROUP_INITIAL_REBALANCE_DELAY_MS: "0" } : {}),
  };
  const side = new Side(env, dataDir);
  const figures: Figures = {};
  const add = (phase: Figures) => void Object.assign(figures, phase);
  await side.fresh(async (peer) => {
    if (!smoke) await produce(peer, "warm-up", "warm-up", 100_000, TUNED);
    add(await latency(peer, "all", messages));
    // In this order both end before rewriting goes on beside clients that are busy (0016).
    add(await produce(peer, "produce defaults", "defaults", third, []));
    add(await produce(peer, "produce tuned", "tuned", records, TUNED));
  });
  await side.fresh(async (peer) => {
    add(await consume(peer, "tuned", records, WAL));
    if (smoke) await verify(peer, "defaults", third);
  });
  const soon = new Side({ ...env, ...REWRITE_SOON }, dataDir);
  await soon.fresh((peer) => soon.rewritten(peer, "tuned", records * RECORD_BYTES));
  await side.fresh(async (peer) => {
    add(await consume(peer, "tuned", records, SEGMENTS));
    if (smoke) await verify(peer, "tuned", records);
  });
  await side.fresh(async (peer) => add({ [BESIDE]: await besideConsumer(peer, records, smoke) }));
  const after = await bare(minio, smoke);
  for (const name of [PUT, GET, CREATE]) figures[name] = median([before[name]!, after[name]!]);
  return figures;
}

/** The median round trip while a consumer reads all that there is, cold, once. */
async function besideConsumer(peer: Peer, records: number, smoke: boolean): Promise<number> {
  const topic = "beside";
  await createTopic(peer.port, topic, 1);
  const trips = { port: peer.port, topic, acks: -1, recordBytes: RECORD_BYTES, warmUp: 0 };
  let over = false;
  const reading = consume(peer, "tuned", records).finally(() => over = true);
  const times: number[] = [];
  while (!over) times.push(...await roundTrips({ ...trips, messages: smoke ? 5 : 25 }));
  await reading;
  return percentile(times.toSorted((a, b) => a - b), 0.5);
}

function render(rounds: readonly Figures[]): string {
  const middle = (name: string) => median(rounds.map((figures) => figures[name] ?? NaN));
  const rows = ROWS.map(([name, base, goal]) => {
    const [ours, theirs] = [middle(name), middle(base)];
    const less = name.includes(" ms");
    const reached = goal === undefined ? "" : (less ? ours < goal : ours >= goal) ? "yes" : "NO";
    const wanted = goal === undefined ? "" : `${less ? "<" : "≥"} ${figure(goal)}`;
    return [name, figure(ours), wanted, reached, base, figure(theirs), figure(ours / theirs)];
  });
  return table([["", "broker", "goal", "reached", "without a broker", "", "ratio"], ...rows]);
}

function parseOptions(): Options & { readonly json: string | undefined } | undefined {
  const args = parseArgs(Deno.args, {
    string: ["storage", "rounds", "records", "messages", "json"],
    boolean: ["smoke", "help"],
  });
  if (args["help"] === true) return undefined;
  const smoke = args["smoke"] === true;
  const number = (value: unknown, normal: number, small: number) =>
    Number(value ?? (smoke ? small : normal));
  return {
    storage: String(args.storage ?? "minio"),
    rounds: number(args.rounds, 2, 1),
    records: number(args.records, 1_000_000, 3_000),
    messages: number(args.messages, 2_000, 50),
    smoke,
    json: args.json === undefined ? undefined : String(args.json),
  };
}

async function main(): Promise<void> {
  const options = parseOptions();
  if (options === undefined) return console.log(HELP);
  const where = await provenance();
  const { cores, cpu } = where.machine;
  console.log(
    `${where.commit}, ${where.runtime}, ${cores} cores ${cpu}, for broker, MinIO and client; ` +
      `driver ${options.storage}, ${options.rounds} rounds`,
  );
  const rounds: Figures[] = [];
  await using minio = await Minio.start();
  for (let at = 0; at < options.rounds; at++) {
    const dataDir = await Deno.makeTempDir({ prefix: "kafscale-bench-" });
    rounds.push(
      await round(minio, dataDir, options).finally(async () => {
        await Deno.remove(dataDir, { recursive: true });
      }),
    );
    console.error(JSON.stringify(rounds.at(-1)));
  }
  console.log(render(rounds));
  if (options.json !== undefined) {
    const report = { ...where, options, rounds };
    await Deno.writeTextFile(options.json, JSON.stringify(report, null, 2) + "\n");
  }
  if (options.smoke) console.log("smoke: every record arrived");
}

if (import.meta.main) await main();
