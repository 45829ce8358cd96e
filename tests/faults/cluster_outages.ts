/**
 * What happens to a cluster in the fault bench, each on real processes. Nobody does anything for
 * recovery but what a process supervisor does: it starts again what has ended.
 */
import { type BrokerCluster, TEST_LEASE_MS } from "../clients/broker_cluster.ts";
import type { BrokerProcess } from "../clients/broker_process.ts";
import { waitUntil } from "../clients/wait_until.ts";
import type { Etcd } from "../services/etcd.ts";
import type { Minio } from "../services/minio.ts";
import type { Prng } from "../simulation/prng.ts";
import { pause } from "./outages.ts";

export interface ClusterWorld {
  readonly cluster: BrokerCluster;
  readonly etcd: Etcd;
  readonly minio: Minio;
  readonly random: Prng;
}

export interface ClusterOutage {
  readonly name: string;
  run(world: ClusterWorld): Promise<void>;
}

/** Longer than a lease, so that others take over. */
const PAST_LEASE_MS = 1.5 * TEST_LEASE_MS;

function one({ cluster, random }: ClusterWorld): BrokerProcess {
  return cluster.brokers[random.below(cluster.brokers.length)]!;
}

/** Two that are not the same. */
function two({ cluster, random }: ClusterWorld): [BrokerProcess, BrokerProcess] {
  const left = [...cluster.brokers];
  const take = () => left.splice(random.below(left.length), 1)[0]!;
  return [take(), take()];
}

/** Killed, and started again at any moment of the take-over, or before it, or after. */
async function killed(world: ClusterWorld, broker = one(world)): Promise<void> {
  await broker.kill();
  await pause(world.random.below(3 * TEST_LEASE_MS));
  await revive(broker);
}

async function sleeps(world: ClusterWorld, broker = one(world)): Promise<void> {
  broker.pause();
  await pause(PAST_LEASE_MS + world.random.below(TEST_LEASE_MS));
  broker.resume();
}

async function etcdAway({ etcd, random }: ClusterWorld): Promise<void> {
  const member = etcd.members[0]!;
  if (random.below(2) === 0) {
    await member.kill();
    await pause(PAST_LEASE_MS + random.below(4_000));
    await member.start();
  } else {
    member.pause();
    await pause(PAST_LEASE_MS + random.below(4_000));
    member.resume();
  }
}

async function storeAway({ minio, random }: ClusterWorld): Promise<void> {
  if (random.below(2) === 0) {
    await minio.kill();
    await pause(1_000 + random.below(4_000));
    await minio.restart();
  } else {
    await minio.pause();
    await pause(1_000 + random.below(4_000));
    minio.resume();
  }
}

const together = (...outages: readonly Promise<void>[]) => Promise.all(outages).then(() => {});

export const CLUSTER_OUTAGES: readonly ClusterOutage[] = [
  { name: "a broker is killed", run: killed },
  { name: "a broker sleeps past its lease", run: sleeps },
  { name: "etcd is away", run: etcdAway },
  { name: "the store is away", run: storeAway },
  {
    name: "a broker ends by SIGTERM and starts again",
    run: async (world) => {
      const broker = one(world);
      await broker.terminate();
      await revive(broker);
    },
  },
  {
    name: "two brokers are killed at once",
    run: (world) => {
      const [first, second] = two(world);
      return together(killed(world, first), killed(world, second));
    },
  },
  {
    name: "one broker is killed while another one sleeps",
    run: (world) => {
      const [first, second] = two(world);
      return together(killed(world, first), sleeps(world, second));
    },
  },
  {
    name: "a broker is killed while etcd is away",
    run: (world) => together(etcdAway(world), killed(world)),
  },
  {
    name: "a broker sleeps while the store is away",
    run: (world) => together(storeAway(world), sleeps(world)),
  },
];

/** Starts again what has ended, until it runs: a store or etcd that is away refuses the start. */
async function revive(broker: BrokerProcess): Promise<void> {
  await waitUntil("a broker to start", async () => {
    await broker.ended();
    return await broker.restart().then(() => true as const, () => undefined);
  }, 90_000);
}

/** Waits for `work`; meanwhile starts again who ends by itself. Returns how often. */
export async function supervised(cluster: BrokerCluster, work: Promise<unknown>): Promise<number> {
  let over = false;
  let restarts = 0;
  const end = work.finally(() => over = true);
  end.catch(() => {});
  while (!over) {
    for (const broker of cluster.brokers) {
      if (broker.exitCode === undefined) continue;
      restarts++;
      await revive(broker);
    }
    await Promise.race([pause(100), end.catch(() => {})]);
  }
  await end;
  return restarts;
}
