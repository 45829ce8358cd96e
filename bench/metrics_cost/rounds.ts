/**
 * One round: a fresh broker whose metrics plugin is turned on and off, under the same number of the
 * same requests in turns of a second, one with metrics, which are scraped at its start and then
 * once a second, one without, and so on. One process, since two that run the same program differ by
 * up to a tenth for as long as they live; short turns, so that what else the machine does meets
 * both.
 */
import { createTopic } from "../load/client_connection.ts";
import { fetchLoad } from "../load/fetch_load.ts";
import { produceLoad } from "../load/produce_load.ts";
import { type Peer, startPeer } from "../peers.ts";
import { cpuSeconds } from "../process_figures.ts";
import { waitUntil } from "../../tests/clients/wait_until.ts";

/** What is read is filled before, and stays as it is. */
const READ = "read";
const WRITTEN = "written";
const PARTITIONS = 8;
const SCRAPE_MS = 1_000;
const SCRAPES_AT_REST = 200;
/** Objects in memory: a disk varies by more than what is looked for. */
const ENVIRONMENT = {
  KAFSCALE_STORAGE: "memory",
  KAFSCALE_METADATA: "memory",
  // nothing is rewritten while producers are measured
  KAFSCALE_WAL_BYTES: "2GiB",
  KAFSCALE_PLUGINS: new URL("switched.ts", import.meta.url).pathname,
};
/** A broker rests that uses less of a core than this for so long; rewriting waits for five. */
const QUIET_SHARE = 0.1;
const QUIET_SECONDS = 7;

export interface RoundOptions {
  /** Pairs of turns, of each kind. */
  readonly pairs: number;
  /** Produce requests of a turn. */
  readonly requests: number;
  /** Produce requests that fill the topic that is read. */
  readonly filled: number;
  /** How often a fetch turn reads all of it. */
  readonly readings: number;
  /** What to wait at most for the rewriting of what it is filled with. */
  readonly restSeconds: number;
  /** Turns on nothing: what the bench finds where nothing differs. */
  readonly control: boolean;
}

/** One turn. */
export interface Turn {
  readonly requests: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export interface Pair {
  readonly with: Turn;
  readonly without: Turn;
}

export interface Round {
  readonly control: boolean;
  readonly produce: readonly Pair[];
  readonly fetch: readonly Pair[];
  /** Of one scrape, with nothing else to do. */
  readonly scrapeCpuSeconds: number;
  readonly scrapeBytes: number;
}

type Load = () => Promise<{ readonly requests: number; readonly seconds: number }>;

export async function runRound(options: RoundOptions): Promise<Round> {
  const dataDir = await Deno.makeTempDir();
  const peer = await startPeer("kafscale", { dataDir, env: ENVIRONMENT });
  try {
    await createTopic(peer.port, READ, PARTITIONS);
    await createTopic(peer.port, WRITTEN, PARTITIONS);
    await produceTurn(peer.port, READ, options.filled);
    await rested(peer, options.restSeconds);
    const fetch = () => fetchTurn(peer.port, options.readings);
    const produce = () => produceTurn(peer.port, WRITTEN, options.requests);
    // the first turns make the machine code that the others run
    const warm = { ...options, pairs: 1 };
    await inTurns(peer, warm, fetch);
    const fetched = await inTurns(peer, options, fetch);
    await inTurns(peer, warm, produce);
    const produced = await inTurns(peer, options, produce);
    const scrapes = await atRest(peer);
    return {
      control: options.control,
      produce: produced,
      fetch: fetched,
      scrapeCpuSeconds: scrapes.cpuSeconds,
      scrapeBytes: scrapes.bytes,
    };
  } finally {
    await peer.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** Pairs of turns, the order changing, so that neither is always the second. */
async function inTurns(
  peer: Peer,
  { pairs, control }: RoundOptions,
  load: Load,
): Promise<readonly Pair[]> {
  const http = await httpPort(peer);
  const turn = async (measured: boolean): Promise<Turn> => {
    if (measured) {
      await switched(http, "on");
      // the first one makes what later ones have
      await scrape(http);
    }
    const stop = measured ? scraper(http) : undefined;
    const before = cpuSeconds(peer.pid);
    const { requests, seconds } = await load();
    await stop?.();
    const used = cpuSeconds(peer.pid) - before;
    await switched(http, "off");
    return { requests, seconds, cpuSeconds: used };
  };
  const all: Pair[] = [];
  for (let index = 0; index < pairs; index++) {
    if (index % 2 === 0) {
      const without = await turn(false);
      all.push({ with: await turn(!control), without });
    } else all.push({ with: await turn(!control), without: await turn(false) });
  }
  return all;
}

async function switched(port: number, state: "on" | "off"): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/${state}`, { method: "POST" });
  if (await response.text() !== state) throw new Error(`metrics cannot be turned ${state}`);
}

/** Many small requests, where counting weighs most. */
async function produceTurn(port: number, topic: string, requests: number) {
  return await produceLoad({
    port,
    topic,
    partitions: PARTITIONS,
    connections: 4,
    depth: 5,
    batchBytes: 512,
    recordBytes: 200,
    batchesPerRequest: 1,
    acks: -1,
    idempotent: false,
    bytesPerSecond: 0,
    seconds: 600,
    requestsMax: requests,
  });
}

/** Reads all of the topic in small answers, several times. */
async function fetchTurn(port: number, readings: number) {
  const total = { requests: 0, seconds: 0 };
  for (let reading = 0; reading < readings; reading++) {
    const { requests, seconds } = await fetchLoad({
      port,
      topic: READ,
      partitions: PARTITIONS,
      connections: 4,
      bytesMax: 65_536,
      partitionBytesMax: 8_192,
      verify: false,
    });
    total.requests += requests;
    total.seconds += seconds;
  }
  return total;
}

/** Waits until what filling left to do is done: rewriting would weigh on reads. */
async function rested({ pid }: Peer, secondsMax: number): Promise<void> {
  for (let quiet = 0, second = 0; quiet < QUIET_SECONDS && second < secondsMax; second++) {
    const before = cpuSeconds(pid);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    quiet = cpuSeconds(pid) - before < QUIET_SHARE ? quiet + 1 : 0;
  }
}

/** Scrapes at once and then once a second, until it is ended. */
function scraper(port: number): () => Promise<void> {
  const scrapes: Promise<number>[] = [scrape(port)];
  const timer = setInterval(() => scrapes.push(scrape(port)), SCRAPE_MS);
  return async () => {
    clearInterval(timer);
    await Promise.all(scrapes);
  };
}

/** The size of what came. */
async function scrape(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const bytes = (await response.arrayBuffer()).byteLength;
  if (!response.ok) throw new Error(`a scrape was answered with ${response.status}`);
  return bytes;
}

async function atRest(peer: Peer) {
  const http = await httpPort(peer);
  await switched(http, "on");
  const before = cpuSeconds(peer.pid);
  let bytes = 0;
  for (let count = 0; count < SCRAPES_AT_REST; count++) bytes = await scrape(http);
  return { bytes, cpuSeconds: (cpuSeconds(peer.pid) - before) / SCRAPES_AT_REST };
}

/** Where the plugin is; it starts when the broker serves already. */
async function httpPort(peer: Peer): Promise<number> {
  return await waitUntil("the plugin", () => {
    const line = peer.log.find((each) => each.includes('"msg":"switched at port '));
    return line === undefined ? undefined : Number(/port (\d+)"/.exec(line)?.[1]);
  });
}
