/** What `bench` does to a broker: produce, read it all back, single records there and back. */
import { Buffer } from "node:buffer";
import {
  type BaseOptions,
  type CompressionAlgorithmValue,
  Consumer,
  Producer,
} from "@platformatic/kafka";
import { CliError } from "../command.ts";
import { readTopic } from "../read_topic.ts";
import { bytes, digits } from "../terminal/figures.ts";
import { Progress } from "../terminal/progress.ts";
import { Latencies, type LatencySummary } from "./latencies.ts";

export interface BenchOptions {
  readonly client: BaseOptions;
  /** For people. */
  readonly broker: string;
  readonly topic: string;
  readonly partitions: number;
  readonly recordBytes: number;
  readonly batchBytes: number;
  readonly inFlight: number;
  /** Kafka's: -1 is all. */
  readonly acks: -1 | 1;
  readonly compression: CompressionAlgorithmValue;
  readonly seconds: number;
  /** Records a second; undefined: as many as go. */
  readonly rate: number | undefined;
  readonly roundTrips: number;
  readonly signal: AbortSignal;
}

export interface Throughput {
  readonly records: number;
  readonly recordsPerSecond: number;
  /** Of the records' values. */
  readonly bytesPerSecond: number;
}

export interface Produced extends Throughput {
  /** From the send of a batch to its acknowledgement. */
  readonly latencyMs: LatencySummary;
}

/** Single records to each partition before the clock runs. */
const WARM_UP_ROUNDS = 5;

type BytesProducer = Producer<Buffer, Buffer, Buffer, Buffer>;

/** For `seconds`, batches of one partition each, some in flight at any time. */
export async function producePhase(options: BenchOptions): Promise<Produced> {
  const { partitions, recordBytes, batchBytes, inFlight, seconds, topic, rate, signal } = options;
  const perBatch = Math.max(1, Math.floor(batchBytes / recordBytes));
  const value = randomText(recordBytes);
  const latencies = new Latencies();
  const progress = new Progress(`produce  ${options.broker}`);
  let startedMs = performance.now();
  const elapsedMs = () => performance.now() - startedMs;
  let records = 0;
  let batches = 0;
  await withProducer(options, async (producer) => {
    // connections, metadata and compiled code, which a client that lives on has, too
    for (let partition = 0; partition < partitions * WARM_UP_ROUNDS; partition++) {
      await producer.send({ messages: [{ topic, value, partition: partition % partitions }] });
    }
    startedMs = performance.now();
    const loop = async () => {
      while (elapsedMs() < seconds * 1000 && !signal.aborted) {
        const number = batches++;
        // a batch leaves when its first record is due
        const dueMs = rate === undefined ? 0 : number * perBatch / rate * 1000;
        if (dueMs >= seconds * 1000) return;
        const earlyMs = dueMs - elapsedMs();
        if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs));
        const message = { topic, value, partition: number % partitions };
        // at a fixed rate, a batch that had to wait for its turn counts the wait, too
        const fromMs = rate === undefined ? elapsedMs() : dueMs;
        await producer.send({ messages: Array.from({ length: perBatch }, () => message) });
        latencies.add(elapsedMs() - fromMs);
        records += perBatch;
        const perSecond = bytes(records * recordBytes / elapsedMs() * 1000);
        progress.update(elapsedMs() / (seconds * 1000), `${perSecond}/s`);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, loop));
  }).finally(() => progress.end());
  return { ...throughput(records, recordBytes, elapsedMs()), latencyMs: latencies.summary() };
}

/** Everything from the first record to what is the end when it starts. */
export async function consumePhase(options: BenchOptions, wanted: number): Promise<Throughput> {
  const { recordBytes, topic, signal } = options;
  const progress = new Progress(`consume  ${options.broker}`);
  return await withConsumer(options, async (consumer) => {
    const startedMs = performance.now();
    let records = 0;
    const read = readTopic(consumer, topic, {
      partition: undefined,
      start: "earliest",
      follow: false,
      signal,
    });
    for await (const _ of read) {
      if (++records % 1000 !== 0) continue;
      const perSecond = records * recordBytes / (performance.now() - startedMs) * 1000;
      progress.update(records / wanted, `${bytes(perSecond)}/s`);
    }
    if (records < wanted && !signal.aborted) {
      throw new CliError(`${options.broker} gave back ${records} of ${wanted} records`);
    }
    return throughput(records, recordBytes, performance.now() - startedMs);
  }).finally(() => progress.end());
}

/** One record at a time: from its send until a consumer that waits for it has it. */
export async function roundTripPhase(options: BenchOptions): Promise<LatencySummary> {
  const { recordBytes, topic, roundTrips, signal } = options;
  const progress = new Progress(`round trips  ${options.broker}`);
  const latencies = new Latencies();
  const value = randomText(recordBytes);
  const reading = new AbortController();
  await withProducer(options, (producer) =>
    withConsumer(options, async (consumer) => {
      const ends = await consumer.listOffsets({ topics: [topic] });
      const arriving = readTopic(consumer, topic, {
        partition: 0,
        start: Number(ends.get(topic)?.[0] ?? 0n),
        follow: true,
        signal: reading.signal,
      });
      let next = arriving.next();
      for (let trip = 0; trip < roundTrips && !signal.aborted; trip++) {
        const sentMs = performance.now();
        await Promise.all([producer.send({ messages: [{ topic, value, partition: 0 }] }), next]);
        latencies.add(performance.now() - sentMs);
        next = arriving.next();
        progress.update(trip / roundTrips, `${digits(performance.now() - sentMs)} ms`);
      }
      reading.abort();
      await next;
    })).finally(() => progress.end());
  return latencies.summary();
}

function throughput(records: number, recordBytes: number, elapsedMs: number): Throughput {
  const recordsPerSecond = records / elapsedMs * 1000;
  return { records, recordsPerSecond, bytesPerSecond: recordsPerSecond * recordBytes };
}

/** Printable, and as hard to compress as base64 is. */
function randomText(length: number): Buffer {
  const random = Buffer.alloc(Math.ceil(length * 3 / 4) + 1);
  for (let at = 0; at < random.length; at += 65_536) {
    crypto.getRandomValues(random.subarray(at, at + 65_536));
  }
  return Buffer.from(random.toString("base64").slice(0, length));
}

async function withProducer<R>(
  { client, acks, compression, inFlight }: BenchOptions,
  use: (producer: BytesProducer) => Promise<R>,
): Promise<R> {
  const bare = (value?: Buffer) => value;
  const producer: BytesProducer = new Producer({
    ...client,
    maxInflights: inFlight,
    acks,
    compression,
    serializers: { key: bare, value: bare, headerKey: bare, headerValue: bare },
  });
  try {
    return await use(producer);
  } finally {
    await producer.close().catch(() => {});
  }
}

async function withConsumer<R>(
  { client }: BenchOptions,
  use: (consumer: Consumer) => Promise<R>,
): Promise<R> {
  const consumer = new Consumer({ ...client, groupId: "kafscale-cli" });
  try {
    return await use(consumer);
  } finally {
    await consumer.close(true).catch(() => {});
  }
}
