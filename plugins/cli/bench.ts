/** `bench`: what one client gets out of a broker, or of two side by side. */
import { Admin, type CompressionAlgorithmValue } from "@platformatic/kafka";
import {
  type BenchOptions,
  consumePhase,
  type Produced,
  producePhase,
  roundTripPhase,
  type Throughput,
} from "./bench/phases.ts";
import type { LatencySummary } from "./bench/latencies.ts";
import { bootstrap, BOOTSTRAP_FLAG, clientOptions, interruption, withClient } from "./client.ts";
import { CliError, type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { COMPRESSIONS } from "./produce.ts";
import { digits } from "./terminal/figures.ts";
import { type Column, table } from "./terminal/table.ts";

const MIB = 2 ** 20;
const ACKS: Readonly<Record<string, -1 | 1>> = { all: -1, "1": 1 };

export const command: Command = {
  usage: "bench [flags]",
  summary: "Measure a broker, or two side by side: produce, consume, round trips.",
  details: [
    "Makes a topic, produces to it for some seconds, reads everything back, sends single records " +
    "there and back, and deletes the topic. With --against every step is done on both brokers in " +
    "turn. The figures are those of one client in one process: a fast broker can do more.",
  ],
  flags: [
    BOOTSTRAP_FLAG,
    {
      name: "against",
      kind: "text",
      value: "HOST:PORT",
      doc: "A second broker, of any kind, in a second column.",
    },
    { name: "seconds", kind: "text", value: "N", doc: "Produce for so long. Default: 10." },
    {
      name: "size",
      kind: "text",
      value: "BYTES",
      doc: "Bytes of a record's value. Default: 1024.",
    },
    { name: "partitions", short: "p", kind: "text", value: "N", doc: "Of the topic. Default: 8." },
    { name: "batch-bytes", kind: "text", value: "BYTES", doc: "Of a batch. Default: 65536." },
    { name: "in-flight", kind: "text", value: "N", doc: "Batches under way. Default: 8." },
    { name: "acks", kind: "text", value: "all|1", doc: "Default: all." },
    {
      name: "compression",
      short: "z",
      kind: "text",
      value: "CODEC",
      doc: `One of ${COMPRESSIONS.join(", ")}. Default: none.`,
    },
    {
      name: "rate",
      kind: "text",
      value: "N",
      doc:
        "Produce N records a second, and count the latency from when each was due. Default: as " +
        "many as go.",
    },
    { name: "round-trips", kind: "text", value: "N", doc: "Single records. Default: 200." },
    { name: "keep", kind: "switch", doc: "Leave the topic there." },
    { name: "json", kind: "switch", doc: "Print JSON." },
  ],
  takesSettings: false,
  examples: [
    "kafscale bench",
    "kafscale bench -b broker-1:9092 --against kafka-1:9092 --seconds 30",
    "kafscale bench --rate 1000 --size 200 --json",
  ],
  async run(invocation) {
    invocation.args.atMost(0);
    const against = invocation.args.text("against");
    const brokers = [bootstrap(invocation), ...(against === undefined ? [] : [against])];
    const interrupted = interruption();
    try {
      const topic = `kafscale-bench-${crypto.randomUUID().slice(0, 8)}`;
      const options = brokers.map((broker, at) =>
        benchOptions(invocation, broker, `${topic}-${at + 1}`, interrupted.signal)
      );
      const results = await measureAll(invocation, options);
      if (interrupted.signal.aborted) throw new CliError("interrupted", EXIT.interrupted);
      if (invocation.args.on("json")) console.log(JSON.stringify(results));
      else for (const line of report(results)) console.log(line);
    } finally {
      interrupted.stop();
    }
    return EXIT.ok;
  },
};

interface Result {
  readonly broker: string;
  readonly produce: Produced;
  readonly consume: Throughput;
  readonly roundTripMs: LatencySummary;
}

function benchOptions(
  invocation: Invocation,
  broker: string,
  topic: string,
  signal: AbortSignal,
): BenchOptions {
  const { args } = invocation;
  const acks = ACKS[args.text("acks") ?? "all"];
  if (acks === undefined) throw new UsageError("--acks must be all or 1");
  const compression = args.text("compression") ?? "none";
  if (!COMPRESSIONS.includes(compression)) {
    throw new UsageError(`--compression must be one of ${COMPRESSIONS.join(", ")}`);
  }
  return {
    client: clientOptions(invocation, broker),
    broker,
    topic,
    partitions: args.whole("partitions", 1) ?? 8,
    recordBytes: args.whole("size", 1) ?? 1024,
    batchBytes: args.whole("batch-bytes", 1) ?? 65_536,
    inFlight: args.whole("in-flight", 1) ?? 8,
    acks,
    compression: compression as CompressionAlgorithmValue,
    seconds: args.whole("seconds", 1) ?? 10,
    rate: args.whole("rate", 1),
    roundTrips: args.whole("round-trips") ?? 200,
    signal,
  };
}

/** Phase by phase, so that both brokers meet the same moments of the machine between them. */
async function measureAll(
  invocation: Invocation,
  all: readonly BenchOptions[],
): Promise<Result[]> {
  const each = async <R>(run: (options: BenchOptions, at: number) => Promise<R>) => {
    const results: R[] = [];
    for (const [at, options] of all.entries()) {
      const sentences = { close: () => Promise.resolve() };
      results.push(await withClient(sentences, invocation, () => run(options, at), options.broker));
    }
    return results;
  };
  const made: BenchOptions[] = [];
  try {
    await each(async (options) => {
      await withAdmin(options, (admin) =>
        admin.createTopics({
          topics: [options.topic],
          partitions: options.partitions,
          replicas: -1,
        }));
      made.push(options);
    });
    const produced = await each(producePhase);
    const consumed = await each((options, at) => consumePhase(options, produced[at]!.records));
    const roundTrips = await each(roundTripPhase);
    return all.map(({ broker }, at) => ({
      broker,
      produce: produced[at]!,
      consume: consumed[at]!,
      roundTripMs: roundTrips[at]!,
    }));
  } finally {
    for (const options of invocation.args.on("keep") ? [] : made) {
      const deleted = withAdmin(
        options,
        (admin) => admin.deleteTopics({ topics: [options.topic] }),
      );
      await deleted.catch((error) => {
        console.error(`warning: ${options.broker} kept ${options.topic}: ${error.message}`);
      });
    }
  }
}

async function withAdmin<R>(
  { client }: BenchOptions,
  use: (admin: Admin) => Promise<R>,
): Promise<R> {
  const admin = new Admin(client);
  try {
    return await use(admin);
  } finally {
    await admin.close().catch(() => {});
  }
}

/** A column a broker; behind two their ratio, first by second. */
function report(results: readonly Result[]): string[] {
  const figures: readonly (readonly [string, (result: Result) => number | null])[] = [
    ["produce, records/s", ({ produce }) => produce.recordsPerSecond],
    ["produce, MiB/s", ({ produce }) => produce.bytesPerSecond / MIB],
    ["produce latency p50, ms", ({ produce }) => produce.latencyMs.p50],
    ["produce latency p95, ms", ({ produce }) => produce.latencyMs.p95],
    ["produce latency p99, ms", ({ produce }) => produce.latencyMs.p99],
    ["produce latency max, ms", ({ produce }) => produce.latencyMs.max],
    ["consume, records/s", ({ consume }) => consume.recordsPerSecond],
    ["consume, MiB/s", ({ consume }) => consume.bytesPerSecond / MIB],
    ["round trip p50, ms", ({ roundTripMs }) => roundTripMs.p50],
    ["round trip p99, ms", ({ roundTripMs }) => roundTripMs.p99],
  ];
  const two = results.length === 2;
  const columns: Column[] = [
    { title: "" },
    ...results.map(({ broker }): Column => ({ title: broker, right: true })),
    ...(two ? [{ title: "RATIO", right: true } as const] : []),
  ];
  const rows = figures.map(([name, of]) => {
    const values = results.map(of);
    const [first, second] = values;
    const ratio = first == null || !second ? "-" : digits(first / second);
    return [name, ...values.map((value) => value === null ? "-" : digits(value)), ratio]
      .slice(0, columns.length);
  });
  return table(columns, rows);
}
