/** What a broker that is a process says of itself over its operations API. */
import type { BrokerProcess } from "./broker_process.ts";
import { waitUntil } from "./wait_until.ts";

export interface OpsAnswer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- JSON
  readonly body: any;
}

export async function askOps(
  broker: BrokerProcess,
  path: string,
  init: RequestInit = {},
): Promise<OpsAnswer> {
  const response = await fetch(`http://127.0.0.1:${broker.metricsPort}${path}`, init);
  return { status: response.status, body: await response.json() };
}

/** Resolves once every broker knows of all of them. */
export async function allRegistered(brokers: readonly BrokerProcess[]): Promise<void> {
  await waitUntil("every broker to know all others", async () => {
    for (const broker of brokers) {
      const { body } = await askOps(broker, "/api/v1/status");
      if (body.cluster?.brokers.length !== brokers.length) return undefined;
    }
    return true;
  });
}
