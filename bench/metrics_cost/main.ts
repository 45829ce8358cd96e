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
 * added to what the plugin costs in processor time. What the parts take, each by itself, is judged
 * too: turns differ by some per cent on a machine that does anything else.
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

/** A part of the cost: what it takes at most, and which share of the processor that is. */
interface Part {
  readonly name: string;
  readonly time: string;
  readonly share: number;
}

/** Each measured by itself, which is sure where the difference between turns is not. */
function partsOf(rounds: readonly Round[], costs: readonly [Cost, Cost], counting: Counting) {
  const [produce, fetch] = costs.map(({ pairs }) =>
    medianInterval(pairs.map((pair) => cpuPerRequest(pair.without))).median * 1e6
  ) as [number, number];
  const scrapeMs = Math.max(...rounds.map((round) => round.scrapeCpuSeconds)) * 1e3;
  const bytes = rounds.at(-1)!.scrapeBytes;
  const counts = (name: string, micros: number, request: number): Part => ({
    name: `core counts a ${name}`,
    time: `${micros.toFixed(2)} µs`,
    share: micros / request,
  });
  return {
    produce: counts("produce request", counting.produce, produce),
    fetch: counts("fetch", counting.fetch, fetch),
    scrape: {
      name: `a scrape of ${bytes} bytes every ${USUAL_SCRAPE_SECONDS} s`,
      time: `${scrapeMs.toFixed(1)} ms`,
      share: scrapeMs / (USUAL_SCRAPE_SECONDS * 1e3),
    },
  };
}

const share = (of: number) => `${(of * 100).toFixed(2)} %`;

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
  const { produce, fetch, scrape } = partsOf(rounds, costs, counting);
  console.log(
    "\n" + table([
      ["", "processor time, at most", "share"],
      ...[produce, fetch, scrape].map((part) => [part.name, part.time, share(part.share)]),
    ]),
  );
  const [ofProduce, ofFetch] = [produce.share + scrape.share, fetch.share + scrape.share];
  const parts = Math.max(ofProduce, ofFetch) < LIMIT - 1 ? "passed" : "failed";
  const judged = [parts, ...costs.map(judge)];
  const worst = (of: readonly string[]) =>
    (["failed", "open"] as const).find((each) => of.includes(each)) ?? "passed";
  console.log(
    `\nmetrics cost under 2 %, by their parts: ${parts} (${share(ofProduce)} of a produce ` +
      `request, ${share(ofFetch)} of a fetch)`,
  );
  console.log(`metrics cost under 2 %, as a whole: ${worst(judged.slice(1))}`);
  return EXIT_CODES[worst(judged)];
}

if (import.meta.main) Deno.exit(await main());
