/**
 * The phases of a run against one broker: each runs one of Apache Kafka's tools and reads its
 * figures.
 */
import { GIB, MIB, percentile } from "../figures.ts";
import { ClientConnection, createTopic } from "../load/client_connection.ts";
import { fetchLoad } from "../load/fetch_load.ts";
import { roundTrips } from "../load/round_trips.ts";
import { listOffsets, readListOffsets } from "../load/wire.ts";
import type { Peer } from "../peers.ts";
import { cpuSeconds, memory, resetPeak } from "../process_figures.ts";
import { runTool } from "./java_tools.ts";
import { metricsPortIn } from "../../tests/services/metrics_port.ts";

const TOOLS = "org.apache.kafka.tools";
export const PARTITIONS = 8;
const RECORD_BYTES = 1024;
const TOOL_TIMEOUT_MS = 600_000;
/** The consumer gives up when nothing arrives for this long. */
const CONSUMER_TIMEOUT_MS = 30_000;

export const TUNED = ["batch.size=131072", "linger.ms=5"] as const;

/** Metric name (with its unit) → figure. */
export type Figures = Record<string, number>;

/** Runs `phase`; adds the broker's CPU per GiB moved and its peak of resident memory. */
async function watched(
  peer: Peer,
  label: string,
  gib: number,
  phase: () => Promise<Figures>,
): Promise<Figures> {
  const separate = resetPeak(peer.pid);
  const before = cpuSeconds(peer.pid);
  const figures = await phase();
  if (gib > 0) figures[`${label}: broker CPU s/GiB`] = (cpuSeconds(peer.pid) - before) / gib;
  if (separate) figures[`${label}: peak MiB resident`] = memory(peer.pid).residentPeakBytes / MIB;
  return figures;
}

export async function produce(
  peer: Peer,
  label: string,
  topic: string,
  records: number,
  properties: readonly string[],
): Promise<Figures> {
  await createTopic(peer.port, topic, PARTITIONS);
  return await watched(peer, label, records * RECORD_BYTES / GIB, async () => {
    const text = await runTool(
      `${TOOLS}.ProducerPerformance`,
      ["--topic", topic, "--num-records", `${records}`, "--record-size", `${RECORD_BYTES}`]
        .concat(["--throughput", "-1", "--producer-props", `bootstrap.servers=${peer.bootstrap}`])
        .concat(["acks=all", ...properties]),
      TOOL_TIMEOUT_MS,
    );
    const last = text.trim().split("\n").at(-1) ?? "";
    const found = new RegExp(
      /^(\d+) records sent, [\d.]+ records\/sec \(([\d.]+) MB\/sec\), ([\d.]+) ms avg latency, /
        .source + /[\d.]+ ms max latency, (\d+) ms 50th, (\d+) ms 95th, (\d+) ms 99th/.source,
    ).exec(last);
    if (found === null) throw new Error(`cannot read the producer's last line: ${last}`);
    if (Number(found[1]) !== records) {
      throw new Error(`${found[1]} of ${records} records were sent`);
    }
    await expectRecords(peer, topic, records);
    return {
      [`${label}: MiB/s`]: Number(found[2]),
      [`${label}: p50 ms`]: Number(found[4]),
      [`${label}: p99 ms`]: Number(found[6]),
    };
  });
}

/** Throws unless the topic's offsets say that exactly `records` are in it. */
async function expectRecords(peer: Peer, topic: string, records: number): Promise<void> {
  const connection = await ClientConnection.open("127.0.0.1", peer.port);
  const ends = readListOffsets(await connection.call(listOffsets(topic, PARTITIONS, -1)));
  connection.close();
  const there = ends.reduce((sum, offset) => sum + offset, 0);
  if (there !== records) throw new Error(`${topic} has ${there} records, ${records} were sent`);
}

export async function consume(
  peer: Peer,
  topic: string,
  records: number,
  label = "consume",
): Promise<Figures> {
  return await watched(peer, label, records * RECORD_BYTES / GIB, async () => {
    const text = await runTool(
      `${TOOLS}.ConsumerPerformance`,
      ["--bootstrap-server", peer.bootstrap, "--topic", topic, "--messages", `${records}`]
        .concat(["--timeout", `${CONSUMER_TIMEOUT_MS}`]),
      TOOL_TIMEOUT_MS,
    );
    const lines = text.trim().split("\n");
    const names = lines.find((line) => line.startsWith("start.time"))?.split(", ") ?? [];
    const values = (lines.at(-1) ?? "").split(", ");
    const field = (name: string) => Number(values[names.indexOf(name)]);
    const got = field("data.consumed.in.nMsg");
    if (!(got === records)) throw new Error(`${got} of ${records} records were consumed\n${text}`);
    return {
      [`${label}: MiB/s`]: field("MB.sec"),
      [`${label}: MiB/s without the join`]: field("fetch.MB.sec"),
      [`${label}: records/s without the join`]: field("fetch.nMsg.sec"),
    };
  });
}

/** Reads it all again with our own client: offsets dense, every checksum right, none missing. */
export async function verify(peer: Peer, topic: string, records: number): Promise<void> {
  const { records: got } = await fetchLoad({
    port: peer.port,
    topic,
    partitions: PARTITIONS,
    connections: 2,
    bytesMax: 50 * MIB,
    partitionBytesMax: MIB,
    verify: true,
  });
  if (got !== records) throw new Error(`${got} of ${records} records were read back`);
}

export async function latency(peer: Peer, acks: "all" | "1", messages: number): Promise<Figures> {
  const label = `end to end, acks=${acks}`;
  const topics = [`latency-${acks}-tool`, `latency-${acks}-raw`] as const;
  for (const topic of topics) await createTopic(peer.port, topic, 1);
  return await watched(peer, label, 0, async () => {
    const text = await runTool(
      `${TOOLS}.EndToEndLatency`,
      [peer.bootstrap, topics[0], `${messages}`, acks, `${RECORD_BYTES}`],
      TOOL_TIMEOUT_MS,
    );
    const average = /Avg latency: ([\d.]+)/.exec(text)?.[1];
    const ranks = /50th = (\d+), 99th = (\d+), 99.9th = (\d+)/.exec(text);
    if (average === undefined || ranks === null) throw new Error(`cannot read latencies:\n${text}`);
    const times = await roundTrips({
      port: peer.port,
      topic: topics[1],
      acks: acks === "all" ? -1 : 1,
      recordBytes: RECORD_BYTES,
      messages: Math.ceil(messages / 4),
      warmUp: Math.ceil(messages / 40),
    });
    return {
      [`${label}: mean ms`]: Number(average),
      [`${label}: p50 ms, in whole ms`]: Number(ranks[1]),
      [`${label}: p99 ms, in whole ms`]: Number(ranks[2]),
      [`${label}, own client: p50 ms`]: percentile(times, 0.5),
      [`${label}, own client: p99 ms`]: percentile(times, 0.99),
    };
  });
}

/** What our broker may leave in its write-ahead log when it is at rest: KAFSCALE_WAL_BYTES. */
const WAL_BYTES = 256 * MIB;
const REWRITE_TIMEOUT_MS = 120_000;

/** Waits until our broker has rewritten what the loads before left in its write-ahead log. */
export async function rewriting(peer: Peer): Promise<Figures> {
  return await watched(peer, "rewriting the log", 0, async () => {
    const started = performance.now();
    while (await walBytes(peer) > WAL_BYTES) {
      if (performance.now() - started > REWRITE_TIMEOUT_MS) throw new Error("nothing is rewritten");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    return { "rewriting the log: s": (performance.now() - started) / 1000 };
  });
}

/** As our broker's metrics tell it. */
async function walBytes({ log }: Peer): Promise<number> {
  const port = metricsPortIn(log);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const bytes = /^kafscale_wal_bytes (\S+)$/m.exec(metrics)?.[1];
  if (bytes === undefined) throw new Error("the broker does not tell how much WAL it has");
  return Number(bytes);
}
