import type { BrokerProcess } from "./broker_process.ts";

/** The value of a metric: its name, or its name with a part of its labels. */
export async function figure(broker: BrokerProcess, name: string, labels = ""): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${broker.metricsPort}/metrics`);
  const lines = (await response.text()).split("\n");
  const found = lines.find((line) =>
    (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) && line.includes(labels)
  );
  return Number(found?.slice(found.lastIndexOf(" ") + 1) ?? 0);
}

/** Bytes of a topic that a broker gave to consumers. */
export function fetchedBytes(broker: BrokerProcess, topic: string): Promise<number> {
  return figure(broker, "kafscale_topic_fetched_bytes_total", `topic="${topic}"`);
}
