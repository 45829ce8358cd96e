/**
 * What a seed decides: which faults are about and how often, who the clients are, how the broker is
 * set up. Swarm testing: each kind of fault is left out altogether in some runs, since constant
 * crashes hide what only a long calm shows, and the other way round.
 */
import { CALM, type MemoryFaults } from "../../drivers/storage/memory/driver.ts";
import type { ClusterWeather } from "./cluster_plan.ts";
import type { Prng } from "./prng.ts";
import type { NetworkFaults } from "./sim_network.ts";

export interface Plan {
  readonly chaosMs: number;
  /** Several brokers; left out: one that leads everything. */
  readonly cluster?: ClusterWeather;
  readonly store: MemoryFaults;
  /** Where there is one, the broker reads old bytes from it. */
  readonly replica: ReplicaWeather | undefined;
  readonly network: NetworkFaults;
  readonly metadata: MetadataWeather;
  /** Mean times between events; Infinity: never. */
  readonly crashEveryMs: number;
  readonly stopEveryMs: number;
  readonly resetEveryMs: number;
  readonly pauseEveryMs: number;
  readonly metadataOutageEveryMs: number;
  readonly storeOutageEveryMs: number;
  readonly wallJumpEveryMs: number;
  /** A crash hits between two outside steps of the broker instead of between two events. */
  readonly fuseChance: number;
  /** A "crashed" broker was only paused: it wakes up while its successor serves. */
  readonly zombieChance: number;
  readonly restartDelayMaxMs: number;
  readonly clients: {
    readonly idempotent: number;
    readonly plain: number;
    readonly consumers: number;
    readonly members: number;
    readonly stableTopics: number;
    readonly churnTopics: number;
    readonly partitions: number;
    /**
     * Configs of the last stable topic when its records may be deleted; empty: by DeleteRecords
     * alone.
     */
    readonly trim: Readonly<Record<string, string>> | undefined;
    readonly fileDeleteDelayMs: number;
  };
  readonly broker: {
    readonly segmentBytes: number;
    readonly commitBytes: number;
    readonly commitParallel: number;
    readonly flushIntervalMs: number;
    readonly cacheBytes: number;
    readonly walBytes: number;
    readonly compactionIntervalMs: number;
    readonly blockBytes: number;
    readonly orphanSweepIntervalMs: number;
    readonly s3HealthWindowSec: number;
    readonly s3LatencyWarnMs: number;
    readonly s3LatencyCritMs: number;
  };
}

export interface ReplicaWeather {
  /** How far it is behind at most; long ones outlive what they copy. */
  lagMaxMs: number;
  readonly copiesDeletions: boolean;
  readonly faults: MemoryFaults;
}

export interface MetadataWeather {
  latencyMaxMs: number;
  failBeforeChance: number;
  failAfterChance: number;
}

/** In a few words: who is there. */
export function topologyOf({ cluster, clients }: Plan): string {
  const { idempotent, plain, consumers, members, stableTopics, churnTopics, partitions } = clients;
  const brokers = cluster === undefined
    ? "1 broker"
    : `${cluster.brokers} brokers, leases of ${cluster.leaseMs} ms`;
  return `${brokers}; ${stableTopics} topics of ${partitions} partitions, ${churnTopics} that ` +
    `come and go; ${idempotent} idempotent and ${plain} plain producers, ${consumers} readers, ` +
    `${members} group members`;
}

export function planOf(prng: Prng): Plan {
  const on = (chance = 0.5) => prng.chance(chance);
  const rate = (most: number) => on() ? prng.range(0, most) : 0;
  const every = (low: number, high: number) => on() ? prng.range(low, high) : Infinity;
  const crashes = every(300, 4_000);
  return {
    chaosMs: prng.range(4_000, 12_000),
    store: {
      ...CALM,
      latencyMinMs: 0.2,
      latencyMaxMs: on() ? prng.range(1, 60) : 1,
      slowChance: rate(0.05),
      slowMs: prng.range(100, 3_000),
      failBeforeChance: rate(0.1),
      throttleChance: rate(0.1),
      failAfterChance: rate(0.1),
      lateChance: rate(0.05),
      duplicateChance: rate(0.05),
      lateMs: prng.range(10, 5_000),
      lostChance: on(0.3) ? prng.range(0, 0.01) : 0,
    },
    network: {
      latencyMinMs: 0.05,
      latencyMaxMs: on() ? prng.range(0.1, 50) : 0.2,
      partialChance: rate(0.3),
      bufferBytes: on(0.3) ? prng.between(64, 2_000) : 64 * 1024,
    },
    metadata: {
      latencyMaxMs: prng.range(0, 10),
      failBeforeChance: rate(0.05),
      failAfterChance: rate(0.05),
    },
    replica: on(0.3) ? replicaOf(prng) : undefined,
    crashEveryMs: crashes,
    stopEveryMs: on(0.3) ? prng.range(1_000, 6_000) : Infinity,
    resetEveryMs: every(50, 2_000),
    pauseEveryMs: on(0.3) ? prng.range(500, 4_000) : Infinity,
    metadataOutageEveryMs: on(0.3) ? prng.range(500, 4_000) : Infinity,
    storeOutageEveryMs: on(0.4) ? prng.range(1_000, 8_000) : Infinity,
    wallJumpEveryMs: on(0.3) ? prng.range(500, 4_000) : Infinity,
    fuseChance: on() ? prng.range(0.3, 1) : 0,
    zombieChance: on(0.3) ? prng.range(0.2, 0.8) : 0,
    restartDelayMaxMs: on() ? 1_500 : 20,
    clients: {
      idempotent: prng.between(1, 3),
      plain: prng.between(0, 2),
      consumers: prng.between(1, 3),
      members: on() ? prng.between(1, 3) : 0,
      stableTopics: prng.between(1, 2),
      churnTopics: on() ? prng.between(1, 2) : 0,
      partitions: prng.between(1, 4),
      trim: on(0.6) ? trimOf(prng) : undefined,
      fileDeleteDelayMs: prng.pick([0, 500, 3_000]),
    },
    broker: {
      segmentBytes: prng.pick([512, 4_096, 8_192, 65_536]),
      commitBytes: prng.pick([2_048, 65_536, 4 * 1024 * 1024]),
      commitParallel: prng.between(1, 4),
      flushIntervalMs: prng.pick([0, 0, 5, 50]),
      cacheBytes: prng.pick([0, 4_096, 8 * 1024 * 1024]),
      walBytes: prng.pick([4_096, 65_536, 1024 * 1024]),
      compactionIntervalMs: prng.pick([100, 200, 2_000, 86_400_000]),
      blockBytes: prng.pick([256, 4_096, 1024 * 1024]),
      orphanSweepIntervalMs: prng.pick([15_000, 30_000]),
      s3HealthWindowSec: prng.pick([1, 5, 60]),
      s3LatencyWarnMs: prng.pick([50, 200]),
      s3LatencyCritMs: prng.pick([200, 1_000, 3_000]),
    },
  };
}

function trimOf(prng: Prng): Record<string, string> {
  return prng.pick<Record<string, string>>([
    {},
    {},
    { "retention.bytes": String(prng.between(500, 8_000)) },
    { "retention.ms": String(prng.between(500, 4_000)) },
  ]);
}

function replicaOf(prng: Prng): ReplicaWeather {
  return {
    lagMaxMs: prng.pick([0, 50, 2_000, 20_000]),
    copiesDeletions: prng.chance(0.5),
    faults: {
      ...CALM,
      latencyMinMs: 0.1,
      latencyMaxMs: prng.range(0.1, 5),
      failBeforeChance: prng.pick([0, 0.1, 0.9]),
      slowChance: prng.pick([0, 0.05]),
      slowMs: 3_000,
    },
  };
}
