/** Kafka 4.1's own command-line tools. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { denoAgent } from "./agents.ts";
import { kafkaCliCommand } from "./java/kafka_cli.ts";
import { ToolHost, type ToolResult } from "./java/tool_host.ts";
import type { Tool } from "./java/tools.ts";
import { haveTools } from "./requirement.ts";
import { openBroker } from "./suite.ts";
import { waitUntil } from "./wait_until.ts";

class Tools {
  constructor(readonly host: ToolHost, readonly bootstrap: string, readonly brokerId: string) {}

  /** The tool's outcome, whatever it is. */
  any(tool: Tool, args: string, input = ""): Promise<ToolResult> {
    const server = ["--bootstrap-server", this.bootstrap];
    return this.host.run(tool, [...server, ...args.split(" ").filter((one) => one !== "")], input);
  }

  /** The output of a tool that must succeed. */
  async ok(tool: Tool, args: string, input = ""): Promise<string> {
    const { out, err, code } = await this.any(tool, args, input);
    if (code !== 0) throw new Error(`${tool} ${args}: exit code ${code}\n${out}\n${err}`);
    return out;
  }

  /** A topic that no other test uses. */
  async topic(what: string, partitions: number, rest = ""): Promise<string> {
    const topic = `${what}-${crypto.randomUUID().slice(0, 8)}`;
    await this.ok("topics", `--create --topic ${topic} --partitions ${partitions} ${rest}`);
    // every broker of a cluster learns of it a moment later
    if (this.bootstrap.includes(",")) await new Promise((resolve) => setTimeout(resolve, 400));
    return topic;
  }

  /** Lines produced by the console producer. */
  async produce(topic: string, values: readonly string[], rest = ""): Promise<void> {
    await this.ok("console-producer", `--topic ${topic} ${rest}`, values.join("\n") + "\n");
  }

  /** Lines of the console consumer. */
  async consume(topic: string, count: number, rest: string): Promise<string[]> {
    const args = `--topic ${topic} --max-messages ${count} --timeout-ms 15000 ${rest}`;
    return (await this.ok("console-consumer", args)).trimEnd().split("\n");
  }

  /** A group that has read `count` records of a topic, and committed. */
  async readGroup(topic: string, count: number): Promise<string> {
    const group = `group-${crypto.randomUUID().slice(0, 8)}`;
    await this.consume(topic, count, `--group ${group} --from-beginning`);
    return group;
  }
}

let opened: Promise<{ tools: Tools; close(): Promise<void> }> | undefined;

async function open() {
  const broker = await openBroker();
  const host = await ToolHost.start();
  const bare = new Tools(host, broker.bootstrap, "");
  const versions = await bare.ok("broker-api-versions", "");
  const id = /\(id: (\d+) rack/.exec(versions)?.[1] ?? "";
  const close = async () => {
    await host[Symbol.asyncDispose]();
    await broker.close();
  };
  return { tools: new Tools(host, broker.bootstrap, id), close };
}

function test(criterion: string, run: (tools: Tools) => Promise<void>): void {
  Deno.test({
    name: `kafka tools: ${criterion}`,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      opened ??= open();
      await run((await opened).tools);
    },
  });
}

/** The rows of a table under its header, by column name. */
function table(text: string, firstColumn: string): Record<string, string>[] {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const start = lines.findIndex((line) => line.startsWith(firstColumn));
  if (start < 0) throw new Error(`no column ${firstColumn} in\n${text}`);
  const columns = (lines[start] ?? "").split(/\s+/);
  return lines.slice(start + 1).map((line) => {
    const cells = line.split(/\s+/);
    return Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ""]));
  });
}

async function topicsTool(tools: Tools): Promise<void> {
  const topic = await tools.topic("cli", 3, "--config retention.ms=3600000");
  const listed = await tools.ok("topics", "--list");
  assert(listed.split("\n").includes(topic), listed);
  const described = await tools.ok("topics", `--describe --topic ${topic}`);
  assertMatch(described, /TopicId: \S{22}\s+PartitionCount: 3\s+ReplicationFactor: 1/);
  assertStringIncludes(described, "retention.ms=3600000");
  assertMatch(described, /Partition: 2\s+Leader: (\d+)\s+Replicas: \1\s+Isr: \1/);
  await tools.ok("topics", `--alter --topic ${topic} --partitions 5`);
  const altered = await tools.ok("topics", `--describe --topic ${topic}`);
  assertStringIncludes(altered, "PartitionCount: 5");
  const again = await tools.any("topics", `--create --topic ${topic}`);
  assertEquals(again.code, 1);
  assertMatch(again.out + again.err, /already exists/);
  await tools.ok("topics", `--create --if-not-exists --topic ${topic}`);
  for (const flag of ["--under-replicated-partitions", "--unavailable-partitions"]) {
    assertEquals((await tools.ok("topics", `--describe ${flag}`)).trim(), "");
  }
  await tools.ok("topics", `--delete --topic ${topic}`);
  const gone = await tools.any("topics", `--describe --topic ${topic}`);
  assertEquals(gone.code, 1);
}

async function configsTool(tools: Tools): Promise<void> {
  const topic = await tools.topic("cli", 1);
  const entity = `--entity-type topics --entity-name ${topic}`;
  const change =
    "--add-config retention.ms=123456,max.message.bytes=600000,cleanup.policy=[delete]";
  await tools.ok("configs", `--alter ${entity} ${change}`);
  const dynamic = await tools.ok("configs", `--describe ${entity}`);
  assertMatch(dynamic, /retention\.ms=123456/);
  assertMatch(dynamic, /cleanup\.policy=delete/);
  assertMatch(dynamic, /max\.message\.bytes=600000/);
  await tools.ok("configs", `--alter ${entity} --delete-config retention.ms`);
  const after = await tools.ok("configs", `--describe ${entity}`);
  assertEquals(after.includes("retention.ms"), false, after);
  const all = await tools.ok("configs", `--describe --all ${entity}`);
  assertMatch(all, /retention\.ms=604800000/);
  assertMatch(all, /max\.message\.bytes=\d+/);
  const wrong = await tools.any("configs", `--alter ${entity} --add-config retention.ms=soon`);
  assertEquals(wrong.code, 1);
  assertMatch(wrong.out + wrong.err, /Invalid value soon for configuration retention\.ms/);
  const broker = `--entity-type brokers --entity-name ${tools.brokerId}`;
  assertMatch(
    await tools.ok("configs", `--describe --all ${broker}`),
    /log\.retention\.|message\.max/,
  );
}

async function consoleTools(tools: Tools): Promise<void> {
  const topic = await tools.topic("cli", 1);
  const keyed =
    "--property parse.key=true --property key.separator=@ --property parse.headers=true " +
    "--property headers.delimiter=| --property headers.separator=,";
  await tools.produce(topic, ["a:1,b:2|k1@v1", "c:3|k2@v2", "d:4|k3@v3"], keyed);
  const show =
    "--property print.key=true --property print.headers=true --property print.offset=true " +
    "--property print.partition=true";
  assertEquals(await tools.consume(topic, 3, `--from-beginning ${show}`), [
    "Partition:0\tOffset:0\ta:1,b:2\tk1\tv1",
    "Partition:0\tOffset:1\tc:3\tk2\tv2",
    "Partition:0\tOffset:2\td:4\tk3\tv3",
  ]);
  assertEquals(await tools.consume(topic, 1, "--partition 0 --offset 2"), ["v3"]);
  for (const codec of ["gzip", "snappy", "lz4", "zstd"]) {
    await tools.produce(topic, [codec], `--compression-codec ${codec}`);
  }
  const codecs = await tools.consume(topic, 4, "--partition 0 --offset 3");
  assertEquals(codecs, ["gzip", "snappy", "lz4", "zstd"]);
}

async function groupsTool(tools: Tools): Promise<void> {
  const topic = await tools.topic("cli", 1);
  await tools.produce(topic, [...Array(20).keys()].map((index) => `value ${index}`));
  const group = await tools.readGroup(topic, 12);
  const listed = await tools.ok("consumer-groups", "--list");
  assert(listed.split("\n").includes(group), listed);
  const [row] = table(await tools.ok("consumer-groups", `--describe --group ${group}`), "GROUP");
  assertEquals(
    [
      row?.["TOPIC"],
      row?.["PARTITION"],
      row?.["CURRENT-OFFSET"],
      row?.["LOG-END-OFFSET"],
      row?.["LAG"],
    ],
    [topic, "0", "12", "20", "8"],
  );
  const state = table(
    await tools.ok("consumer-groups", `--describe --state --group ${group}`),
    "GROUP",
  );
  assertStringIncludes(JSON.stringify(state[0]), "Empty");
  const states = await tools.ok("consumer-groups", "--list --state Empty");
  assertMatch(states, new RegExp(`${group}\\s+Empty`));
  const types = await tools.ok("groups", "--list");
  assertMatch(types, new RegExp(`${group}\\s+Classic\\s+consumer`));
  const rest = await tools.consume(topic, 8, `--group ${group}`);
  assertEquals(rest, [...Array(8).keys()].map((index) => `value ${index + 12}`));
  await tools.ok("consumer-groups", `--delete-offsets --group ${group} --topic ${topic}`);
  const unread = await tools.any("consumer-groups", `--describe --group ${group}`);
  assertEquals(unread.out.includes(topic), false, unread.out);
  await tools.ok("consumer-groups", `--delete --group ${group}`);
  assertEquals((await tools.ok("consumer-groups", "--list")).includes(group), false);
}

async function activeGroup(tools: Tools): Promise<void> {
  const topic = await tools.topic("cli", 4);
  const group = `active-${topic}`;
  const agent = await denoAgent("kafkajs_agent.mjs", tools.bootstrap);
  try {
    await agent.call("groupOpen", { handle: "a", group, topic });
    await waitUntil("the assignment", async () => {
      const { assignment } = await agent.call("groupState", { handle: "a" });
      return assignment.length === 4 ? true : undefined;
    });
    const text = await tools.ok(
      "consumer-groups",
      `--describe --members --verbose --group ${group}`,
    );
    const [member] = table(text, "GROUP");
    assertEquals([member?.["CLIENT-ID"], member?.["#PARTITIONS"]], ["kafkajs", "4"]);
    assertMatch(text, new RegExp(`${topic}:0,1,2,3|${topic}\\(0,1,2,3\\)`));
    const state = await tools.ok("consumer-groups", `--describe --state --group ${group}`);
    assertMatch(state, /Stable\s+1/);
    const reset = `--reset-offsets --to-earliest --execute --topic ${topic} --group ${group}`;
    const refused = await tools.any("consumer-groups", reset);
    assertMatch(refused.out + refused.err, /inactive|is not empty|current state is Stable/i);
    const busy = await tools.any("consumer-groups", `--delete --group ${group}`);
    assertMatch(busy.out + busy.err, /not empty/i);
    await agent.call("groupClose", { handle: "a" });
  } finally {
    await agent.stop();
  }
}

async function resetOffsets(tools: Tools): Promise<void> {
  const topic = await tools.topic("cli", 1);
  await tools.produce(topic, [...Array(20).keys()].map((index) => `value ${index}`));
  const group = await tools.readGroup(topic, 10);
  const reset = async (how: string) => {
    const args = `--reset-offsets --group ${group} --topic ${topic} ${how}`;
    return table(await tools.ok("consumer-groups", args), "GROUP")[0]?.["NEW-OFFSET"];
  };
  const current = async () => {
    const text = await tools.ok("consumer-groups", `--describe --group ${group}`);
    return table(text, "GROUP")[0]?.["CURRENT-OFFSET"];
  };
  assertEquals(await reset("--to-earliest --dry-run"), "0");
  assertEquals(await current(), "10", "a dry run changes nothing");
  assertEquals(await reset("--to-earliest --execute"), "0");
  assertEquals(await current(), "0");
  assertEquals(await reset("--to-latest --execute"), "20");
  assertEquals(await reset("--shift-by -3 --execute"), "17");
  assertEquals(await reset("--to-offset 5 --execute"), "5");
  assertEquals(await reset("--to-offset 500 --dry-run"), "20", "kept within the log");
  assertEquals(await reset("--to-current --execute"), "5");
  assertEquals(await reset("--by-duration PT1H --execute"), "0");
  assertEquals(await reset("--to-datetime 2020-01-01T00:00:00.000 --execute"), "0");
  assertEquals(await reset("--to-datetime 2100-01-01T00:00:00.000 --execute"), "20");
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, `"${topic}",0,7\n`);
    const args = `--reset-offsets --group ${group} --from-file ${file} --execute`;
    await tools.ok("consumer-groups", args);
    assertEquals(await current(), "7");
  } finally {
    await Deno.remove(file);
  }
  assertEquals(await tools.consume(topic, 1, `--group ${group}`), ["value 7"]);
}

async function offsetsAndRecords(tools: Tools): Promise<void> {
  const topic = await tools.topic("cli", 1);
  await tools.produce(topic, [...Array(9).keys()].map((index) => `value ${index}`));
  const at = async (time: number) =>
    (await tools.ok("get-offsets", `--topic ${topic} --time ${time}`)).trim();
  assertEquals(await at(-1), `${topic}:0:9`);
  assertEquals(await at(-2), `${topic}:0:0`);
  assertMatch(await at(-3), new RegExp(`^${topic}:0:[0-8]$`));
  const file = await Deno.makeTempFile();
  try {
    const partitions = [{ topic, partition: 0, offset: 4 }];
    await Deno.writeTextFile(file, JSON.stringify({ partitions, version: 1 }));
    const deleted = await tools.ok("delete-records", `--offset-json-file ${file}`);
    assertMatch(deleted, /low_watermark: 4/);
  } finally {
    await Deno.remove(file);
  }
  assertEquals(await at(-2), `${topic}:0:4`);
  assertEquals(await tools.consume(topic, 1, "--from-beginning"), ["value 4"]);
}

async function performance(tools: Tools): Promise<void> {
  const topic = await tools.topic("cli", 2);
  const { out, code, err } = await tools.host.run("producer-perf-test", [
    ...`--topic ${topic} --num-records 5000 --record-size 500 --throughput -1`.split(" "),
    "--producer-props",
    `bootstrap.servers=${tools.bootstrap}`,
  ]);
  assertEquals(code, 0, err);
  assertMatch(out, /5000 records sent/);
  const read = await tools.ok("consumer-perf-test", `--topic ${topic} --messages 5000`);
  assertEquals(read.trim().split("\n").at(-1)?.split(", ")[4], "5000", read);
  const total = await tools.ok("get-offsets", `--topic ${topic}`);
  const sum = total.trim().split("\n").reduce((all, line) => all + Number(line.split(":")[2]), 0);
  assertEquals(sum, 5000);
}

/** A tool in a process of its own; the events that it prints. */
async function events(tools: Tools, tool: Tool, args: string) {
  const server = ["--bootstrap-server", tools.bootstrap];
  const [command, all] = await kafkaCliCommand(tool, [...server, ...args.split(" ")]);
  const { code, stdout, stderr } = await new Deno.Command(command, { args: all }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
}

async function verifiable(tools: Tools): Promise<void> {
  const topic = await tools.topic("cli", 1);
  const sent = await events(tools, "verifiable-producer", `--topic ${topic} --max-messages 300`);
  const acked = sent.filter((event) => event.name === "producer_send_success");
  assertEquals(acked.map((event) => event.value), [...Array(300).keys()].map(String));
  assertEquals(acked.map((event) => event.offset), [...Array(300).keys()]);
  const got = await events(
    tools,
    "verifiable-consumer",
    `--topic ${topic} --group-id verify-${topic} --max-messages 300 --reset-policy earliest`,
  );
  const consumed = got.filter((event) => event.name === "records_consumed");
  assertEquals(consumed.reduce((sum, event) => sum + event.count, 0), 300);
}

async function cluster(tools: Tools): Promise<void> {
  const id = ["cluster-id", "--bootstrap-server", tools.bootstrap];
  assertMatch((await tools.host.run("cluster", id)).out, /Cluster ID: \S+/);
  const versions = await tools.ok("broker-api-versions", "");
  for (const api of ["Produce(0)", "Fetch(1)", "ListOffsets(2)", "Metadata(3)", "JoinGroup(11)"]) {
    const line = versions.split("\n").find((one) => one.includes(api)) ?? "";
    assertMatch(line, /usable: \d+/, api);
  }
  const topic = await tools.topic("cli", 2);
  const dirs = await tools.ok("log-dirs", `--describe --topic-list ${topic}`);
  const json = JSON.parse(dirs.trim().split("\n").at(-1) ?? "{}");
  assert(json.brokers.some((each: { broker: number }) => String(each.broker) === tools.brokerId));
  interface Described {
    readonly logDirs: readonly { readonly partitions: readonly { readonly partition: string }[] }[];
  }
  const partitions = json.brokers.flatMap(({ logDirs }: Described) =>
    logDirs[0]!.partitions.map(({ partition }) => partition)
  );
  assertEquals(partitions.sort(), [`${topic}-0`, `${topic}-1`]);
  const elected = await tools.any(
    "leader-election",
    `--election-type preferred --topic ${topic} --partition 0`,
  );
  assertMatch(elected.out, /Valid replica already elected for partitions/);
  const moves = await tools.ok("reassign-partitions", "--list");
  assertMatch(moves, /No partition reassignments found/);
}

async function latency(tools: Tools): Promise<void> {
  const topic = await tools.topic("cli", 1);
  const args = [tools.bootstrap, topic, "100", "all", "100"];
  const { out, err, code } = await tools.host.run("e2e-latency", args);
  assertEquals(code, 0, err);
  assertMatch(out, /Avg latency: [\d.]+ ms/);
}

if (haveTools("kafka tools", "java", "javac", "mvn")) {
  test("kafka-topics creates, lists, describes, alters, deletes", topicsTool);
  test("kafka-configs describes and alters topics, describes the broker", configsTool);
  test("console producer and consumer carry keys, headers, all codecs", consoleTools);
  test("kafka-consumer-groups lists, describes, deletes offsets and groups", groupsTool);
  test("kafka-consumer-groups describes members, spares an active group", activeGroup);
  test("kafka-consumer-groups resets offsets in every way", resetOffsets);
  test("kafka-get-offsets and kafka-delete-records", offsetsAndRecords);
  test("producer and consumer perf tests move all records", performance);
  test("verifiable producer and consumer agree, each in its own process", verifiable);
  test("cluster, API versions, log dirs, elections, reassignments", cluster);
  test("end to end latency", latency);
  Deno.test.afterAll(async () => {
    await (await opened?.catch(() => undefined))?.close();
  });
}
