/**
 * The command line on a broker, and its offsets against those of Kafka's own tool: the same group,
 * the same mode, the same new offsets.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Peer, type PeerName, startPeer } from "../../bench/peers.ts";
import { ToolHost } from "../clients/java/tool_host.ts";
import { haveTools } from "../clients/requirement.ts";
import { waitUntil } from "../clients/wait_until.ts";
import { cli, withDirectory } from "./run_cli.ts";

const TOPIC = "orders";
const GROUP = "billing";
const PARTITIONS = 3;

/** Modes of `groups reset` by the flags of both tools; the shared file's name is put in. */
const MODES: readonly (readonly string[])[] = [
  ["--to-earliest", "--topic", TOPIC],
  ["--to-latest", "--all-topics"],
  ["--to-current", "--topic", TOPIC],
  ["--to-offset", "3", "--topic", TOPIC],
  ["--to-offset", "99999", "--topic", `${TOPIC}:0,2`],
  ["--shift-by", "2", "--all-topics"],
  ["--shift-by", "-500", "--all-topics"],
  ["--to-datetime", "2020-01-01T00:00:00.000", "--topic", TOPIC],
  ["--to-datetime", "2090-01-01T00:00:00.000", "--topic", TOPIC],
  ["--by-duration", "P1DT1H", "--topic", `${TOPIC}:1`],
  ["--from-file", "FILE"],
];

class Brokers {
  constructor(readonly peer: Peer, readonly tools: ToolHost) {}

  /** Our command, which must succeed. */
  async ours(args: readonly string[], stdin?: string): Promise<string> {
    const all = [...args, "-b", this.peer.bootstrap];
    const { code, stdout, stderr } = await cli(all, stdin === undefined ? {} : { stdin });
    assertEquals(code, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** Kafka's consumer-groups tool, which must succeed. */
  async theirs(args: readonly string[]): Promise<string> {
    const all = ["--bootstrap-server", this.peer.bootstrap, ...args];
    const { out, err, code } = await this.tools.run("consumer-groups", all);
    assertEquals(code, 0, `${args.join(" ")}: ${out}\n${err}`);
    return out;
  }

  /** "partition offset", as our dry run has it. */
  async ourPlan(mode: readonly string[]): Promise<string[]> {
    const json = await this.ours(["groups", "reset", GROUP, ...mode, "--json"]);
    const { executed, offsets } = JSON.parse(json);
    assertEquals(executed, false);
    return offsets.map(({ partition, next }: { partition: number; next: number }) =>
      `${partition} ${next}`
    ).sort();
  }

  async theirPlan(mode: readonly string[]): Promise<string[]> {
    const out = await this.theirs(["--group", GROUP, "--reset-offsets", "--dry-run", ...mode]);
    const rows = out.split("\n").filter((line) => line.startsWith(GROUP));
    return rows.map((row) => row.split(/\s+/).slice(2, 4).join(" ")).sort();
  }
}

/** A topic with records in every partition, a group in the middle of them. */
async function prepare(brokers: Brokers): Promise<void> {
  await brokers.ours(["topics", "create", TOPIC, "-p", `${PARTITIONS}`]);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const lines = Array.from({ length: 10 + partition }, (_, at) => `${at}\n`).join("");
    await brokers.ours(["produce", TOPIC, "-p", `${partition}`, "-q"], lines);
  }
  await brokers.ours(["groups", "reset", GROUP, "--to-offset", "5", "-t", TOPIC, "--execute"]);
}

async function compareModes(brokers: Brokers, directory: string): Promise<void> {
  const file = `${directory}/offsets.csv`;
  await Deno.writeTextFile(file, `"${TOPIC}",0,4\n"${TOPIC}",2,11\n`);
  for (const mode of MODES) {
    const args = mode.map((word) => word === "FILE" ? file : word);
    const plan = await brokers.ourPlan(args);
    assert(plan.length > 0);
    assertEquals(plan, await brokers.theirPlan(args), args.join(" "));
  }
  // what one exports the other imports
  const exported = await brokers.ours(
    ["groups", "reset", GROUP, "--shift-by", "-1", "--all-topics", "--export"],
  );
  await Deno.writeTextFile(file, exported);
  const fromOurs = await brokers.theirPlan(["--from-file", file]);
  assertEquals(fromOurs, await brokers.ourPlan(["--shift-by", "-1", "--all-topics"]));
}

async function compareLag(brokers: Brokers): Promise<void> {
  await brokers.ours(["groups", "reset", GROUP, "--shift-by", "1", "--all-topics", "--execute"]);
  const out = await brokers.theirs(["--describe", "--group", GROUP]);
  const rows = out.split("\n").filter((line) => line.startsWith(GROUP));
  const theirs = rows.map((row) => row.split(/\s+/).slice(2, 6).map(Number));
  const [group] = JSON.parse(await brokers.ours(["groups", "describe", GROUP, "--json"]));
  interface Row {
    readonly partition: number;
    readonly committed: number;
    readonly logEndOffset: number;
    readonly lag: number;
  }
  const ours = group.partitions.map(
    ({ partition, committed, logEndOffset, lag }: Row) => [partition, committed, logEndOffset, lag],
  );
  assertEquals(ours, theirs.toSorted((a, b) => a[0]! - b[0]!));
  assertEquals(group.lag, 4 + 5 + 6);
}

async function useTheRest(brokers: Brokers): Promise<void> {
  await brokers.ours(["configs", "set", "topic", TOPIC, "retention.ms=123456"]);
  const value = async () =>
    JSON.parse(await brokers.ours(["configs", "describe", "topic", TOPIC, "--json"]))
      .find(({ name }: { name: string }) => name === "retention.ms")?.value;
  // Kafka's brokers learn of a change a moment after it was answered
  await waitUntil("the config", async () => await value() === "123456" ? true : undefined);
  await brokers.ours(["configs", "unset", "topic", TOPIC, "retention.ms"]);
  await waitUntil("the default", async () => await value() === undefined ? true : undefined);
  const read = await brokers.ours(["consume", TOPIC, "--from-beginning"]);
  assertEquals(read.split("\n").length - 1, 10 + 11 + 12);
  const [view] = (await brokers.ours(["top", "--interval", "1", "--json", "-n", "1"])).split("\n");
  const { lag, topics } = JSON.parse(view!);
  assertEquals(lag, 15);
  assertStringIncludes(JSON.stringify(topics), `"topic":"${TOPIC}","partitions":${PARTITIONS}`);
  const bench = await brokers.ours(
    ["bench", "--seconds", "1", "--round-trips", "3", "--size", "100", "--json"],
  );
  assert(JSON.parse(bench)[0].consume.recordsPerSecond > 0);
  await brokers.ours(["groups", "delete", GROUP]);
  assertEquals(JSON.parse(await brokers.ours(["groups", "list", "--json"])), []);
}

/** Registers the test on one kind of broker. */
export function testBesideKafkasTool(name: PeerName): void {
  if (!haveTools("the command line against Kafka's tools", "java", "javac", "mvn")) return;
  Deno.test({
    name: `the command line agrees with Kafka's own tools on ${name}`,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: () =>
      withDirectory(async (directory) => {
        const peer = await startPeer(name, { dataDir: `${directory}/data` });
        try {
          await using tools = await ToolHost.start();
          const brokers = new Brokers(peer, tools);
          await prepare(brokers);
          await compareModes(brokers, directory);
          await compareLag(brokers);
          await useTheRest(brokers);
        } catch (error) {
          console.error(peer.log.slice(-20).join("\n"));
          throw error;
        } finally {
          await peer.stop();
        }
      }),
  });
}
