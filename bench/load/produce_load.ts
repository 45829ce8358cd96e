/** The producing side: N connections, each with `depth` requests in flight. */
import { Semaphore } from "../../core/runtime/semaphore.ts";
import { ClientConnection } from "./client_connection.ts";
import * as wire from "./wire.ts";

export interface ProduceOptions {
  readonly port: number;
  readonly topic: string;
  readonly partitions: number;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly depth: number;
  /** Bytes of one batch, about. */
  readonly batchBytes: number;
  readonly recordBytes: number;
  /** Batches in one request, each for a partition of its own. */
  readonly batchesPerRequest: number;
  readonly acks: number;
  /** With producer ids and sequences; the partitions are then divided among the connections. */
  readonly idempotent: boolean;
  /** Unlimited at 0. */
  readonly bytesPerSecond: number;
  /** Ends by time or by requests (in all), whichever is first. */
  readonly seconds: number;
  readonly requestsMax: number;
}

export interface LoadResult {
  readonly bytes: number;
  readonly records: number;
  readonly requests: number;
  readonly seconds: number;
  /** Of each request, sent to answered, ascending. */
  readonly latenciesMs: Float64Array;
}

interface Shared {
  requestsLeft: number;
  readonly deadline: number;
  readonly latencies: number[];
  bytes: number;
  records: number;
}

export async function produceLoad(options: ProduceOptions): Promise<LoadResult> {
  const started = performance.now();
  const shared: Shared = {
    requestsLeft: options.requestsMax,
    deadline: started + options.seconds * 1000,
    latencies: [],
    bytes: 0,
    records: 0,
  };
  const lanes = Array.from({ length: options.connections }, (_, lane) => lane);
  await Promise.all(lanes.map((lane) => runLane(options, shared, lane)));
  const seconds = (performance.now() - started) / 1000;
  const latenciesMs = Float64Array.from(shared.latencies).sort();
  const { bytes, records } = shared;
  return { bytes, records, requests: latenciesMs.length, seconds, latenciesMs };
}

/** Partitions of a connection, in groups of one request each, taken in turn. */
function partitionGroups(options: ProduceOptions, lane: number): number[][] {
  const own = Array.from({ length: options.partitions }, (_, partition) => partition)
    .filter((partition) => !options.idempotent || partition % options.connections === lane);
  if (own.length === 0) throw new Error("an idempotent load needs a partition per connection");
  const groups: number[][] = [];
  const size = Math.min(options.batchesPerRequest, own.length);
  for (let at = 0; at + size <= own.length; at += size) groups.push(own.slice(at, at + size));
  // Connections begin at different places, so that they do not all meet in one partition.
  const turn = options.idempotent ? 0 : lane % groups.length;
  return [...groups.slice(turn), ...groups.slice(0, turn)];
}

async function runLane(options: ProduceOptions, shared: Shared, lane: number): Promise<void> {
  const connection = await ClientConnection.open("127.0.0.1", options.port);
  const recordsPerBatch = Math.max(1, Math.floor(options.batchBytes / (options.recordBytes + 8)));
  const batch = wire.recordBatch(recordsPerBatch, options.recordBytes, Date.now());
  const frames = partitionGroups(options, lane).map((group) => ({
    frame: new wire.ProduceFrame(options.topic, group, batch, options.acks),
    records: recordsPerBatch * group.length,
  }));
  const producer = options.idempotent
    ? {
      ...wire.readInitProducerId(await connection.call(wire.initProducerId())),
      sequences: new Map<number, number>(),
    }
    : undefined;
  const window = new Semaphore(options.depth);
  const sentAt: number[] = [];
  let sent = 0;
  let answered = 0;
  let finished = false;
  const wake = { more: () => {} };

  const answers = async () => {
    for (;;) {
      while (answered === sent) {
        if (finished) return;
        await new Promise<void>((resolve) => wake.more = resolve);
      }
      wire.checkProduced(await connection.receive());
      shared.latencies.push(performance.now() - sentAt[answered % (options.depth + 1)]!);
      answered++;
      window.release();
    }
  };
  const requests = async () => {
    const bytesPerMs = options.bytesPerSecond / options.connections / 1000;
    let due = performance.now();
    for (;;) {
      await window.acquire();
      if (performance.now() >= shared.deadline || shared.requestsLeft-- <= 0) break;
      const { frame, records } = frames[sent % frames.length]!;
      if (bytesPerMs > 0) {
        const wait = due - performance.now();
        if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
        due = Math.max(due + frame.bytes.length / bytesPerMs, performance.now() - 100);
      }
      if (producer !== undefined) frame.stamp(producer, recordsPerBatch);
      wire.setCorrelation(frame.bytes, sent);
      sentAt[sent % (options.depth + 1)] = performance.now();
      await connection.send(frame.bytes);
      shared.bytes += frame.bytes.length;
      shared.records += records;
      sent++;
      if (options.acks === 0) window.release();
      else wake.more();
    }
    finished = true;
    wake.more();
  };
  try {
    await Promise.all(options.acks === 0 ? [requests()] : [requests(), answers()]);
  } finally {
    connection.close();
  }
}
