/** A minute in the life of a broker, in which everything happens that monitoring looks for. */
import type { BrokerProcess } from "../clients/broker_process.ts";
import { RawWriter } from "../clients/wire/bytes.ts";
import { batch, createTopic, produce, produceBody } from "../clients/wire/produce.ts";
import { RawConnection } from "../clients/wire/raw_connection.ts";
import { fetchBody, readFetch } from "../clients/wire/stored_batches.ts";
import type { Mood } from "./moody_store.ts";

export const TOKEN = "a-token-for-tests";

const value = (bytes: number) => new Uint8Array(bytes).fill(120);

/** What the load asks of the test around it. */
export interface Observer {
  readonly mood: (now: Mood) => Promise<void>;
  /** Resolves when the alert fires, or does no more. */
  readonly expectAlert: (alert: string, fires: boolean) => Promise<void>;
  /** Resolves when Prometheus has scraped the broker, or found it gone, after this call. */
  readonly scraped: (up: boolean) => Promise<void>;
  /** Whether a series of the metric has changed so far. */
  readonly moved: (metric: string) => Promise<boolean>;
}

export async function load(
  broker: BrokerProcess,
  { mood, expectAlert, scraped, moved }: Observer,
): Promise<void> {
  const client = await RawConnection.open(broker.bootstrap);
  await scraped(true);
  for (const topic of ["orders", "clicks"]) await createTopic(client, topic, 2);
  await createTopic(client, "orders", 2);
  await traffic(client, 40);
  await scraped(true);
  await createTopic(client, "orders", 2);
  await createTopic(client, "late", 1);
  await member(broker, 2_000);
  await refusals(broker, scraped);
  await flush(broker);
  await session(client);
  await traffic(client, 20);

  await mood("slow");
  // it must last for as long as Prometheus takes to look
  for (let round = 0; round < 8 && !await moved("kafscale_produce_waiting"); round++) {
    await pressure(broker);
  }
  await mood("throttling");
  await traffic(client, 20);
  await mood("down");
  // refused, or answered when the store is back
  const waiting = traffic(client, 1).catch(() => {});
  await expectAlert("KafScaleS3Unavailable", true);
  await mood("well");
  await waiting;
  await expectAlert("KafScaleS3Unavailable", false);
  client.close();

  await broker.terminate();
  await scraped(false);
  await broker.restart();
  const again = await RawConnection.open(broker.bootstrap);
  await createTopic(again, "orders", 2);
  await traffic(again, 40);
  await member(broker, 2_000);
  await flush(broker);
  await traffic(again, 20);
  again.close();
}

/** Produces, reads from the start on, and commits an offset that lags. */
async function traffic(client: RawConnection, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const topic of ["orders", "clicks"]) {
      const records = batch(Array.from({ length: 1 + round % 7 }, () => value(200 + 100 * round)));
      await produce(client, topic, round % 2, records);
      readFetch(await client.request(1, 4, fetchBody(topic, round % 2, round % 3)));
    }
    readFetch(await client.request(1, 4, fetchBody("orders", 0, 1_000_000)));
    const body = new RawWriter().string("laggard").int32(-1).string("").int64(-1n)
      .int32(1).string("orders").int32(1).int32(0).int64(BigInt(round % 3)).string("");
    await client.request(8, 2, body);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** More than a slow store takes: four connections with ten megabytes each. */
async function pressure(broker: BrokerProcess): Promise<void> {
  await Promise.all(Array.from({ length: 4 }, async () => {
    const client = await RawConnection.open(broker.bootstrap);
    const records = batch([value(900_000)]);
    const requests = 12;
    for (let sent = 0; sent < requests; sent++) {
      await client.send(0, 3, produceBody("clicks", 0, records));
    }
    for (let answered = 0; answered < requests; answered++) await client.read(30_000);
    client.close();
  }));
}

/** A fetch session (KIP-227) that is opened and left open. */
async function session(client: RawConnection): Promise<void> {
  const body = new RawWriter().int32(-1).int32(0).int32(1).int32(1_000_000).int8(0)
    .int32(0).int32(0).int32(1).string("orders").int32(1).int32(0).int64(0n).int64(-1n)
    .int32(1_000_000).int32(0);
  await client.request(1, 7, body);
}

/** A member of a group joins, reads, and leaves. */
async function member(broker: BrokerProcess, forMs: number): Promise<void> {
  const child = new Deno.Command("kcat", {
    args: ["-b", broker.bootstrap, "-q", "-u", "-G", "readers", "orders"],
    stdout: "null",
    stderr: "null",
  }).spawn();
  await new Promise((resolve) => setTimeout(resolve, forMs));
  child.kill("SIGTERM");
  await child.status;
}

/** A request that nobody understands, and more connections than there may be. */
async function refusals(
  broker: BrokerProcess,
  scraped: Observer["scraped"],
): Promise<void> {
  const bad = await RawConnection.open(broker.bootstrap);
  await bad.send(999, 0, new RawWriter().int32(1));
  await bad.read();
  bad.close();
  const many = await Promise.all(
    Array.from({ length: 20 }, () => RawConnection.open(broker.bootstrap)),
  );
  await scraped(true);
  for (const each of many) each.close();
}

async function flush(broker: BrokerProcess): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${broker.metricsPort}/api/v1/flush`, {
    method: "POST",
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`flush: ${text}`);
}
