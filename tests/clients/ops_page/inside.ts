/**
 * `inside.ts cli|python|go`: a broker at port 9092 with what the page takes for granted, and the
 * page's commands or program against it. Run by ops_page_test.ts in a network of its own. A
 * compiled broker is dropped into an empty directory and started with an empty environment.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { BrokerProcess } from "../broker_process.ts";
import { goClients, javaClient, pythonClients } from "../install.ts";
import { cli as kafscale } from "../../cli/run_cli.ts";
import { ToolHost } from "../java/tool_host.ts";
import { SUITE_SETTINGS } from "../suite.ts";
import { waitUntil } from "../wait_until.ts";
import { RawWriter } from "../wire/bytes.ts";
import { batch, createTopic, produce } from "../wire/produce.ts";
import { RawConnection } from "../wire/raw_connection.ts";
import { pageCommands } from "./commands.ts";
import { DroppedBroker } from "./dropped.ts";

const BROKER = "127.0.0.1:9092";
const TOPIC = "orders";
const GROUP = "my-group";

/** A topic with three records, and a group that has read one of them. */
async function furnish(): Promise<void> {
  const client = await RawConnection.open(BROKER);
  await createTopic(client, TOPIC, 1);
  await produce(client, TOPIC, 0, batch([1, 2, 3].map((each) => Uint8Array.of(each))));
  const offset = new RawWriter().string(GROUP).int32(-1).string("").int64(-1n)
    .int32(1).string(TOPIC).int32(1).int32(0).int64(1n).string("");
  const answer = await client.request(8, 2, offset);
  answer.int32();
  answer.string();
  answer.int32();
  answer.int32();
  assertEquals(answer.int16(), 0);
  client.close();
}

/** What each command of Kafka's own must print, in the page's order. */
const PRINTED: Readonly<Record<string, RegExp>> = {
  "List consumer groups": /^my-group$/m,
  "Describe a consumer group": /^my-group +orders +0 +1 +3 +2 /m,
  "Read topic configs": /^Dynamic configs for topic orders are:$/m,
  "Update topic retention": /^Completed updating config for topic orders\.$/m,
  "Increase partition count for a topic (additive only)": /^$/,
  "Alter topic configs (whitelist only)": /^Completed updating config for topic orders\.$/m,
  "Delete a consumer group":
    /^Deletion of requested consumer groups \('my-group'\) was successful\.$/m,
};

/** What must be so afterwards, where the command itself prints nothing that shows it. */
const AFTERWARDS: Readonly<Record<string, readonly [string, RegExp]>> = {
  "Update topic retention": [
    `configs --describe --entity-type topics --entity-name ${TOPIC}`,
    /^ {2}retention\.ms=604800000 /m,
  ],
  "Increase partition count for a topic (additive only)": [
    `topics --describe --topic ${TOPIC}`,
    /PartitionCount: 4\t/,
  ],
  "Alter topic configs (whitelist only)": [
    `configs --describe --entity-type topics --entity-name ${TOPIC}`,
    /^ {2}retention\.ms=120000 /m,
  ],
  "Delete a consumer group": ["consumer-groups --list", /^\s*$/],
};

/** The page's one command that is no tool of Kafka's: its class is in none of 4.1's jars. */
async function hasNoSuchClass(args: readonly string[]): Promise<void> {
  assertEquals(args[0], "kafka.admin.OffsetForLeaderEpochClient");
  const java = new Deno.Command("java", { args: ["-cp", await javaClient(), ...args] });
  const { code, stderr } = await java.output();
  assertEquals(code, 1);
  assertStringIncludes(
    new TextDecoder().decode(stderr),
    "Could not find or load main class kafka.admin.OffsetForLeaderEpochClient",
  );
}

async function cli(): Promise<void> {
  const text = await Deno.readTextFile(new URL("commands.sh", import.meta.url));
  const values = { broker: BROKER, topic: TOPIC, "group-id": GROUP, count: "4" };
  const commands = pageCommands(text, values);
  const known = new Set(Object.keys(PRINTED));
  await using tools = await ToolHost.start();
  for (const { about, tool, args } of commands) {
    if (tool === undefined) {
      await hasNoSuchClass(args);
      continue;
    }
    const { out, err, code } = await tools.run(tool, args);
    assertEquals(code, 0, `${about}: ${out}${err}`);
    assertMatch(out.trimEnd(), PRINTED[about]!, about);
    known.delete(about);
    const [then, wanted] = AFTERWARDS[about] ?? [];
    if (then === undefined) continue;
    const [check, ...rest] = then.split(" ");
    const after = await tools.run(check as typeof tool, ["--bootstrap-server", BROKER, ...rest]);
    assertMatch(after.out, wanted!, `after: ${about}`);
  }
  assertEquals([...known], [], "the page has them no more");
}

/** Runs a Python program; what it printed, and its last word where it failed. */
async function program(text: string): Promise<[lines: string[], failure: string]> {
  const file = await Deno.makeTempFile({ suffix: ".py" });
  await Deno.writeTextFile(file, text);
  const command = `${await pythonClients()}/venv/bin/python`;
  const { stdout, stderr } = await new Deno.Command(command, { args: [file] }).output();
  await Deno.remove(file);
  const lines = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trimEnd().split("\n");
  const failed = lines(stderr).some((line) => line.startsWith("Traceback"));
  return [lines(stdout), failed ? lines(stderr).at(-1)! : ""];
}

/** The page's line as kafka-python has it, which is where it comes from; changes nothing. */
const FOR_KAFKA_PYTHON = (line: string) => `
from kafka.admin import KafkaAdminClient, NewPartitions
${line}
admin = KafkaAdminClient(bootstrap_servers="${BROKER}")
for result in admin.create_partitions(new_parts, validate_only=True).results:
    print(result.name, result.error_code)
`;

/**
 * As it stands the program ends before it adds partitions: in every version of confluent-kafka,
 * from 0.11.5 on, which was the first with NewPartitions, that takes a topic and a count, and
 * create_partitions() a list. The page's dictionary is what kafka-python takes. So the program is
 * run as it stands, up to there; the line by itself with kafka-python; and the program with that
 * line mended.
 */
async function python(): Promise<void> {
  const page = await Deno.readTextFile(new URL("confluent.py", import.meta.url));
  const wrong = 'new_parts = {"orders": NewPartitions(6)}';
  const [lines, failure] = await program(page);
  assertEquals(lines.slice(0, 2), [
    "Groups: ['my-group']",
    "Group: my-group, State: ConsumerGroupState.EMPTY",
  ]);
  assert(lines.includes("  retention.ms = 604800000"), lines.join("\n"));
  assertEquals(lines.at(-1), "Updated orders");
  assertEquals(failure, "TypeError: argument 1 must be str, not int");

  assertStringIncludes(page, wrong);
  assertEquals(await program(FOR_KAFKA_PYTHON(wrong)), [[`${TOPIC} 0`], ""]);
  const [mended, none] = await program(
    page.replace(wrong, 'new_parts = [NewPartitions("orders", 6)]'),
  );
  assertEquals(none, "");
  assert(mended.includes("  retention.ms = 120000"), mended.join("\n"));
  assertEquals(mended.slice(-3), [
    "Updated orders",
    "Expanded orders to 6 partitions",
    "Deleted group: my-group",
  ]);
}

/** What the Go program prints, a line each; pointers are hidden. */
const GO_PRINTED: readonly string[] = [
  "groups: [{steady consumer Stable classic {map[]}}]",
  "describe: [{0 <nil> my-group Empty   [] -2147483648 {map[]}}]",
  "offsets: [{orders [{0 0 0 3 {map[]}}] {map[]}}]",
  "configs: [{0 <nil> TOPIC orders " +
  "[{retention.ms POINTER false false DEFAULT_CONFIG false [] LONG <nil> {map[]}}] {map[]}}]",
  "alter: [{0 <nil> TOPIC orders {map[]}}]",
  "create partitions: [{orders 0 <nil> {map[]}}]",
  "delete groups: [{my-group 0 <nil> {map[]}}]",
];

/** The program looks for stable groups: there is one as long as this member reads. */
async function go(): Promise<void> {
  const member = new Deno.Command("kcat", {
    args: ["-b", BROKER, "-q", "-G", "steady", TOPIC],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await waitUntil("the group is stable", async () => {
      const { stdout } = await kafscale(["groups", "list", "-b", BROKER, "--json"]);
      return /"steady"[^}]*"Stable"/.test(stdout) || undefined;
    });
    const { code, stdout, stderr } = await new Deno.Command(`${await goClients()}/opspage`)
      .output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const lines = new TextDecoder().decode(stdout).replaceAll(/0x[0-9a-f]+/g, "POINTER");
    assertEquals(lines.trimEnd().split("\n"), GO_PRINTED);
  } finally {
    member.kill("SIGTERM");
    await member.status;
  }
}

if (import.meta.main) {
  const run = { cli, python, go }[Deno.args[0] ?? ""];
  if (run === undefined) throw new Error("which one? cli, python or go");
  const binary = Deno.env.get("KAFSCALE_TEST_BINARY");
  await using broker = binary === undefined
    ? await BrokerProcess.start({ port: 9092, env: SUITE_SETTINGS })
    : await DroppedBroker.start(binary);
  await furnish();
  await run().catch((error) => {
    console.error(broker.tail());
    throw error;
  });
}
