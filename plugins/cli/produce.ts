/** `produce`: standard input, one record a line. */
import { Buffer } from "node:buffer";
import {
  type CompressionAlgorithmValue,
  type MessageToProduce,
  Producer,
} from "@platformatic/kafka";
import { BOOTSTRAP_FLAG, clientOptions, withClient } from "./client.ts";
import { type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { lineGroups } from "./line_groups.ts";

export const COMPRESSIONS: readonly string[] = ["none", "gzip", "snappy", "lz4", "zstd"];

type Message = MessageToProduce<string, string, string, string>;

export const command: Command = {
  usage: "produce TOPIC [flags]",
  summary: "Send lines of standard input as records.",
  details: ["Each line is one record's value. Lines are sent as they arrive, in order."],
  flags: [
    BOOTSTRAP_FLAG,
    {
      name: "key-separator",
      short: "K",
      kind: "text",
      value: "TEXT",
      doc:
        "The key is what stands before the first TEXT of a line; without it records have no key.",
    },
    { name: "partition", short: "p", kind: "text", value: "N", doc: "Send to this partition." },
    {
      name: "header",
      short: "H",
      kind: "list",
      value: "NAME=VALUE",
      doc: "A header of every record; may be repeated.",
    },
    {
      name: "compression",
      short: "z",
      kind: "text",
      value: "CODEC",
      doc: `One of ${COMPRESSIONS.join(", ")}. Default: none.`,
    },
    { name: "quiet", short: "q", kind: "switch", doc: "Don't say what was sent." },
  ],
  takesSettings: false,
  examples: [
    "echo hello | kafscale produce first",
    "echo user1:clicked | kafscale produce clicks --key-separator :",
  ],
  async run(invocation) {
    const { args } = invocation;
    const topic = args.only("TOPIC");
    const toMessage = messageMaker(topic, invocation);
    const compression = args.text("compression") ?? "none";
    if (!COMPRESSIONS.includes(compression)) {
      throw new UsageError(`--compression must be one of ${COMPRESSIONS.join(", ")}`);
    }
    const text = (value?: string) => value === undefined ? undefined : Buffer.from(value);
    const producer = new Producer<string, string, string, string>({
      ...clientOptions(invocation),
      autocreateTopics: true,
      idempotent: true,
      compression: compression as CompressionAlgorithmValue,
      serializers: { key: text, value: text, headerKey: text, headerValue: text },
    });
    const sent = await withClient(producer, invocation, () => send(producer, toMessage));
    if (!args.on("quiet")) console.error(`sent ${sent} record${sent === 1 ? "" : "s"} to ${topic}`);
    return EXIT.ok;
  },
};

type StringProducer = Producer<string, string, string, string>;

/** One request for what one read of standard input brings: quick to type at, large when piped. */
async function send(
  producer: StringProducer,
  toMessage: (line: string) => Message,
): Promise<number> {
  let sent = 0;
  for await (const lines of lineGroups(Deno.stdin.readable)) {
    await producer.send({ messages: lines.map(toMessage) });
    sent += lines.length;
  }
  return sent;
}

function messageMaker(topic: string, { args }: Invocation): (line: string) => Message {
  const separator = args.text("key-separator");
  const partition = args.whole("partition");
  const headers = args.list("header").map((given): [string, string] => {
    const at = given.indexOf("=");
    if (at < 1) throw new UsageError(`--header must look like NAME=VALUE; got "${given}"`);
    return [given.slice(0, at), given.slice(at + 1)];
  });
  const always = {
    topic,
    ...(partition === undefined ? {} : { partition }),
    ...(headers.length === 0 ? {} : { headers: new Map(headers) }),
  };
  return (line) => {
    if (separator === undefined) return { ...always, value: line };
    const at = line.indexOf(separator);
    if (at < 0) throw new UsageError(`no "${separator}" in the line "${line.slice(0, 60)}"`);
    return { ...always, key: line.slice(0, at), value: line.slice(at + separator.length) };
  };
}
