/**
 * Several brokers as child processes that share a bucket on a real MinIO and a real etcd: each by
 * itself can be killed, paused and restarted. Many clusters may share one MinIO and one etcd.
 */
import type { Etcd } from "../services/etcd.ts";
import { BrokerProcess } from "./broker_process.ts";
import { waitUntil } from "./wait_until.ts";
import { clusterAt } from "./wire/cluster_at.ts";

/** Waits until a broker knows so many, and who controls. */
async function complete(bootstrap: string, count: number): Promise<void> {
  await waitUntil(`${bootstrap} to know ${count} brokers and the controller`, async () => {
    const { brokerIds, controllerId } = await clusterAt(bootstrap);
    return brokerIds.length === count && controllerId >= 0 ? true : undefined;
  });
}

/** What the brokers of a cluster share. */
export interface Services {
  readonly etcd: Pick<Etcd, "list">;
  /** KAFSCALE_S3_* of a bucket. */
  readonly bucket: Readonly<Record<string, string>>;
}

export interface ClusterOptions {
  readonly brokers?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Further settings of one broker. */
  readonly envOf?: (brokerId: number) => Readonly<Record<string, string>>;
}

/** Short, so that tests of take-overs take seconds. etcd counts leases in whole seconds. */
export const TEST_LEASE_MS = 2_000;

export class BrokerCluster implements AsyncDisposable {
  /** By broker id, from 0 on. */
  readonly brokers: readonly BrokerProcess[];

  private constructor(
    /** Its namespace in the bucket and its prefix in etcd. */
    readonly name: string,
    brokers: readonly BrokerProcess[],
  ) {
    this.brokers = brokers;
  }

  static async start(
    services: Services,
    { brokers: count = 3, env = {}, envOf = () => ({}) }: ClusterOptions = {},
  ): Promise<BrokerCluster> {
    const name = `c-${crypto.randomUUID().slice(0, 8)}`;
    const starting = Array.from({ length: count }, (_, id) =>
      BrokerProcess.start({
        startTimeoutMs: 60_000,
        env: {
          KAFSCALE_CLUSTER: "true",
          KAFSCALE_BROKER_ID: String(id),
          KAFSCALE_BROKER_LEASE_MS: String(TEST_LEASE_MS),
          KAFSCALE_ETCD_ENDPOINTS: services.etcd.list,
          KAFSCALE_ETCD_PREFIX: name,
          KAFSCALE_NAMESPACE: name,
          KAFSCALE_FLUSH_INTERVAL_MS: "5",
          ...services.bucket,
          ...env,
          ...envOf(id),
        },
      }));
    const outcomes = await Promise.allSettled(starting);
    const started = outcomes.flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
    const failed = outcomes.find((each) => each.status === "rejected");
    if (failed === undefined) {
      await Promise.all(started.map(({ bootstrap }) => complete(bootstrap, count)));
      return new BrokerCluster(name, started);
    }
    await Promise.all(started.map((each) => each.stop()));
    throw failed.reason;
  }

  /** What a client is given: every broker's address. */
  get bootstrap(): string {
    return this.brokers.map(({ bootstrap }) => bootstrap).join(",");
  }

  /** The newest lines of each broker, for a failure's message. */
  tail(lines = 25): string {
    return this.brokers.map((each, id) => `broker ${id}:\n${each.tail(lines)}`).join("\n");
  }

  /** Ends all at once; whoever is last has nobody to hand over to, and may take its time. */
  async close(): Promise<void> {
    await Promise.all(this.brokers.map((each) => each.kill()));
    await Promise.all(this.brokers.map((each) => each.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
