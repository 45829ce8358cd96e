/** `consume`: the records of a topic, with or without a group. */
import { Buffer } from "node:buffer";
import { Consumer } from "@platformatic/kafka";
import { BOOTSTRAP_FLAG, clientOptions, interruption, withClient } from "./client.ts";
import { type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { type PlainRecord, readTopic } from "./read_topic.ts";

export const command: Command = {
  usage: "consume TOPIC [flags]",
  summary: "Print the records of a topic.",
  details: [
    "With --from-beginning it prints what is there and ends; with --follow it waits for more. " +
    "Without --from-beginning it prints what arrives from now on.",
    "With --group it joins a consumer group, starts where the group left off, commits what it " +
    "printed, and goes on until it is interrupted or --count is reached.",
  ],
  flags: [
    BOOTSTRAP_FLAG,
    { name: "from-beginning", kind: "switch", doc: "Start with the oldest record." },
    { name: "follow", short: "f", kind: "switch", doc: "Wait for more records at the end." },
    { name: "group", short: "g", kind: "text", value: "NAME", doc: "Read as a group's member." },
    { name: "partition", short: "p", kind: "text", value: "N", doc: "Only this partition." },
    { name: "offset", short: "o", kind: "text", value: "N", doc: "Start at this offset." },
    { name: "count", short: "n", kind: "text", value: "N", doc: "End after so many records." },
    {
      name: "key-separator",
      short: "K",
      kind: "text",
      value: "TEXT",
      doc: "Print keys, with TEXT between key and value.",
    },
    { name: "json", kind: "switch", doc: "Print a JSON object a record, with everything in it." },
  ],
  takesSettings: false,
  examples: [
    "kafscale consume first --from-beginning",
    "kafscale consume clicks --follow --json",
    "kafscale consume clicks --group readers --from-beginning",
  ],
  async run(invocation) {
    const { args } = invocation;
    const topic = args.only("TOPIC");
    const group = args.text("group");
    if (group !== undefined && (args.text("partition") ?? args.text("offset")) !== undefined) {
      throw new UsageError("--partition and --offset don't go with --group, which assigns both");
    }
    const consumer = new Consumer({
      ...clientOptions(invocation),
      groupId: group ?? "kafscale-cli",
    });
    const interrupted = interruption();
    try {
      const print = printer(invocation);
      const count = args.whole("count", 1) ?? Infinity;
      const records = group === undefined
        ? readTopic(consumer, topic, {
          partition: args.whole("partition"),
          start: args.whole("offset") ?? (args.on("from-beginning") ? "earliest" : "latest"),
          follow: args.on("follow") ||
            !(args.on("from-beginning") || args.text("offset") !== undefined),
          signal: interrupted.signal,
        })
        : readAsMember(consumer, topic, args.on("from-beginning"), interrupted.signal);
      const closing = { close: () => consumer.close(true) };
      await withClient(closing, invocation, async () => {
        let printed = 0;
        for await (const record of records) {
          print(record);
          if (++printed >= count) break;
        }
      });
    } finally {
      interrupted.stop();
    }
    return EXIT.ok;
  },
};

/** Joins the group; what was handed out is committed from time to time, and at the end. */
async function* readAsMember(
  consumer: Consumer,
  topic: string,
  fromBeginning: boolean,
  signal: AbortSignal,
): AsyncGenerator<PlainRecord> {
  const stream = await consumer.consume({
    topics: [topic],
    mode: "committed",
    fallbackMode: fromBeginning ? "earliest" : "latest",
    autocommit: false,
  });
  const stop = () => void stream.close();
  signal.addEventListener("abort", stop);
  const positions = new Map<number, { offset: bigint; leaderEpoch: number }>();
  const commit = async () => {
    const offsets = [...positions].map(([partition, at]) => ({ topic, partition, ...at }));
    positions.clear();
    if (offsets.length > 0) await consumer.commit({ offsets });
  };
  const every = setInterval(() => void commit().catch(() => {}), 5_000);
  try {
    for await (const message of stream) {
      // before the yield: whoever has enough never comes back behind it
      positions.set(message.partition, {
        offset: message.offset + 1n,
        leaderEpoch: message.leaderEpoch,
      });
      yield {
        partition: message.partition,
        offset: message.offset,
        timestampMs: message.timestamp,
        key: message.key ?? null,
        value: message.value ?? null,
        headers: message.headerEntries,
      };
    }
  } finally {
    clearInterval(every);
    signal.removeEventListener("abort", stop);
    await commit();
    await stream.close();
  }
}

function printer({ args }: Invocation): (record: PlainRecord) => void {
  if (args.on("json")) return (record) => console.log(JSON.stringify(asJson(record)));
  const separator = args.text("key-separator");
  return ({ key, value }) => {
    const prefix = separator === undefined ? "" : `${shown(key) ?? ""}${separator}`;
    console.log(prefix + (shown(value) ?? ""));
  };
}

function asJson(record: PlainRecord) {
  return {
    partition: record.partition,
    offset: Number(record.offset),
    timestamp: new Date(Number(record.timestampMs)).toISOString(),
    key: shown(record.key),
    value: shown(record.value),
    headers: record.headers.map(([name, value]) => [shown(name), shown(value)]),
  };
}

function shown(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString("utf8");
}
