/**
 * kill -9 under load, again and again, with idempotent Java producers (default settings: acks=all,
 * five requests in flight, retries without end). At the end every acknowledged record must be there
 * once, at the offset that the acknowledgement named, in its producer's order.
 *
 * Environment: KAFSCALE_TEST_KILLS is how often; unset: ten times
 */
import { assertEquals } from "@std/assert";
import { javaAgent } from "./agents.ts";
import { BrokerProcess } from "./broker_process.ts";
import { assertDelivered } from "./delivery_check.ts";
import { haveTools } from "./requirement.ts";
import { readAll, SteadyLoad } from "./steady_load.ts";
import { SUITE_SETTINGS } from "./suite.ts";
import { assertWhole } from "./whole_store.ts";
import { VisibleBatches } from "./wire/visible_batches.ts";

const KILLS = Number(Deno.env.get("KAFSCALE_TEST_KILLS") ?? 10);
const PARTITIONS = 4;
const TOPIC = "kill9";
const LOAD = {
  topic: TOPIC,
  partitions: PARTITIONS,
  producers: 3,
  recordsPerSecond: 4000,
  valueBytes: 300,
};

/** Never the same moment twice. */
function pause(atMostMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * atMostMs));
}

async function killAgainAndAgain(): Promise<void> {
  await using broker = await BrokerProcess.start({ env: SUITE_SETTINGS });
  const admin = await javaAgent(broker.bootstrap);
  await admin.call("createTopic", { topic: TOPIC, partitions: PARTITIONS });
  await admin.stop();
  const load = await SteadyLoad.start(LOAD, broker.bootstrap);
  const watch = new VisibleBatches(broker.bootstrap, TOPIC, PARTITIONS);
  try {
    await load.goesOn("at the start");
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
      const resumed = await load.goesOn(`after kill ${kill}`);
      console.log(
        `kill ${kill}: ${acknowledged} acknowledged before, listening after ` +
          `${Math.round(broker.startMs)} ms, ${resumed} ms more until the producers went on`,
      );
    }
    await load.finish();
    assertEquals(load.failures.slice(0, 3), [], `${load.failures.length} sends failed`);
    const records = await readAll(LOAD, broker.bootstrap);
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
    name: "kill -9: again and again under load, nothing is lost, doubled or reordered",
    ignore: Deno.env.has("KAFSCALE_TEST_BOOTSTRAP"),
    sanitizeOps: false,
    sanitizeResources: false,
    fn: killAgainAndAgain,
  });
}
