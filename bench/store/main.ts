/**
 * What a bucket on this machine takes and gives without a broker: parallel conditional creates,
 * then range reads, each way in turn on the same MinIO. See `HELP`.
 */
import { parseArgs } from "@std/cli/parse-args";
import { Minio } from "../../tests/services/minio.ts";
import { figure, GIB, median, MIB, percentile, table } from "../figures.ts";
import { cpuSeconds } from "../process_figures.ts";
import { type Place, type Way, WAYS } from "./ways.ts";

const HELP = `Usage: main.ts [options]
  --ways s3,minio,node:http     of ${Object.keys(WAYS).join(", ")}
  --mib 4                       MiB of one object
  --count 64                    objects of one round
  --parallel 4                  calls at once
  --rounds 3                    each way once a round; the median is shown
  --json                        one JSON object instead of a table`;

const NUMBERS = { mib: 4, count: 64, parallel: 4, rounds: 3 };

/** Of one way in one round; CPU is that of this process and MinIO's, in seconds per GiB. */
interface Figures {
  readonly mbPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuPerGib: number;
  readonly storeCpuPerGib: number;
}

const PARTS_BYTES = MIB;

interface Load {
  readonly count: number;
  readonly parallel: number;
  readonly bytes: number;
}

async function measure(
  minioPid: number,
  { count, parallel, bytes }: Load,
  call: (index: number) => Promise<unknown>,
): Promise<Figures> {
  const took: number[] = [];
  let next = 0;
  const cpu = [cpuSeconds(Deno.pid), cpuSeconds(minioPid)];
  const begun = performance.now();
  await Promise.all(Array.from({ length: parallel }, async () => {
    for (let index = next++; index < count; index = next++) {
      const started = performance.now();
      await call(index);
      took.push(performance.now() - started);
    }
  }));
  const seconds = (performance.now() - begun) / 1000;
  took.sort((a, b) => a - b);
  const gib = count * bytes / GIB;
  return {
    mbPerSecond: count * bytes / 1e6 / seconds,
    p50Ms: percentile(took, 0.5),
    p99Ms: percentile(took, 0.99),
    cpuPerGib: (cpuSeconds(Deno.pid) - cpu[0]!) / gib,
    storeCpuPerGib: (cpuSeconds(minioPid) - cpu[1]!) / gib,
  };
}

/** Slabs as the commit log's, with bytes that differ. */
function slabs(bytes: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let left = bytes; left > 0; left -= PARTS_BYTES) {
    const part = new Uint8Array(Math.min(left, PARTS_BYTES));
    for (let at = 0; at < part.length; at++) part[at] = Math.imul(at + left, 0x9e3779b1) >>> 24;
    parts.push(part);
  }
  return parts;
}

export interface Rounds {
  readonly puts: Figures[];
  readonly gets: Figures[];
}

/** Each way's rounds, in turn. */
export async function compare(
  minio: Minio,
  names: readonly string[],
  load: Load,
  rounds: number,
): Promise<Map<string, Rounds>> {
  const results = new Map<string, Rounds>();
  const parts = slabs(load.bytes);
  for (let round = -1; round < rounds; round++) {
    for (const name of names) {
      // a bucket each time: what lies in it already costs MinIO time
      const place: Place = {
        endpoint: minio.endpoint,
        accessKey: minio.accessKey,
        secretKey: minio.secretKey,
        bucket: await minio.bucket(),
        parallel: load.parallel,
      };
      const way: Way = await WAYS[name]!(place);
      const puts = await measure(minio.pid, load, (index) => way.put(`put/${index}`, parts));
      const gets = await measure(minio.pid, load, async (index) => {
        const bytes = await way.get(`put/${index}`, 0, load.bytes);
        if (bytes !== load.bytes) throw new Error(`${name}: ${bytes} bytes came`);
      });
      await way.close();
      await Deno.remove(`${minio.dir}/data/${place.bucket}`, { recursive: true });
      // the first round warms up
      if (round < 0) continue;
      const result = results.get(name) ?? { puts: [], gets: [] };
      result.puts.push(puts);
      result.gets.push(gets);
      results.set(name, result);
    }
  }
  return results;
}

const COLUMNS: readonly [string, (one: Figures) => number][] = [
  ["MB/s", (one) => one.mbPerSecond],
  ["p50 ms", (one) => one.p50Ms],
  ["p99 ms", (one) => one.p99Ms],
  ["CPU-s/GiB", (one) => one.cpuPerGib],
  ["MinIO's CPU-s/GiB", (one) => one.storeCpuPerGib],
];

function render(results: Map<string, Rounds>): string {
  const rows: string[][] = [["", ...COLUMNS.map(([name]) => name), "ratio MB/s", "ratio CPU"]];
  for (const what of ["puts", "gets"] as const) {
    const of = (name: string, value: (one: Figures) => number) =>
      median(results.get(name)![what].map(value));
    const base = results.has("node:http") ? "node:http" : [...results.keys()][0]!;
    for (const name of results.keys()) {
      const [speed, , , cpu] = COLUMNS.map(([, value]) => of(name, value) / of(base, value));
      const values = COLUMNS.map(([, value]) => figure(of(name, value)));
      rows.push([`${what} ${name}`, ...values, figure(speed), figure(cpu)]);
    }
  }
  return table(rows);
}

async function main(argv: readonly string[]): Promise<void> {
  const args = parseArgs([...argv], {
    string: ["ways", ...Object.keys(NUMBERS)],
    boolean: ["json", "help"],
  });
  if (args.help) return console.log(HELP);
  const number = (name: keyof typeof NUMBERS) => Number(args[name] ?? NUMBERS[name]);
  const names = String(args.ways ?? "s3,minio,node:http").split(",");
  for (const name of names) if (!(name in WAYS)) throw new Error(`no way ${name}\n${HELP}`);
  const load = {
    count: number("count"),
    parallel: number("parallel"),
    bytes: Math.round(number("mib") * MIB),
  };
  await using minio = await Minio.start();
  const results = await compare(minio, names, load, number("rounds"));
  console.log(
    args.json ? JSON.stringify({ load, ...Object.fromEntries(results) }) : render(results),
  );
}

if (import.meta.main) await main(Deno.args);
