/** `consume`: the records of a topic, with or without a group. */
import { Buffer } from "node:buffer";
import { Consumer } from "@platformatic/kafka";
import { bootstrap, BOOTSTRAP_FLAG, clientOptions, interruption, withClient } from "./client.ts";
import { type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { Patience } from "./patience.ts";
import { readAsMember } from "./read_as_member.ts";
import { type PlainRecord, readTopic } from "./read_topic.ts";

export const command: Command = {
  usage: "consume TOPIC [flags]",
  summary: "Print the records of a topic.",
  details: [
    "With --from-beginning it prints what is there and ends; with --follow it waits for more. " +
    "Without --from-beginning it prints what arrives from now on.",
    "With --group it joins a consumer group, starts where the group left off, commits what it " +
    "printed, and goes on until it is interrupted or --count is reached.",
    "Once it reads, it goes on over a broker's restart, for up to a minute.",
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
    const interrupted = interruption();
    const { signal } = interrupted;
    const patience = new Patience("kafscale consume", bootstrap(invocation), signal);
    const newConsumer = () => {
      const consumer = new Consumer({
        ...clientOptions(invocation),
        groupId: group ?? "kafscale-cli",
      });
      // a rejoin that failed, which the stream's reader finds out; unheard it ends the process
      return consumer.on("error", () => {});
    };
    try {
      if (group === undefined) {
        const consumer = newConsumer();
        const records = readTopic(consumer, topic, {
          partition: args.whole("partition"),
          start: args.whole("offset") ?? (args.on("from-beginning") ? "earliest" : "latest"),
          follow: args.on("follow") ||
            !(args.on("from-beginning") || args.text("offset") !== undefined),
          signal,
          patience,
        });
        const closing = { close: () => consumer.close(true) };
        await withClient(closing, invocation, () => printAll(records, invocation));
      } else {
        const from = args.on("from-beginning") ? "earliest" : "latest";
        const records = readAsMember({ newConsumer, topic, from, signal, patience });
        // each life as a member closes its own client
        const none = { close: () => Promise.resolve() };
        await withClient(none, invocation, () => printAll(records, invocation));
      }
    } finally {
      interrupted.stop();
    }
    return EXIT.ok;
  },
};

async function printAll(records: AsyncIterable<PlainRecord>, invocation: Invocation) {
  const print = printer(invocation);
  const count = invocation.args.whole("count", 1) ?? Infinity;
  let printed = 0;
  for await (const record of records) {
    print(record);
    if (++printed >= count) break;
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
