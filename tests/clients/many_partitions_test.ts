/** 10,000 partitions on one node: create, produce to all, kill, restart within 5 s, idle. */
import { assert, assertEquals } from "@std/assert";
import { denoAgent } from "./agents.ts";
import { BrokerProcess } from "./broker_process.ts";
import { record } from "./records.ts";
import { SUITE_SETTINGS } from "./suite.ts";
import { fetchBody, readFetch } from "./wire/stored_batches.ts";
import { createTopic } from "./wire/produce.ts";
import { RawConnection } from "./wire/raw_connection.ts";
import { waitUntil } from "./wait_until.ts";

const TOPICS = 100;
const PARTITIONS = 100;
const RESTART_LIMIT_MS = 5000;
const IDLE_MS = 5000;
/** Of one core: timers and the heartbeat of an idle broker cost less than this. */
const IDLE_CPU_LIMIT = 0.05;

const name = (topic: number) => `many-${String(topic).padStart(3, "0")}`;

async function timed<T>(what: string, run: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await run();
  console.log(`${what}: ${Math.round(performance.now() - started)} ms`);
  return result;
}

/** The first offset and record count of a partition must be one record at 0. */
async function assertOneRecord(connection: RawConnection, topic: string, partition: number) {
  const fetched = readFetch(await connection.request(1, 4, fetchBody(topic, partition, 0)));
  assertEquals(
    [fetched.errorCode, fetched.highWatermark, fetched.batches.length],
    [0, 1, 1],
    `${topic}-${partition}`,
  );
}

async function fill(bootstrap: string): Promise<void> {
  await timed(`create ${TOPICS} topics of ${PARTITIONS} partitions`, async () => {
    using connection = await RawConnection.open(bootstrap);
    for (let topic = 0; topic < TOPICS; topic++) {
      assertEquals(await createTopic(connection, name(topic), PARTITIONS), 0);
    }
  });
  const agent = await denoAgent("kafkajs_agent.mjs", bootstrap);
  try {
    await timed(`produce a record to each of ${TOPICS * PARTITIONS} partitions`, async () => {
      for (let topic = 0; topic < TOPICS; topic++) {
        const records = [...Array(PARTITIONS).keys()].map((p) =>
          record("k", `${topic} ${p}`, { p })
        );
        await agent.call("produce", { topic: name(topic), records });
      }
    });
  } finally {
    await agent.stop();
  }
}

async function restartTime(broker: BrokerProcess): Promise<void> {
  const started = performance.now();
  await broker.restart();
  await waitUntil("a fetch after the restart", async () => {
    try {
      using connection = await RawConnection.open(broker.bootstrap);
      await assertOneRecord(connection, name(57), 33);
      return true;
    } catch {
      return undefined;
    }
  }, RESTART_LIMIT_MS * 4);
  const took = Math.round(performance.now() - started);
  console.log(`restart: listening after ${Math.round(broker.startMs)} ms, first fetch ${took} ms`);
  using connection = await RawConnection.open(broker.bootstrap);
  await timed("fetch of 100 partitions", async () => {
    for (let topic = 0; topic < TOPICS; topic++) {
      await assertOneRecord(connection, name(topic), (topic * 37) % PARTITIONS);
    }
  });
  assert(took < RESTART_LIMIT_MS, `a restart takes ${took} ms, limit ${RESTART_LIMIT_MS}`);
}

async function idle(broker: BrokerProcess): Promise<void> {
  // What a start leaves to do in the background is not idleness.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const before = await broker.cpuMs();
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const share = (await broker.cpuMs() - before) / IDLE_MS;
  const resident = Math.round(await broker.residentBytes() / 1048576);
  console.log(`idle: ${(share * 100).toFixed(1)} % of a core, ${resident} MiB resident`);
  assert(share < IDLE_CPU_LIMIT, `idle takes ${share * 100} % of a core`);
}

Deno.test({
  name: "10,000 partitions: created, produced to, restarted within 5 s, idle",
  ignore: Deno.env.has("KAFSCALE_TEST_BOOTSTRAP"),
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using broker = await BrokerProcess.start({ env: SUITE_SETTINGS });
    try {
      await fill(broker.bootstrap);
      await broker.kill();
      await restartTime(broker);
      await broker.terminate();
      await restartTime(broker);
      await idle(broker);
    } catch (error) {
      console.error(broker.tail(30));
      throw error;
    }
  },
});
