/**
 * What metrics cost: two brokers side by side, one with the metrics plugin and a scrape a second
 * (fifteen times as often as usual), one without any plugin, under the same load in turns of a few
 * seconds. Many small requests, where counting weighs most, and objects in memory, since a disk
 * varies by more than what is looked for. Prints the ratios of the pairs.
 *
 *   deno run -A bench/metrics_cost.ts                    with and without the plugin
 *   deno run -A bench/metrics_cost.ts --without DIR      without: the broker of another checkout
 *   … --pairs 12 --seconds 4 --rest 60                   how often, how long; rest before reading
 *
 * The second form tells what the counters in core cost, which no setting turns off.
 */
import { parseArgs } from "@std/cli/parse-args";
import { figure, median, table } from "./figures.ts";
import { createTopic } from "./load/client_connection.ts";
import { fetchLoad } from "./load/fetch_load.ts";
import { produceLoad } from "./load/produce_load.ts";
import { provenance } from "./machine.ts";
import { type Peer, startPeer } from "./peers.ts";
import { cpuSeconds } from "./process_figures.ts";

const TOPIC = "cost";
const PARTITIONS = 8;
const SCRAPE_MS = 1_000;
const IN_MEMORY = { KAFSCALE_STORAGE: "memory", KAFSCALE_METADATA: "memory" };
/** A broker rests that uses less of a core than this for so long; rewriting waits for five. */
const QUIET_SHARE = 0.1;
const QUIET_SECONDS = 7;

interface Turn {
  readonly requestsPerSecond: number;
  readonly cpuMsPerRequest: number;
}

interface Sides {
  readonly with: Peer;
  readonly without: Peer;
}

async function produceTurn({ port, pid }: Peer, seconds: number): Promise<Turn> {
  const before = cpuSeconds(pid);
  const { requests, seconds: took } = await produceLoad({
    port,
    topic: TOPIC,
    partitions: PARTITIONS,
    connections: 4,
    depth: 5,
    batchBytes: 512,
    recordBytes: 200,
    batchesPerRequest: 1,
    acks: -1,
    idempotent: false,
    bytesPerSecond: 0,
    seconds,
    requestsMax: Number.MAX_SAFE_INTEGER,
  });
  return turnOf(requests, took, cpuSeconds(pid) - before);
}

/** Reads everything that was produced so far, in small answers. */
async function fetchTurn({ port, pid }: Peer): Promise<Turn> {
  const before = cpuSeconds(pid);
  const { requests, seconds } = await fetchLoad({
    port,
    topic: TOPIC,
    partitions: PARTITIONS,
    connections: 4,
    bytesMax: 65_536,
    partitionBytesMax: 8_192,
    verify: false,
  });
  return turnOf(requests, seconds, cpuSeconds(pid) - before);
}

function turnOf(requests: number, seconds: number, cpu: number): Turn {
  return { requestsPerSecond: requests / seconds, cpuMsPerRequest: cpu * 1_000 / requests };
}

/** Waits until what producing left to do is done: one side's rewriting would weigh on its reads. */
async function rested({ pid }: Peer, secondsMax: number): Promise<void> {
  for (let quiet = 0, second = 0; quiet < QUIET_SECONDS && second < secondsMax; second++) {
    const before = cpuSeconds(pid);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    quiet = cpuSeconds(pid) - before < QUIET_SHARE ? quiet + 1 : 0;
  }
}

/** Pairs of turns, the order changing, so that neither side is always the second. */
async function pairs(
  sides: Sides,
  count: number,
  turn: (peer: Peer) => Promise<Turn>,
): Promise<readonly (readonly [Turn, Turn])[]> {
  const all: [Turn, Turn][] = [];
  for (let index = 0; index < count; index++) {
    if (index % 2 === 0) {
      const without = await turn(sides.without);
      all.push([await turn(sides.with), without]);
    } else all.push([await turn(sides.with), await turn(sides.without)]);
  }
  return all;
}

function row(name: string, turns: readonly (readonly [Turn, Turn])[]): string[] {
  const middle = (side: 0 | 1, of: keyof Turn) => median(turns.map((pair) => pair[side][of]));
  const ratio = (of: keyof Turn) => median(turns.map((pair) => pair[0][of] / pair[1][of]));
  return [
    name,
    figure(middle(0, "requestsPerSecond")),
    figure(middle(1, "requestsPerSecond")),
    ratio("requestsPerSecond").toFixed(3),
    (middle(0, "cpuMsPerRequest") * 1_000).toFixed(1),
    (middle(1, "cpuMsPerRequest") * 1_000).toFixed(1),
    ratio("cpuMsPerRequest").toFixed(3),
  ];
}

/** Scrapes until it is ended; how often it did, and what it got. */
function scraper(port: number): () => Promise<{ scrapes: number; bytes: number }> {
  let scrapes = 0;
  let bytes = 0;
  const timer = setInterval(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    bytes = (await response.arrayBuffer()).byteLength;
    if (response.ok) scrapes++;
  }, SCRAPE_MS);
  return async () => {
    clearInterval(timer);
    await new Promise((resolve) => setTimeout(resolve, SCRAPE_MS));
    return { scrapes, bytes };
  };
}

function httpPort(peer: Peer): number {
  const line = peer.log.find((each) => each.includes('"msg":"http listening on '));
  return Number(/:(\d+)"/.exec(line ?? "")?.[1]);
}

async function main(): Promise<void> {
  const args = parseArgs(Deno.args, { string: ["without", "pairs", "seconds", "rest"] });
  const count = Number(args["pairs"] ?? 12);
  const seconds = Number(args["seconds"] ?? 4);
  const rest = Number(args["rest"] ?? 60);
  const checkout = args["without"] === undefined ? undefined : String(args["without"]);
  const dir = await Deno.makeTempDir();
  const plugins = (names: string) => ({ ...IN_MEMORY, KAFSCALE_PLUGINS: names });
  const sides: Sides = {
    with: await startPeer("kafscale", { dataDir: `${dir}/with`, env: plugins("metrics,ops") }),
    without: await startPeer("kafscale", {
      dataDir: `${dir}/without`,
      env: checkout === undefined ? plugins("none") : IN_MEMORY,
      ...(checkout === undefined ? {} : { checkout }),
    }),
  };
  try {
    for (const peer of [sides.with, sides.without]) {
      await createTopic(peer.port, TOPIC, PARTITIONS);
      await produceTurn(peer, seconds);
    }
    const ended = scraper(httpPort(sides.with));
    const produced = await pairs(sides, count, (peer) => produceTurn(peer, seconds));
    for (const peer of [sides.with, sides.without]) await rested(peer, rest);
    const fetched = await pairs(sides, Math.ceil(count / 3), fetchTurn);
    const { scrapes, bytes } = await ended();
    if (scrapes === 0) throw new Error("nothing was scraped");
    const { commit, runtime, machine } = await provenance();
    console.log(`${commit}, ${runtime}, ${machine.cores} cores, ${machine.cpu}`);
    console.log(`${count} pairs of ${seconds} s; ${scrapes} scrapes of ${bytes} bytes\n`);
    console.log(table([
      ["", "req/s with", "without", "ratio", "CPU µs/req with", "without", "ratio"],
      row("produce, 512 bytes a request", produced),
      row("fetch, 64 KiB an answer", fetched),
    ]));
  } finally {
    await sides.with.stop();
    await sides.without.stop();
    await Deno.remove(dir, { recursive: true });
  }
}

if (import.meta.main) await main();
