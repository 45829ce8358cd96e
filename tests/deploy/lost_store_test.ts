/**
 * An operator's view of an outage: a real Prometheus watches a broker whose objects are in a real
 * MinIO. Stopping the MinIO makes the alerts fire; starting it clears them, and nobody helps.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { BrokerProcess, targetIsApache } from "../clients/broker_process.ts";
import { haveTools } from "../clients/requirement.ts";
import { waitUntil } from "../clients/wait_until.ts";
import { batch, createTopic, produce } from "../clients/wire/produce.ts";
import { RawConnection } from "../clients/wire/raw_connection.ts";
import { haveMinio, Minio } from "../services/minio.ts";
import { Prometheus } from "../services/prometheus.ts";
import { impatientRules } from "./rules.ts";
import { freePort } from "../services/free_port.ts";

const ALERTS: readonly string[] = ["KafScaleS3Unavailable", "KafScaleS3Unhealthy"];
/** The store is called healthy again when the window's errors are forgotten. */
const CLEAR_MS = 60_000;

/** A producer that is never discouraged. */
function steadily(bootstrap: string) {
  let running = true;
  let acknowledged = 0;
  const loop = (async () => {
    while (running) {
      const client = await RawConnection.open(bootstrap);
      try {
        await produce(client, "orders", 0, batch([Uint8Array.of(1)]));
        acknowledged++;
      } catch {
        // refused, or not answered in time: that is what the alert is about
      } finally {
        client.close();
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return {
    acknowledged: () => acknowledged,
    stop: () => {
      running = false;
      return loop;
    },
  };
}

async function firesAndClears(): Promise<void> {
  await using minio = await Minio.start();
  const target = freePort();
  await using broker = await BrokerProcess.start({
    env: {
      KAFSCALE_STORAGE: "minio",
      ...minio.settings(await minio.bucket()),
      KAFSCALE_METRICS_ADDR: `127.0.0.1:${target}`,
      KAFSCALE_S3_HEALTH_WINDOW_SEC: "6",
      KAFSCALE_S3_LATENCY_CRIT_MS: "1000",
    },
  });
  await using prometheus = await Prometheus.start({ target, rules: [await impatientRules()] });
  const firing = async () => {
    const all = await prometheus.firing();
    return ALERTS.filter((alert) => all.has(alert));
  };
  const client = await RawConnection.open(broker.bootstrap);
  await createTopic(client, "orders", 1);
  client.close();
  const producer = steadily(broker.bootstrap);
  try {
    await waitUntil("records are taken", () => producer.acknowledged() > 5 || undefined);
    await waitUntil(
      "Prometheus sees a healthy store",
      async () =>
        (await prometheus.query('kafscale_s3_health_state{state="healthy"} == 1')).length > 0 ||
        undefined,
    );
    assertEquals(await firing(), []);

    await minio.kill();
    await waitUntil(
      `${ALERTS.join(" and ")} fire`,
      async () => (await firing()).length === ALERTS.length || undefined,
      CLEAR_MS,
    );
    const health = await fetch(`http://127.0.0.1:${target}/api/v1/health`);
    assertStringIncludes(await health.text(), '"unavailable"');

    const before = producer.acknowledged();
    await minio.restart();
    await waitUntil(
      "all is well again",
      async () => (await firing()).length === 0 || undefined,
      CLEAR_MS,
    );
    await waitUntil("records are taken again", () => producer.acknowledged() > before || undefined);
  } finally {
    await producer.stop();
  }
}

const here = haveTools("alerts on a lost store", "prometheus") &&
  await haveMinio("alerts on a lost store");

Deno.test({
  name: "alerts on the store fire when MinIO is stopped, and clear when it is started",
  ignore: !here || targetIsApache(),
  fn: firesAndClears,
});
