/**
 * What metrics cost, and whether that is under 2 %: a broker with the metrics plugin and a scrape a
 * second (fifteen times as often as usual) against itself without, in pairs of short turns
 * (rounds.ts says how). Each pair gives one ratio of processor time per request and one of time per
 * request; from all of them come a median and the interval that holds it with 95 %. "passed": the
 * whole interval of processor time is under the limit, and that of time is not over it; "failed":
 * one of them is over it as a whole; "open": more rounds are needed.
 *
 *   deno run -A bench/metrics_cost/main.ts
 *   … --rounds 2 --into FILE    adds to the rounds of a file, and judges all of them
 *   … --control                 metrics are never turned on: what is found where nothing differs
 *   … --pairs 10 --requests 28000 --filled 60000 --readings 10 --rest 60  the size of a round
 *
 * What core counts is not turned off by any setting; it is measured by itself (counting.ts), and
 * added to what the plugin costs in processor time.
 * Exits with 0 when passed, 1 when failed, 3 while open.
 */
import { parseArgs } from "@std/cli/parse-args";
import { figure, table } from "../figures.ts";
import { type MedianInterval, medianInterval, verdict } from "../interval.ts";
import { provenance } from "../machine.ts";
import { type Counting, countingMicroseconds } from "./counting.ts";
import { type Pair, type Round, runRound, type Turn } from "./rounds.ts";

const LIMIT = 1.02;
const USUAL_SCRAPE_SECONDS = 15;
const EXIT_CODES = { passed: 0, failed: 1, open: 3 };

type Figure = (turn: Turn) => number;

const cpuPerRequest: Figure = ({ cpuSeconds, requests }) => cpuSeconds / requests;
const timePerRequest: Figure = ({ seconds, requests }) => seconds / requests;

interface Cost {
  readonly load: string;
  readonly pairs: readonly Pair[];
  /** Core's own counting included, of which no setting makes a broker without it. */
  readonly cpu: MedianInterval;
  /** Time per request with metrics to that without: the inverse of throughput's ratio. */
  readonly time: MedianInterval;
}

function costOf(load: string, pairs: readonly Pair[], countingMicros: number): Cost {
  const ratios = (of: Figure) =>
    medianInterval(pairs.map((pair) => of(pair.with) / of(pair.without)));
  const counting = countingMicros / 1e6;
  const cpu = pairs.map((pair) =>
    cpuPerRequest(pair.with) / (cpuPerRequest(pair.without) - counting)
  );
  return { load, pairs, cpu: medianInterval(cpu), time: ratios(timePerRequest) };
}

/** Together one has to be shown under the limit, the noisier one must not be shown over it. */
function judge({ cpu, time }: Cost): keyof typeof EXIT_CODES {
  if (verdict(time, LIMIT) === "failed") return "failed";
  return verdict(cpu, LIMIT);
}

function mean<T>(all: readonly T[], of: (each: T) => number): number {
  return all.reduce((sum, each) => sum + of(each), 0) / all.length;
}

function costRow(cost: Cost): string[] {
  const ofSide = (side: keyof Pair, of: Figure) => mean(cost.pairs, (pair) => of(pair[side]));
  const micros = (side: keyof Pair) => (ofSide(side, cpuPerRequest) * 1e6).toFixed(1);
  return [
    cost.load,
    micros("with"),
    micros("without"),
    percent(cost.cpu),
    figure(1 / ofSide("with", timePerRequest)),
    figure(1 / ofSide("without", timePerRequest)),
    percent(cost.time),
    judge(cost),
  ];
}

/** What a ratio adds: the median, and from where to where that may be. */
function percent({ median, low, high }: MedianInterval): string {
  const text = (ratio: number) =>
    Number.isFinite(ratio) ? ((ratio - 1) * 100).toFixed(1).replace("-", "−") : "?";
  return `${text(median)} % (${text(low)} to ${text(high)})`;
}

/** What it is made of, and core's counting, at the usual rate of scrapes. */
function partRows(
  rounds: readonly Round[],
  [produce, fetch]: readonly [Cost, Cost],
  counting: Counting,
): string[][] {
  const request = ({ pairs }: Cost) => mean(pairs, (pair) => cpuPerRequest(pair.without)) * 1e6;
  const scrape = mean(rounds, (round) => round.scrapeCpuSeconds) * 1e3;
  const bytes = rounds.at(-1)!.scrapeBytes;
  const share = (part: number, whole: number) => `${(part / whole * 100).toFixed(2)} %`;
  return [
    ["", "processor time", "share"],
    [
      "core counts a produce request",
      `${counting.produce.toFixed(2)} µs`,
      share(counting.produce, request(produce)),
    ],
    [
      "core counts a fetch",
      `${counting.fetch.toFixed(2)} µs`,
      share(counting.fetch, request(fetch)),
    ],
    [
      `a scrape of ${bytes} bytes every ${USUAL_SCRAPE_SECONDS} s`,
      `${scrape.toFixed(1)} ms`,
      share(scrape, USUAL_SCRAPE_SECONDS * 1e3),
    ],
  ];
}

/** The rounds of a file: a line each. */
async function readRounds(path: string | undefined): Promise<Round[]> {
  if (path === undefined) return [];
  const text = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  });
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

async function main(): Promise<number> {
  const args = parseArgs(Deno.args, {
    string: ["rounds", "pairs", "requests", "filled", "readings", "rest", "into"],
    boolean: ["control"],
  });
  const control = args.control === true;
  const into = args.into === undefined ? undefined : String(args.into);
  const rounds = (await readRounds(into))
    .filter((round) => round.control === control);
  for (let count = Number(args.rounds ?? 3); count > 0; count--) {
    const round = await runRound({
      pairs: Number(args.pairs ?? 10),
      requests: Number(args.requests ?? 28_000),
      filled: Number(args.filled ?? 60_000),
      readings: Number(args.readings ?? 10),
      restSeconds: Number(args.rest ?? 60),
      control,
    });
    rounds.push(round);
    if (into !== undefined) {
      await Deno.writeTextFile(into, JSON.stringify(round) + "\n", { append: true });
    }
  }
  const counting = countingMicroseconds();
  const all = (of: (round: Round) => readonly Pair[]) => rounds.flatMap(of);
  const costs: [Cost, Cost] = [
    costOf("produce, 512 bytes a request", all((round) => round.produce), counting.produce),
    costOf("fetch, 16 KiB an answer", all((round) => round.fetch), counting.fetch),
  ];
  const { commit, runtime, machine } = await provenance();
  console.log(`${commit}, ${runtime}, ${machine.cores} cores, ${machine.cpu}`);
  console.log(`${rounds.length} brokers, ${costs[0]!.pairs.length} pairs; in brackets: 95 %\n`);
  console.log(table([
    ["", "CPU µs with", "without", "added", "req/s with", "without", "added time", ""],
    ...costs.map(costRow),
  ]));
  console.log("\n" + table(partRows(rounds, costs, counting)));
  const judged = costs.map(judge);
  const result = (["failed", "open"] as const).find((each) => judged.includes(each)) ?? "passed";
  console.log(`\nmetrics cost under 2 %: ${result}`);
  return EXIT_CODES[result];
}

if (import.meta.main) Deno.exit(await main());
