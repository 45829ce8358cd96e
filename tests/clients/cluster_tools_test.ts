/** Kafka 4.1's own tools on three brokers: leadership moves between them. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Etcd } from "../services/etcd.ts";
import { haveMinio, Minio } from "../services/minio.ts";
import { BrokerCluster } from "./broker_cluster.ts";
import { targetIsApache } from "./broker_process.ts";
import { ToolHost } from "./java/tool_host.ts";
import type { Tool } from "./java/tools.ts";
import { allRegistered } from "./ops_api.ts";
import { haveTools } from "./requirement.ts";
import { waitUntil } from "./wait_until.ts";

class Scene {
  constructor(readonly host: ToolHost, readonly cluster: BrokerCluster) {}

  /** What a tool prints that asks one broker and must succeed. */
  async ok(tool: Tool, args: string, broker = 0, input = ""): Promise<string> {
    const { out, err, code } = await this.any(tool, args, broker, input);
    if (code !== 0) throw new Error(`${tool} ${args}: exit code ${code}\n${out}\n${err}`);
    return out;
  }

  any(tool: Tool, args: string, broker = 0, input = "") {
    const server = ["--bootstrap-server", this.cluster.brokers[broker]!.bootstrap];
    return this.host.run(tool, [...server, ...args.split(" ")], input);
  }

  /** Leaders by partition, as `kafka-topics --describe` at one broker tells them. */
  async leaders(topic: string, broker = 0): Promise<number[]> {
    const text = await this.ok("topics", `--describe --topic ${topic}`, broker);
    const rows = [...text.matchAll(/Leader: (\w+)\s+Replicas: (\d*)\s+Isr: (\d*)/g)];
    return rows.map(([, leader]) => Number(leader));
  }

  async ledBy(topic: string, wanted: readonly number[], broker = 0): Promise<void> {
    let seen: number[] = [];
    await waitUntil(`${topic} to be led by ${wanted}`, async () => {
      seen = await this.leaders(topic, broker);
      return `${seen}` === `${wanted}` ? true : undefined;
    }).catch((error) => {
      throw new Error(`${error.message}; it is led by ${seen}`);
    });
  }

  /** `kafka-reassign-partitions` with a plan: topic, replicas by partition. */
  async reassign(how: string, topic: string, replicas: readonly (readonly number[])[]) {
    const partitions = replicas.map((each, partition) => ({ topic, partition, replicas: each }));
    const file = await Deno.makeTempFile({ suffix: ".json" });
    try {
      await Deno.writeTextFile(file, JSON.stringify({ version: 1, partitions }));
      return await this.any("reassign-partitions", `${how} --reassignment-json-file ${file}`, 1);
    } finally {
      await Deno.remove(file);
    }
  }
}

async function topicsFromAnyBroker(scene: Scene): Promise<void> {
  await scene.ok("topics", "--create --topic placed --replica-assignment 2,0,2", 1);
  await scene.ledBy("placed", [2, 0, 2], 2);
  await scene.ok("topics", "--alter --topic placed --partitions 5 --replica-assignment 2,0,2,1,0");
  await scene.ledBy("placed", [2, 0, 2, 1, 0], 1);
  await scene.ok("topics", "--create --topic gone --partitions 3", 2);
  await scene.ok("topics", "--delete --topic gone", 0);
  for (const broker of [0, 1, 2]) {
    await waitUntil("a deleted topic to be gone everywhere", async () => {
      const listed = await scene.ok("topics", "--list", broker);
      return listed.split("\n").includes("gone") ? undefined : true;
    });
  }
}

async function reassignments(scene: Scene): Promise<void> {
  await scene.ok("topics", "--create --topic moved --replica-assignment 0,1,2");
  const lines = Array.from({ length: 30 }, (_, at) => `value ${at}`);
  await scene.ok("console-producer", "--topic moved", 0, lines.join("\n") + "\n");
  const executed = await scene.reassign("--execute", "moved", [[1], [1], [0]]);
  assertEquals(executed.code, 0, executed.err);
  assertMatch(executed.out, /Successfully started partition reassignments for moved-0,moved-1,mov/);
  await waitUntil("the reassignment to be complete", async () => {
    const { out } = await scene.reassign("--verify", "moved", [[1], [1], [0]]);
    return /still in progress/.test(out) ? undefined : out;
  }).then((out) => {
    for (const at of [0, 1, 2]) assertStringIncludes(out, `partition moved-${at} is completed`);
  });
  assertEquals(await scene.leaders("moved", 2), [1, 1, 0]);
  assertMatch(await scene.ok("reassign-partitions", "--list"), /No partition reassignments found/);
  const read = await scene.ok(
    "console-consumer",
    "--topic moved --from-beginning --max-messages 30 --timeout-ms 20000",
    2,
  );
  assertEquals(read.trimEnd().split("\n").toSorted(), lines.toSorted());
  const copies = await scene.reassign("--execute", "moved", [[1, 2]]);
  assertEquals(copies.code, 1);
  assertStringIncludes(copies.out + copies.err, "name one replica, the broker that shall lead it");
}

async function elections(scene: Scene): Promise<void> {
  const all = "--election-type preferred --all-topic-partitions";
  await scene.ok("topics", "--create --topic chosen --replica-assignment 2,2");
  await scene.ledBy("chosen", [2, 2]);
  const one = "--election-type preferred --topic chosen --partition 0";
  assertMatch(await scene.ok("leader-election", one), /Valid replica already elected/);
  await scene.cluster.brokers[2]!.terminate();
  await waitUntil("others to lead what the stopped broker led", async () => {
    const leaders = await scene.leaders("chosen");
    return leaders.every((leader) => leader === 0 || leader === 1) ? true : undefined;
  });
  const failed = await scene.any("leader-election", one);
  assertEquals(failed.code, 1);
  assertMatch(failed.out + failed.err, /cannot lead at the moment|PreferredLeaderNotAvailable/);
  await scene.cluster.brokers[2]!.restart();
  await waitUntil("the broker to be back", async () => {
    const { code } = await scene.any("leader-election", all);
    return code === 0 ? true : undefined;
  });
  await scene.ledBy("chosen", [2, 2], 1);
}

const NAME = "kafka tools on three brokers";

if (haveTools(NAME, "java", "javac", "mvn", "etcd") && await haveMinio(NAME)) {
  Deno.test({
    name: `${NAME}: placing, reassigning, electing, from any broker`,
    ignore: targetIsApache(),
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using etcd = await Etcd.start();
      await using minio = await Minio.start();
      await using host = await ToolHost.start();
      const bucket = { KAFSCALE_STORAGE: "minio", ...minio.settings(await minio.bucket()) };
      await using cluster = await BrokerCluster.start({ etcd, bucket });
      const scene = new Scene(host, cluster);
      try {
        await allRegistered(cluster.brokers);
        for (const part of [topicsFromAnyBroker, reassignments, elections]) {
          const started = performance.now();
          await part(scene);
          if (!Deno.env.has("KAFSCALE_TEST_TIMES")) continue;
          console.log(`${Math.round(performance.now() - started)} ms: ${part.name}`);
        }
        assert(!cluster.tail(1_000).includes("invariant"));
      } catch (error) {
        console.error(cluster.tail());
        throw error;
      }
    },
  });
}
