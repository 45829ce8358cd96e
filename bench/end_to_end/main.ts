/**
 * `deno task bench:e2e`: the same load, by Apache Kafka's own tools, against this broker and Apache
 * Kafka in turn (A B A B), each a fresh process on a fresh directory. See options.ts.
 */
import { figure, median, MIB, table } from "../figures.ts";
import { provenance } from "../machine.ts";
import { type Peer, PEER_NOTES, startPeer } from "../peers.ts";
import { memory } from "../process_figures.ts";
import { diskProbe } from "./disk_probe.ts";
import { fillMemory } from "./fill_memory.ts";
import { HELP, type Options, parseOptions, UsageError } from "./options.ts";
import { consume, type Figures, latency, produce, rewriting, TUNED, verify } from "./phases.ts";

const DISK = "disk: MB/s, 4 MiB files, fdatasync each";
const BUSY = "machine: load average before";
const PEAK = "memory: peak MiB resident";
/** Where the disk itself, or what else ran, differed by more than this, ratios mean little. */
const DISK_SPREAD_MAX = 1.5;
const BUSY_SHARE_MAX = 0.5;

async function runPhases(peer: Peer, options: Options): Promise<Figures> {
  const { records, only, messages } = options;
  const figures: Figures = { "start: ms": peer.startMs };
  let peak = 0;
  const add = (phase: Figures) => {
    Object.assign(figures, phase);
    peak = Math.max(peak, memory(peer.pid).residentPeakBytes);
  };
  if (options.warmUpRecords > 0) {
    await produce(peer, "warm-up", "warm-up", options.warmUpRecords, TUNED);
  }
  if (only.includes("produce") || only.includes("consume")) {
    const tuned = await produce(peer, "produce tuned", "tuned", records, TUNED);
    if (only.includes("produce")) add(tuned);
  }
  if (only.includes("produce")) {
    const third = Math.ceil(records / 3);
    add(await produce(peer, "produce defaults", "defaults", third, []));
    if (options.smoke) await verify(peer, "defaults", third);
  }
  if (only.includes("consume")) add(await consume(peer, "tuned", records));
  if (options.smoke && only.includes("consume")) await verify(peer, "tuned", records);
  if (only.includes("latency")) {
    add(await latency(peer, "all", messages));
    add(await latency(peer, "1", messages));
  }
  if (peer.name === "kafscale" && !options.smoke) add(await rewriting(peer));
  figures[PEAK] = peak / MIB;
  figures["memory: MiB resident at the end"] = memory(peer.pid).residentBytes / MIB;
  return figures;
}

async function runSide(options: Options, side: number, base: string): Promise<Figures> {
  const name = options.sides[side]!;
  const dataDir = `${base}/${name}-${side}`;
  // What the side before has left to the disk must not be written during this one.
  await new Deno.Command("sync").output().catch(() => {});
  const [busy] = Deno.loadavg();
  if (!options.smoke) await fillMemory(base);
  const disk = await diskProbe(base, options.smoke ? 4 : 64);
  const peer = await startPeer(name, { dataDir });
  try {
    return { [BUSY]: busy!, [DISK]: disk, ...await runPhases(peer, options) };
  } catch (error) {
    console.error(peer.log.slice(-20).join("\n"));
    throw error;
  } finally {
    await peer.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

function render(options: Options, rounds: readonly Figures[][]): string {
  const metrics = [...new Set(rounds.flatMap((sides) => sides.flatMap((f) => Object.keys(f))))];
  const middle = (side: number, metric: string) =>
    median(rounds.map((sides) => sides[side]![metric] ?? NaN));
  const head = [
    "",
    ...options.sides.flatMap((name, side) => side === 0 ? [name] : [name, "ratio"]),
  ];
  const rows = metrics.map((metric) => {
    const first = middle(0, metric);
    const cells = options.sides.flatMap((_, side) => {
      const value = middle(side, metric);
      return side === 0 ? [figure(value)] : [figure(value), figure(first / value)];
    });
    return [metric, ...cells];
  });
  return table([head, ...rows]);
}

/** Why this run's ratios may say more about the machine than about the brokers. */
function doubts(rounds: readonly Figures[][]): string[] {
  const of = (metric: string) => rounds.flat().map((figures) => figures[metric]!);
  const disk = of(DISK);
  const spread = Math.max(...disk) / Math.min(...disk);
  const busy = of(BUSY)[0]! / navigator.hardwareConcurrency;
  return [
    ...(spread > DISK_SPREAD_MAX
      ? [`the bare disk's own speed differed ${figure(spread)}-fold`]
      : []),
    ...(busy > BUSY_SHARE_MAX ? [`${figure(busy)} of a task per core was running before`] : []),
  ];
}

/** Our broker's highest peak, if it is above the mark that the README gives. */
function aboveMark({ sides, memoryMaxMib }: Options, rounds: readonly Figures[][]) {
  const peaks = rounds.flatMap((figures) =>
    figures.filter((_, side) => sides[side] === "kafscale").map((of) => of[PEAK]!)
  );
  const peak = Math.max(...peaks);
  return peak > memoryMaxMib ? peak : undefined;
}

/** Resolves to the exit code. */
async function run(options: Options): Promise<number> {
  const where = await provenance();
  const { cores, cpu } = where.machine;
  console.log(`${where.commit}, ${where.runtime}, ${cores} cores ${cpu}, ${options.rounds} rounds`);
  for (const name of new Set(options.sides)) console.log(`${name}: ${PEER_NOTES[name]}`);
  console.log("ratio: the first side over this one; client and broker share the machine\n");
  const base = await Deno.makeTempDir({
    prefix: "kafscale-bench-",
    ...(options.dir === undefined ? {} : { dir: options.dir }),
  });
  const rounds: Figures[][] = [];
  try {
    for (let round = 0; round < options.rounds; round++) {
      const sides: Figures[] = [];
      for (let side = 0; side < options.sides.length; side++) {
        console.error(`round ${round + 1} of ${options.rounds}: ${options.sides[side]}`);
        sides.push(await runSide(options, side, base));
      }
      rounds.push(sides);
    }
  } finally {
    await Deno.remove(base, { recursive: true });
  }
  console.log(render(options, rounds));
  for (const doubt of doubts(rounds)) console.log(`doubtful: ${doubt}`);
  if (options.json !== undefined) {
    const report = { ...where, options, rounds };
    await Deno.writeTextFile(options.json, JSON.stringify(report, null, 2) + "\n");
  }
  if (options.smoke) console.log("smoke: every record arrived");
  const peak = aboveMark(options, rounds);
  if (peak === undefined) return 0;
  console.error(`${figure(peak)} MiB were resident, above the mark of ${options.memoryMaxMib}`);
  return 1;
}

async function main(): Promise<number> {
  try {
    const options = parseOptions(Deno.args);
    if (options !== undefined) return await run(options);
    console.log(HELP);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n${HELP}`);
    return 2;
  }
}

if (import.meta.main) Deno.exit(await main());
