import type { BrokerProcess } from "./broker_process.ts";

/** Bytes of a topic that a broker gave to consumers. */
export async function fetchedBytes(broker: BrokerProcess, topic: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${broker.metricsPort}/metrics`);
  const pattern = `^kafscale_topic_fetched_bytes_total\\{.*topic="${topic}".*\\} (\\d+)`;
  return Number(new RegExp(pattern, "m").exec(await response.text())?.[1] ?? 0);
}
