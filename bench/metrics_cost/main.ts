/**
 * What metrics cost, and whether that is under 2 % of throughput.
 *
 * The real request path, from a frame's bytes to an answer's, of a broker in this process, on
 * memory, without a kernel or a client beside it: so the work that measuring is set against is less
 * than a broker's. What is measured per request is turned off and on in slices of 3 ms (slices.ts);
 * the difference of processor time is taken pair by pair, and its median has an interval that holds
 * it with 95 %. What the plugin does by itself, a scrape every 15 seconds and its look at counters
 * once a second, is measured call by call, and its share of a processor added.
 *
 *   deno run -A bench/metrics_cost/main.ts
 *   … --pairs 1500       pairs of slices of each load
 *   … --control          measuring is never turned on: what is found where nothing differs
 *
 * "passed": the upper end of every interval is under the limit; "failed": the lower end of one is
 * over it; "open": more pairs are needed. Exits with 1 unless passed.
 */
import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { median, table } from "../figures.ts";
import { type MedianInterval, medianInterval, verdict } from "../interval.ts";
import { provenance } from "../machine.ts";
import { type MeasuredBroker, measuredBroker } from "./broker.ts";
import { type Load, measuredLoads } from "./slices.ts";
import { installSwitch } from "./switch.ts";

type Verdict = ReturnType<typeof verdict>;

const LIMIT = 0.02;
const SCRAPE_MS = 15_000;
const CALLS = 300;

/** What the plugin takes by itself. */
interface Plugin {
  readonly scrapeBytes: number;
  readonly scrapeMs: MedianInterval;
  /** Share of a processor: scrapes and the plugin's own timers. */
  readonly share: MedianInterval;
}

async function pluginCost(broker: MeasuredBroker): Promise<Plugin> {
  const millis = async (run: () => unknown) => {
    const all: number[] = [];
    for (let call = 0; call < CALLS; call++) {
      const before = process.cpuUsage();
      await run();
      const { user, system } = process.cpuUsage(before);
      // the first ones run before there is machine code for them
      if (call >= CALLS / 3) all.push((user + system) / 1_000);
    }
    return medianInterval(all);
  };
  const scrapeMs = await millis(() => broker.scrape());
  const share = scaled(scrapeMs, 1 / SCRAPE_MS);
  for (const { run, everyMs } of broker.tasks) add(share, scaled(await millis(run), 1 / everyMs));
  return { scrapeBytes: await broker.scrape(), scrapeMs, share };
}

type Interval = { -readonly [end in keyof MedianInterval]: number };

function scaled({ median, low, high }: MedianInterval, by: number): Interval {
  return { median: median * by, low: low * by, high: high * by };
}

function add(to: Interval, more: MedianInterval): void {
  to.median += more.median;
  to.low += more.low;
  to.high += more.high;
}

/** What measuring adds to the processor time of a request, as a share of what it takes without. */
function requestShare({ pairs }: Load): Interval {
  const base = median(pairs.map((pair) => pair.without));
  return scaled(medianInterval(pairs.map((pair) => pair.with - pair.without)), 1 / base);
}

function percent({ median, low, high }: MedianInterval): string {
  const text = (share: number) =>
    Number.isFinite(share) ? (share * 100).toFixed(2).replace("-", "−") : "?";
  return `${text(median)} % (${text(low)} to ${text(high)})`;
}

function row(load: Load, plugin: Plugin): { cells: string[]; judged: Verdict } {
  const request = requestShare(load);
  const all = { ...request };
  add(all, plugin.share);
  const micros = median(load.pairs.map((pair) => pair.without));
  const judged = verdict(all, LIMIT);
  return {
    cells: [
      load.name,
      `${load.pairs.length} of ${load.requestsPerSlice}`,
      micros.toFixed(1),
      percent(request),
      percent(all),
      judged,
    ],
    judged,
  };
}

async function main(): Promise<number> {
  const args = parseArgs(Deno.args, { string: ["pairs"], boolean: ["control"] });
  installSwitch();
  const broker = await measuredBroker();
  const loads = await measuredLoads(broker, Number(args.pairs ?? 1_500), args.control === true);
  const plugin = await pluginCost(broker);
  await broker.stop();
  const { commit, runtime, machine } = await provenance();
  console.log(`${commit}, ${runtime}, ${machine.cores} cores, ${machine.cpu}; in brackets: 95 %\n`);
  const rows = loads.map((load) => row(load, plugin));
  console.log(table([
    ["", "pairs", "µs a request", "counted per request", "with the plugin", ""],
    ...rows.map(({ cells }) => cells),
  ]));
  const scrape = `${plugin.scrapeMs.median.toFixed(2)} ms for ${plugin.scrapeBytes} bytes`;
  console.log(`\na scrape: ${scrape}; the plugin by itself: ${percent(plugin.share)} of a core`);
  const worst =
    (["failed", "open"] as const).find((how) => rows.some(({ judged }) => judged === how)) ??
      "passed";
  console.log(`metrics cost under 2 %: ${worst}`);
  return worst === "passed" ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
