/** What clients do all at once to a broker that is to endure it. Each runs until `o.signal`. */
import { Consumer } from "@platformatic/kafka";
import { ClientConnection, createTopic } from "../load/client_connection.ts";
import { percentile } from "../figures.ts";
import * as wire from "../load/wire.ts";

export interface LoadOptions {
  readonly port: number;
  readonly signal: AbortSignal;
  readonly counts: Counts;
}

/** How much was done, for the report; each is to grow all the time. */
export interface Counts {
  producedBytes: number;
  tailRecords: number;
  catchUpRecords: number;
  topicsDeleted: number;
  groupRecords: number;
}

export interface LoadedTopic {
  readonly name: string;
  readonly partitions: number;
}

/** A topic that is written steadily, whose segments are full, and read by everybody. */
export const STEADY: LoadedTopic = { name: "steady", partitions: 8 };
/** One whose segments are small, and merge. */
export const MEDIUM: LoadedTopic = { name: "medium", partitions: 16 };
/** One whose partitions get a small record now and then. */
export const SPARSE: LoadedTopic = { name: "sparse", partitions: 100 };

/** What is old goes soon: each topic has gone through its whole life many times in a run. */
export const TOPIC_CONFIGS = {
  "retention.ms": "120000",
  "file.delete.delay.ms": "5000",
} as const;

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, ms));
    signal.addEventListener("abort", done);
  });

/** An idempotent producer at so many bytes a second, in batches of 60 KiB. */
export async function produceSteadily(o: LoadOptions, bytesPerSecond: number): Promise<void> {
  const connection = await ClientConnection.open("127.0.0.1", o.port);
  const id = wire.readInitProducerId(await connection.call(wire.initProducerId()));
  const producer = { ...id, sequences: new Map<number, number>() };
  const records = 60;
  const everyMs = records * 1_040 / bytesPerSecond * 1_000;
  let due = performance.now();
  for (let sent = 0; !o.signal.aborted; sent++) {
    const batch = wire.recordBatch(records, 1_024, Date.now());
    const frame = new wire.ProduceFrame(STEADY.name, [sent % STEADY.partitions], batch, -1);
    frame.stamp(producer, records);
    wire.checkProduced(await connection.call(frame.bytes));
    o.counts.producedBytes += batch.length;
    due = Math.max(due + everyMs, performance.now() - 1_000);
    await pause(due - performance.now(), o.signal);
  }
  connection.close();
}

/** A record to each of a topic's partitions in turn, so many a second. */
export async function produceInTurn(
  o: LoadOptions,
  topic: LoadedTopic,
  recordBytes: number,
  perSecond: number,
): Promise<void> {
  const connection = await ClientConnection.open("127.0.0.1", o.port);
  for (let sent = 0; !o.signal.aborted; sent++) {
    const batch = wire.recordBatch(1, recordBytes, Date.now());
    const frame = new wire.ProduceFrame(topic.name, [sent % topic.partitions], batch, -1);
    wire.checkProduced(await connection.call(frame.bytes));
    o.counts.producedBytes += batch.length;
    await pause(1_000 / perSecond, o.signal);
  }
  connection.close();
}

/** Reads what arrives, from where it is now. */
export async function readTail(o: LoadOptions): Promise<void> {
  const connection = await ClientConnection.open("127.0.0.1", o.port);
  const ends = await offsets(connection, -1);
  while (!o.signal.aborted) o.counts.tailRecords += await readOnce(connection, ends);
  connection.close();
}

/** Reads everything that is kept, over and over, with a pause in between. */
export async function catchUp(o: LoadOptions, pauseMs: number): Promise<void> {
  const connection = await ClientConnection.open("127.0.0.1", o.port);
  while (!o.signal.aborted) {
    const ends = await offsets(connection, -1);
    const from = await offsets(connection, -2);
    while (!o.signal.aborted && from.some((offset, partition) => offset < ends[partition]!)) {
      try {
        o.counts.catchUpRecords += await readOnce(connection, from);
      } catch (error) {
        // Retention was faster: on from where the log starts now.
        if (!/answered error 1$/.test((error as Error).message)) throw error;
        const starts = await offsets(connection, -2);
        starts.forEach((start, partition) => {
          from[partition] = Math.max(from[partition]!, start);
        });
      }
    }
    await pause(pauseMs, o.signal);
  }
  connection.close();
}

async function offsets(connection: ClientConnection, timestamp: number): Promise<number[]> {
  const request = wire.listOffsets(STEADY.name, STEADY.partitions, timestamp);
  return wire.readListOffsets(await connection.call(request));
}

/** One fetch of all partitions; moves `from`, and returns the number of records. */
async function readOnce(connection: ClientConnection, from: number[]): Promise<number> {
  const wanted = from.map((offset, partition) => ({ partition, offset }));
  const answer = await connection.call(wire.fetchRequest(STEADY.name, wanted, 8 << 20, 1 << 20));
  let records = 0;
  wire.readFetched(answer, (partition, base, next) => {
    // The first batch may begin before what was asked for.
    if (base > from[partition]!) throw new Error(`offsets ${from[partition]} to ${base} are gone`);
    records += next - from[partition]!;
    from[partition] = next;
  });
  return records;
}

/** Topics that come, get records, and go. */
export async function churnTopics(o: LoadOptions, pauseMs: number): Promise<void> {
  const connection = await ClientConnection.open("127.0.0.1", o.port);
  const batch = wire.recordBatch(10, 1_024, Date.now());
  for (let round = 0; !o.signal.aborted; round++) {
    const name = `passing-${round % 3}`;
    await createTopic(o.port, name, 4);
    for (let sent = 0; sent < 40; sent++) {
      const frame = new wire.ProduceFrame(name, [sent % 4], batch, -1);
      wire.checkProduced(await connection.call(frame.bytes));
      o.counts.producedBytes += batch.length;
    }
    const error = wire.readDeleteTopic(await connection.call(wire.deleteTopicRequest(name)));
    if (error !== 0) throw new Error(`DeleteTopics answered error ${error}`);
    o.counts.topicsDeleted++;
    await pause(pauseMs, o.signal);
  }
  connection.close();
}

/** Members that join a group, read and commit for a while, and leave. */
export async function churnMembers(o: LoadOptions, memberMs: number): Promise<void> {
  while (!o.signal.aborted) {
    const consumer = new Consumer({
      clientId: "endurance",
      groupId: "endurance",
      bootstrapBrokers: [`127.0.0.1:${o.port}`],
      sessionTimeout: 10_000,
    });
    const stream = await consumer.consume({
      topics: [STEADY.name],
      mode: "committed",
      fallbackMode: "latest",
      autocommit: 1_000,
    });
    const leaving = pause(memberMs, o.signal).then(() => stream.close());
    for await (const _ of stream) o.counts.groupRecords++;
    await leaving;
    await consumer.close(true);
  }
}

/** The delay of the broker's event loop, as a client that asks nothing sees it. */
export class Ping {
  #times: number[] = [];
  readonly #done: Promise<void>;

  constructor(readonly o: LoadOptions, everyMs: number) {
    this.#done = this.#run(everyMs);
    this.#done.catch(() => {});
  }

  /** Of the answers since the last call, in milliseconds. */
  take(): { p50Ms: number; p99Ms: number; maxMs: number } {
    const sorted = this.#times.splice(0).sort((a, b) => a - b);
    const at = (rank: number) => percentile(sorted, rank);
    return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  }

  async stop(): Promise<void> {
    await this.#done;
  }

  async #run(everyMs: number): Promise<void> {
    const connection = await ClientConnection.open("127.0.0.1", this.o.port);
    const request = wire.pingRequest();
    while (!this.o.signal.aborted) {
      const asked = performance.now();
      await connection.call(request);
      this.#times.push(performance.now() - asked);
      await pause(everyMs, this.o.signal);
    }
    connection.close();
  }
}
