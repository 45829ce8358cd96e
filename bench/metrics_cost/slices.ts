/**
 * Slices of load, some 3 ms each: with measuring and without, the order changing from pair to pair,
 * thousands of them. What else the machine does meets both sides of a pair; most slices are short
 * enough to have no garbage collection in them, which would be as long as a slice itself.
 */
import process from "node:process";
import * as wire from "../load/wire.ts";
import type { MeasuredBroker } from "./broker.ts";
import type { Line } from "./line.ts";
import { measuring } from "./switch.ts";

const PARTITIONS = 8;
const CONNECTIONS = 4;
/** Requests in flight on each. */
const DEPTH = 5;
const SLICE_MICROS = 3_000;
/** Requests that make the machine code that slices run: as many for each pair, up to the most. */
const WARM_PER_PAIR = 100;
const WARM_REQUESTS_MAX = 30_000;
const FETCH_PARTITION_BYTES = 8_192;
const FILLED_BATCHES = 400;
/** What is written goes to a new topic after so many pairs; else ever more would be held. */
const BLOCK_PAIRS = 100;

/** Microseconds of processor time per request in both slices of a pair. */
export interface Pair {
  readonly with: number;
  readonly without: number;
}

export interface Load {
  readonly name: string;
  readonly pairs: readonly Pair[];
  readonly requestsPerSlice: number;
}

/** What each connection asks, in turn. */
type Frames = readonly (readonly Uint8Array[])[];

export async function measuredLoads(
  broker: MeasuredBroker,
  pairs: number,
  control: boolean,
): Promise<Load[]> {
  const lines = Array.from({ length: CONNECTIONS }, () => broker.network.connect());
  const [first] = lines as [Line];
  await create(first, "read");
  const batch = wire.recordBatch(7, 1024, Date.now());
  await slice(lines, produceFrames("read", batch), FILLED_BATCHES);
  const full = wire.recordBatch(15, 1024, Date.now());
  const written = async (block: number) => {
    if (block > 0) await remove(first, `written-${block - 1}`);
    await create(first, `written-${block}`);
    return produceFrames(`written-${block}`, full);
  };
  const all: Load[] = [];
  const measure = async (name: string, frames: (block: number) => Promise<Frames>) => {
    all.push({ name, ...await inPairs(lines, frames, pairs, control) });
    if (broker.errors() > 0) throw new Error("requests were answered with errors");
  };
  await measure("fetch, 15 KiB an answer", () => Promise.resolve(fetchFrames("read")));
  await measure("produce, 15 KiB a request", written);
  for (const line of lines) line.close();
  return all;
}

const partitionsOf = (lane: number) => [lane, lane + CONNECTIONS];
const LANES = Array.from({ length: CONNECTIONS }, (_, lane) => lane);

function produceFrames(topic: string, batch: Uint8Array): Frames {
  return LANES.map((lane) =>
    partitionsOf(lane).map((at) => new wire.ProduceFrame(topic, [at], batch, -1).bytes)
  );
}

function fetchFrames(topic: string): Frames {
  return LANES.map((lane) =>
    Array.from({ length: 5 }, (_, at) => {
      const from = partitionsOf(lane).map((partition) => ({ partition, offset: at * 7 }));
      return wire.fetchRequest(topic, from, 65_536, FETCH_PARTITION_BYTES);
    })
  );
}

async function remove(line: Line, topic: string): Promise<void> {
  const error = wire.readDeleteTopic(await line.call(wire.deleteTopicRequest(topic)));
  if (error !== 0) throw new Error(`DeleteTopics answered error ${error}`);
}

async function create(line: Line, topic: string): Promise<void> {
  const error = wire.readCreateTopic(await line.call(wire.createTopicRequest(topic, PARTITIONS)));
  if (error !== 0) throw new Error(`CreateTopics answered error ${error}`);
}

async function inPairs(
  lines: readonly Line[],
  framesOf: (block: number) => Promise<Frames>,
  count: number,
  control: boolean,
): Promise<Omit<Load, "name">> {
  const warm = Math.min(WARM_REQUESTS_MAX, count * WARM_PER_PAIR);
  let frames = await framesOf(0);
  for (const on of [false, true, false, true]) {
    measuring.on = on;
    await slice(lines, frames, warm / 4);
  }
  const micros = await slice(lines, frames, warm / 4);
  const requests = Math.max(CONNECTIONS, Math.round(SLICE_MICROS / micros));
  const turn = (on: boolean) => {
    measuring.on = on;
    return slice(lines, frames, requests);
  };
  const pairs: Pair[] = [];
  while (pairs.length < count) {
    if (pairs.length % BLOCK_PAIRS === 0) {
      frames = await framesOf(pairs.length / BLOCK_PAIRS + 1);
      await turn(true);
    }
    if (pairs.length % 2 === 0) {
      const without = await turn(false);
      pairs.push({ with: await turn(!control), without });
    } else pairs.push({ with: await turn(!control), without: await turn(false) });
  }
  measuring.on = true;
  return { pairs, requestsPerSlice: requests };
}

/** Microseconds of processor time per request, of all threads. */
async function slice(
  lines: readonly Line[],
  frames: Frames,
  requests: number,
): Promise<number> {
  const each = Math.ceil(requests / lines.length);
  // what timers and the garbage collector were about to do belongs to no slice
  await new Promise((resolve) => setTimeout(resolve, 0));
  const before = process.cpuUsage();
  await Promise.all(lines.map((line, lane) => ask(line, frames[lane]!, each)));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (each * lines.length);
}

function ask(line: Line, frames: readonly Uint8Array[], count: number): Promise<void> {
  return new Promise((resolve) => {
    let sent = 0;
    let answered = 0;
    const send = () => line.send(frames[sent++ % frames.length]!);
    line.onAnswer = () => {
      if (++answered === count) resolve();
      else if (sent < count) send();
    };
    for (let depth = Math.min(DEPTH, count); depth > 0; depth--) send();
  });
}
