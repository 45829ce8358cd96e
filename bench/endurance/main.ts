/**
 * A day in miniature: one broker on a MinIO under mixed load, with retention, rewriting, merging
 * and deletions all the time. Samples what could grow, and says whether it does. See `HELP`.
 */
import { parseArgs } from "@std/cli/parse-args";
import { fsck, isDamage } from "../../core/fsck/mod.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { walPrefix } from "../../core/storage/keys.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { openData, openStore } from "../../drivers/mod.ts";
import { Minio } from "../../tests/services/minio.ts";
import { figure, MIB, table } from "../figures.ts";
import { configOf } from "../killed_broker.ts";
import { createTopic } from "../load/client_connection.ts";
import { provenance } from "../machine.ts";
import { type Peer, startPeer } from "../peers.ts";
import { cpuSeconds, memory } from "../process_figures.ts";
import * as loads from "./loads.ts";
import { type Trend, trendOf } from "./slopes.ts";

const HELP = `Usage: endurance/main.ts [options]
  --minutes 20            how long
  --every-seconds 10      between two samples
  --mib-per-second 2      of the steady load
  --storage s3            or minio: the driver
  --spacing-ms 20         KAFSCALE_FLUSH_INTERVAL_MS
  --json FILE             samples, trends and provenance
The second half is judged: by the median of the slopes between any two samples, what grew from its
beginning to its end. Flat is what grew by 5 % of its level at most, or by what chance makes of it
in 20 minutes on a machine that does nothing else; the table tells how much that is. Exit code 1
where something is not flat, a client failed, or the store is damaged.`;

const NUMBERS = { minutes: 20, "every-seconds": 10, "mib-per-second": 2, "spacing-ms": 20 };

/**
 * What happens once a day happens every few seconds; rewriting still keeps up, one partition at a
 * time on a MinIO that shares the machine.
 */
const SETTINGS = {
  KAFSCALE_SEGMENT_BYTES: "512KiB",
  KAFSCALE_WAL_BYTES: "32MiB",
  KAFSCALE_COMPACTION_INTERVAL_MS: "30000",
  KAFSCALE_RETENTION_BYTES: String(8 * MIB),
  KAFSCALE_RETENTION_CHECK_INTERVAL_MS: "10000",
  KAFSCALE_ORPHAN_SWEEP_INTERVAL_MS: "60000",
  KAFSCALE_OFFSETS_RETENTION_CHECK_INTERVAL_MS: "10000",
  KAFSCALE_GROUP_INITIAL_REBALANCE_DELAY_MS: "100",
} as const;

interface Sample {
  readonly atSeconds: number;
  readonly residentBytes: number;
  readonly openFiles: number;
  readonly objects: number;
  readonly objectBytes: number;
  readonly walObjects: number;
  readonly walBytes: number;
  readonly pingP50Ms: number;
  readonly pingP99Ms: number;
  readonly pingMaxMs: number;
  readonly cpuCores: number;
  readonly counts: Readonly<loads.Counts>;
}

async function countObjects(store: ObjectStore, namespace: string) {
  const wal = walPrefix(namespace);
  const counts = { objects: 0, objectBytes: 0, walObjects: 0, walBytes: 0 };
  for await (const { key, size } of store.list(`${namespace}/`, undefined)) {
    counts.objects++;
    counts.objectBytes += size;
    if (!key.startsWith(wal)) continue;
    counts.walObjects++;
    counts.walBytes += size;
  }
  return counts;
}

function openFiles(pid: number): number {
  return Array.from(Deno.readDirSync(`/proc/${pid}/fd`)).length;
}

/**
 * What could grow, with what it may grow by in any case: three times what chance makes of the slope
 * of a flat series in 20 minutes. Peaks are those of rewriting and retention.
 */
function trends(samples: readonly Sample[]): Trend[] {
  const of = (name: keyof Sample, floor: number, peaksOf = 1) =>
    trendOf({ name, values: samples.map((each) => each[name] as number), floor, peaksOf });
  return [
    of("residentBytes", 8 * MIB),
    of("openFiles", 3),
    of("objects", 500, 6),
    of("objectBytes", 16 * MIB, 6),
    of("walObjects", 300, 6),
    of("walBytes", 12 * MIB, 6),
    of("pingP50Ms", 1),
    of("pingP99Ms", 30),
  ];
}

class Endurance {
  readonly samples: Sample[] = [];
  readonly failures: string[] = [];
  readonly #abort = new AbortController();
  readonly counts: loads.Counts = {
    producedBytes: 0,
    tailRecords: 0,
    catchUpRecords: 0,
    topicsDeleted: 0,
    groupRecords: 0,
  };

  constructor(readonly peer: Peer, readonly store: ObjectStore, readonly namespace: string) {}

  async run(seconds: number, everySeconds: number, bytesPerSecond: number): Promise<void> {
    const o = { port: this.peer.port, signal: this.#abort.signal, counts: this.counts };
    for (const { name, partitions } of [loads.STEADY, loads.MEDIUM, loads.SPARSE]) {
      await createTopic(o.port, name, partitions, loads.TOPIC_CONFIGS);
    }
    const ping = new loads.Ping(o, 50);
    const running = Promise.all([
      this.#load("steady producer", loads.produceSteadily(o, bytesPerSecond * 0.75)),
      this.#load("second producer", loads.produceSteadily(o, bytesPerSecond * 0.25)),
      this.#load("medium producer", loads.produceInTurn(o, loads.MEDIUM, 8_000, 16)),
      this.#load("sparse producer", loads.produceInTurn(o, loads.SPARSE, 100, 25)),
      this.#load("tail reader", loads.readTail(o)),
      this.#load("catch-up reader", loads.catchUp(o, 15_000)),
      this.#load("topics", loads.churnTopics(o, 3_000)),
      this.#load("group", loads.churnMembers(o, 8_000)),
    ]);
    const started = performance.now();
    let cpu = cpuSeconds(this.peer.pid);
    for (let at = 1; at * everySeconds <= seconds; at++) {
      const dueMs = started + at * everySeconds * 1_000;
      await new Promise((resolve) => setTimeout(resolve, dueMs - performance.now()));
      const { p50Ms, p99Ms, maxMs } = ping.take();
      const now = cpuSeconds(this.peer.pid);
      this.samples.push({
        atSeconds: at * everySeconds,
        residentBytes: memory(this.peer.pid).residentBytes,
        openFiles: openFiles(this.peer.pid),
        ...await countObjects(this.store, this.namespace),
        pingP50Ms: p50Ms,
        pingP99Ms: p99Ms,
        pingMaxMs: maxMs,
        cpuCores: (now - cpu) / everySeconds,
        counts: { ...this.counts },
      });
      cpu = now;
      console.error(line(this.samples.at(-1)!));
      if (this.failures.length > 0) break;
    }
    this.#abort.abort();
    await Promise.all([running, ping.stop()]);
    this.#expectProgress();
  }

  async #load(name: string, run: Promise<void>): Promise<void> {
    try {
      await run;
    } catch (error) {
      this.failures.push(`${name}: ${error instanceof Error ? error.stack : error}`);
      console.error(this.failures.at(-1));
    }
  }

  /** A load that stood still proves nothing. */
  #expectProgress(): void {
    const [first, last] = [this.samples[0]?.counts, this.samples.at(-1)?.counts];
    for (const name of Object.keys(this.counts) as (keyof loads.Counts)[]) {
      if ((last?.[name] ?? 0) > (first?.[name] ?? 0)) continue;
      this.failures.push(`${name} did not grow`);
    }
  }
}

function line(s: Sample): string {
  return `${String(s.atSeconds).padStart(5)} s  ${figure(s.residentBytes / MIB)} MiB resident, ` +
    `${s.openFiles} files, ${s.objects} objects (${figure(s.objectBytes / MIB)} MiB), ` +
    `WAL ${s.walObjects} (${figure(s.walBytes / MIB)} MiB), ping p50 ${figure(s.pingP50Ms)} ` +
    `p99 ${figure(s.pingP99Ms)} ms, ${figure(s.cpuCores)} cores, ` +
    `${figure(s.counts.producedBytes / MIB)} MiB produced`;
}

async function damage(place: { dataDir: string; env: Record<string, string> }): Promise<string[]> {
  const config = configOf(place);
  const runtime = systemRuntime(systemLog("error", true));
  const data = await openData({ config, runtime, readOnly: true });
  const { findings } = await fsck({
    ...data,
    runtime,
    config,
    depth: "deep",
    moving: false,
    signal: new AbortController().signal,
  });
  await data.close();
  return findings.filter(isDamage).map(({ code, key, text }) => `${code} ${key}: ${text}`);
}

async function main(): Promise<boolean> {
  const args = parseArgs(Deno.args, {
    string: ["storage", "json", ...Object.keys(NUMBERS)],
    boolean: ["help"],
  });
  if (args["help"] === true) return console.log(HELP), true;
  const number = (name: keyof typeof NUMBERS) => Number(args[name] ?? NUMBERS[name]);
  const storage = String(args["storage"] ?? "s3");
  const dataDir = await Deno.makeTempDir({ prefix: "kafscale-bench-" });
  const minio = await Minio.start();
  try {
    const env = {
      ...SETTINGS,
      ...minio.settings(await minio.bucket()),
      KAFSCALE_STORAGE: storage,
      KAFSCALE_FLUSH_INTERVAL_MS: String(number("spacing-ms")),
    };
    const place = { dataDir, env };
    const config = configOf(place);
    const runtime = systemRuntime(systemLog("error", true));
    const store = await openStore({ config, runtime });
    const peer = await startPeer("kafscale", place);
    const endurance = new Endurance(peer, store, config.namespace);
    await endurance.run(
      number("minutes") * 60,
      number("every-seconds"),
      number("mib-per-second") * MIB,
    );
    await peer.stop();
    await store.close();
    const { samples, failures } = endurance;
    failures.push(...peer.log.filter((each) => /"level":"error"/.test(each)));
    failures.push(...await damage(place));
    const found = failures.length > 0 ? [] : trends(samples);
    const flat = found.every((trend) => trend.flat) && failures.length === 0;
    if (args["json"] !== undefined) {
      const report = { ...await provenance(), storage, flat, failures, trends: found, samples };
      await Deno.writeTextFile(String(args["json"]), JSON.stringify(report, undefined, 1) + "\n");
    }
    print(found, failures, flat);
    return flat;
  } finally {
    await minio.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

function print(found: readonly Trend[], failures: readonly string[], flat: boolean): void {
  const shown = (name: string, value: number) =>
    figure(name.endsWith("Bytes") ? value / MIB : value);
  const rows = found.map(({ name, median, max, growth, share, tolerance, flat }) => [
    name.replace(/Bytes$/, ", MiB"),
    shown(name, median),
    shown(name, max),
    shown(name, growth),
    `${figure(share * 100)} %`,
    shown(name, tolerance),
    flat ? "flat" : "GROWS",
  ]);
  const head = ["second half", "level", "peak of all", "growth", "", "tolerated", ""];
  console.log(table([head, ...rows]));
  for (const each of failures) console.log(`FAILED: ${each}`);
  console.log(flat ? "flat: nothing grows" : "NOT FLAT");
}

if (import.meta.main) Deno.exit(await main() ? 0 : 1);
