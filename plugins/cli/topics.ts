/** `topics list | create | describe | delete`. */
import { Admin } from "@platformatic/kafka";
import { pickAction } from "./actions.ts";
import { BOOTSTRAP_FLAG, clientOptions, withClient } from "./client.ts";
import { CliError, type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { table } from "./terminal/table.ts";

/** DescribeConfigs sources that a person set (Kafka's numbers: topic, dynamic broker). */
const TOPIC_CONFIG_SOURCE = 1;
const TOPIC_RESOURCE = 2;

const PARTITION_COLUMNS = ["PARTITION", "LEADER", "LEADER EPOCH", "LOG START", "HIGH WATERMARK"]
  .map((title) => ({ title, right: true } as const));

type Action = (admin: Admin, names: readonly string[], invocation: Invocation) => Promise<void>;

const ACTIONS: Readonly<Record<string, Action>> = { list, create, describe, delete: remove };

export const command: Command = {
  usage: "topics list | create NAME | describe NAME | delete NAME… [flags]",
  summary: "List, create, describe and delete topics.",
  actions: Object.keys(ACTIONS),
  flags: [
    BOOTSTRAP_FLAG,
    {
      name: "partitions",
      short: "p",
      kind: "text",
      value: "N",
      doc: "create: how many. Default: the broker's.",
    },
    {
      name: "topic-config",
      short: "c",
      kind: "list",
      value: "NAME=VALUE",
      doc: "create: a topic config, such as retention.ms=3600000; may be repeated.",
    },
    { name: "json", kind: "switch", doc: "list, describe: print JSON." },
  ],
  takesSettings: false,
  examples: [
    "kafscale topics list",
    "kafscale topics create orders --partitions 6 -c retention.ms=86400000",
    "kafscale topics describe orders",
    "kafscale topics delete orders",
  ],
  async run(invocation) {
    const { action, act, names } = pickAction(ACTIONS, invocation.args.positionals, ["list"]);
    if (action !== "list" && names.length === 0) throw new UsageError(`${action} what?`);
    const admin = new Admin(clientOptions(invocation));
    await withClient(admin, invocation, () => act(admin, names, invocation));
    return EXIT.ok;
  },
};

async function list(admin: Admin, _names: readonly string[], { args }: Invocation): Promise<void> {
  const topics = (await admin.listTopics()).sort();
  if (args.on("json")) console.log(JSON.stringify(topics));
  else for (const topic of topics) console.log(topic);
}

async function create(
  admin: Admin,
  names: readonly string[],
  { args }: Invocation,
): Promise<void> {
  const configs = args.list("topic-config").map((given) => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(given) ?? [];
    if (name === undefined || value === undefined) {
      throw new UsageError(`--topic-config must look like NAME=VALUE; got "${given}"`);
    }
    return { name, value };
  });
  const partitions = args.whole("partitions", 1) ?? -1;
  const created = await admin.createTopics({
    topics: [...names],
    partitions,
    replicas: -1,
    configs,
  });
  for (const { name, partitions } of created) {
    console.log(`created ${name}` + (partitions > 0 ? ` with ${counted(partitions)}` : ""));
  }
}

async function remove(admin: Admin, names: readonly string[]): Promise<void> {
  await admin.deleteTopics({ topics: [...names] });
  for (const name of names) console.log(`deleted ${name}`);
}

interface Described {
  readonly name: string;
  readonly id: string;
  readonly configs: Readonly<Record<string, string | null>>;
  readonly partitions: readonly {
    readonly partition: number;
    readonly leader: number;
    readonly leaderEpoch: number;
    readonly logStartOffset: number;
    readonly highWatermark: number;
  }[];
}

async function describe(
  admin: Admin,
  names: readonly string[],
  { args }: Invocation,
): Promise<void> {
  for (const name of names) {
    const topic = await describeTopic(admin, name);
    if (args.on("json")) {
      console.log(JSON.stringify(topic));
      continue;
    }
    console.log(`${topic.name}  id ${topic.id}  ${counted(topic.partitions.length)}`);
    for (const [key, value] of Object.entries(topic.configs)) console.log(`  ${key}=${value}`);
    const rows = topic.partitions.map((each) =>
      [each.partition, each.leader, each.leaderEpoch, each.logStartOffset, each.highWatermark]
        .map(String)
    );
    for (const line of table(PARTITION_COLUMNS, rows)) console.log(`  ${line}`);
  }
}

async function describeTopic(admin: Admin, name: string): Promise<Described> {
  const metadata = await admin.metadata({ topics: [name], autocreateTopics: false });
  const topic = metadata.topics.get(name);
  if (topic === undefined) throw new CliError(`there is no topic ${name}; see topics list`);
  const offsets = async (timestamp: bigint) => {
    const partitions = topic.partitions.map((_, partitionIndex) => ({ partitionIndex, timestamp }));
    const [listed] = await admin.listOffsets({ topics: [{ name, partitions }] });
    return new Map(listed?.partitions.map((each) => [each.partitionIndex, Number(each.offset)]));
  };
  const [starts, ends, configs] = await Promise.all([
    offsets(-2n),
    offsets(-1n),
    admin.describeConfigs({
      resources: [{ resourceType: TOPIC_RESOURCE, resourceName: name }],
    }),
  ]);
  const set = configs[0]?.configs.filter((each) => each.configSource === TOPIC_CONFIG_SOURCE) ?? [];
  return {
    name,
    id: topic.id,
    configs: Object.fromEntries(set.map((each) => [each.name, each.value ?? null])),
    partitions: topic.partitions.map((each, partition) => ({
      partition,
      leader: each.leader,
      leaderEpoch: each.leaderEpoch,
      logStartOffset: starts.get(partition) ?? -1,
      highWatermark: ends.get(partition) ?? -1,
    })),
  };
}

function counted(partitions: number): string {
  return partitions === 1 ? "1 partition" : `${partitions} partitions`;
}
