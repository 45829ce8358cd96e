/**
 * kill -9 under load, ten times, with idempotent Java producers (default settings: acks=all, five
 * requests in flight, retries without end). At the end every acknowledged record must be there
 * once, at the offset that the acknowledgement named, in its producer's order.
 */
import { assert, assertEquals } from "@std/assert";
import { javaAgent } from "./agents.ts";
import { BrokerProcess } from "./broker_process.ts";
import { assertDelivered } from "./delivery_check.ts";
import { javaClient } from "./install.ts";
import type { WireRecord } from "./records.ts";
import { haveTools } from "./requirement.ts";
import { SUITE_SETTINGS } from "./suite.ts";
import { assertWhole } from "./whole_store.ts";
import { VisibleBatches } from "./wire/visible_batches.ts";
import { waitUntil } from "./wait_until.ts";

const KILLS = 10;
const PARTITIONS = 4;
const PRODUCERS = 3;
const RECORDS_PER_SECOND = 4000;
const VALUE_BYTES = 300;
const TOPIC = "kill9";

/** The running SteadyProducer.java and what it has reported. */
class Load {
  /** Offset by "producer partition number". */
  readonly acknowledged = new Map<string, number>();
  readonly failures: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#reading = this.#read();
  }

  static async start(bootstrap: string): Promise<Load> {
    const numbers = [PARTITIONS, PRODUCERS, RECORDS_PER_SECOND, VALUE_BYTES].map(String);
    const args = [
      "-Xmx256m",
      "-XX:TieredStopAtLevel=1",
      "-cp",
      await javaClient(),
      "SteadyProducer",
    ];
    return new Load(
      new Deno.Command("java", {
        args: [...args, TOPIC, ...numbers, bootstrap],
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn(),
    );
  }

  /** Stops sending, waits until everything is acknowledged or has failed. */
  async finish(): Promise<void> {
    await this.#child.stdin.close();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 60_000);
    await this.#reading;
    clearTimeout(timer);
    const { code } = await this.#child.status;
    assertEquals(code, 0, "the producers ended by themselves");
  }

  kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // ended already
    }
  }

  async #read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [kind, producer, partition, number, offset] = line.split(" ");
        const name = `${producer} ${partition} ${number}`;
        if (kind === "A") this.acknowledged.set(name, Number(offset));
        if (kind === "F") this.failures.push(line);
      }
    }
  }
}

/** Waits for acknowledgements of records sent after the restart. */
async function goesOn(load: Load, what: string): Promise<number> {
  const started = performance.now();
  const before = load.acknowledged.size;
  await waitUntil(
    `acknowledgements ${what}`,
    () => {
      return load.acknowledged.size > before + 500 ? true : undefined;
    },
    30_000,
    10,
  );
  return Math.round(performance.now() - started);
}

/** Everything in the topic, partition by partition in pages. */
async function readAll(bootstrap: string): Promise<WireRecord[]> {
  const agent = await javaAgent(bootstrap);
  try {
    const records: WireRecord[] = [];
    for (let only = 0; only < PARTITIONS; only++) {
      const latest = { topic: TOPIC, partition: only, at: "latest" } as const;
      const { offset: end } = await agent.call("listOffsets", latest);
      for (let offset = 0; offset < end;) {
        const args = {
          topic: TOPIC,
          partitions: PARTITIONS,
          only,
          from: { offset },
          waitMs: 20_000,
        };
        const page = await agent.call("consume", {
          ...args,
          count: Math.min(10_000, end - offset),
        });
        assert(page.length > 0, `partition ${only} ends at ${offset}, not at ${end}`);
        for (const one of page) assertEquals(one.o, offset++, `offsets of partition ${only}`);
        records.push(...page);
      }
    }
    return records;
  } finally {
    await agent.stop();
  }
}

/** Never the same moment twice. */
function pause(atMostMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * atMostMs));
}

async function killTenTimes(): Promise<void> {
  await using broker = await BrokerProcess.start({ env: SUITE_SETTINGS });
  const admin = await javaAgent(broker.bootstrap);
  await admin.call("createTopic", { topic: TOPIC, partitions: PARTITIONS });
  await admin.stop();
  const load = await Load.start(broker.bootstrap);
  const watch = new VisibleBatches(broker.bootstrap, TOPIC, PARTITIONS);
  try {
    await goesOn(load, "at the start");
    for (let kill = 1; kill <= KILLS; kill++) {
      await pause(1500);
      const acknowledged = load.acknowledged.size;
      await broker.kill();
      await broker.restart();
      if (kill % 3 === 0) {
        // In the middle of what a restart leaves to do.
        await pause(150);
        await broker.kill();
        await broker.restart();
      }
      const resumed = await goesOn(load, `after kill ${kill}`);
      console.log(
        `kill ${kill}: ${acknowledged} acknowledged before, listening after ` +
          `${Math.round(broker.startMs)} ms, ${resumed} ms more until the producers went on`,
      );
    }
    await load.finish();
    assertEquals(load.failures.slice(0, 3), [], `${load.failures.length} sends failed`);
    const records = await readAll(broker.bootstrap);
    assertDelivered(records, load.acknowledged);
    const seen = await watch.check();
    await broker.kill();
    await assertWhole(broker.dataDir);
    console.log(
      `${load.acknowledged.size} acknowledged, ${records.length} stored, all once; ` +
        `${seen} batches seen before and after kills are the same`,
    );
  } catch (error) {
    console.error(broker.tail(30));
    throw error;
  } finally {
    watch.stop();
    load.kill();
  }
}

if (haveTools("kill -9", "java", "javac", "mvn")) {
  Deno.test({
    name: "kill -9: ten times under load, nothing is lost, doubled or reordered",
    ignore: Deno.env.has("KAFSCALE_TEST_BOOTSTRAP"),
    sanitizeOps: false,
    sanitizeResources: false,
    fn: killTenTimes,
  });
}
