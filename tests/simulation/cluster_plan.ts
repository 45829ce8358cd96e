/**
 * What a seed decides beside `plan.ts` where several brokers share a store and metadata. Each kind
 * of fault is left out altogether in about half of the runs.
 */
import { CALM } from "../../drivers/storage/memory/driver.ts";
import type { Plan } from "./plan.ts";
import type { Prng } from "./prng.ts";

export const BROKERS_MIN = 3;
export const BROKERS_MAX = 5;

export interface ClusterWeather {
  readonly brokers: number;
  readonly leaseMs: number;
  /** Mean times between events; Infinity: never. */
  readonly longPauseEveryMs: number;
  readonly leaseStormEveryMs: number;
  readonly moveEveryMs: number;
  readonly controllerLossEveryMs: number;
  readonly clientCutEveryMs: number;
  /** One broker's way to metadata is cut for longer than its lease. */
  readonly longMetadataCutEveryMs: number;
  /** A commit fails and takes effect later. */
  readonly lateCommitChance: number;
  /** Brokers have a rack, and consumers read at any of them, as readers of it (KIP-392). */
  readonly racks?: boolean;
  /** Metadata is backed up and, as long after that again, put back by an operator. */
  readonly restoreEveryMs?: number;
  /** How often a client asks any broker in the place of the one that it knows for the leader. */
  readonly astrayChance: number;
}

/** `plan` for a cluster; 0 brokers: as many as the seed says. */
export function clusterPlan(plan: Plan, prng: Prng, brokers: number): Plan {
  const every = (low: number, high: number) => prng.chance(0.5) ? prng.range(low, high) : Infinity;
  const cluster: ClusterWeather = {
    brokers: brokers > 0 ? brokers : prng.between(BROKERS_MIN, BROKERS_MAX),
    leaseMs: prng.pick([300, 1_000, 3_000]),
    longPauseEveryMs: every(1_000, 5_000),
    leaseStormEveryMs: every(1_500, 6_000),
    moveEveryMs: every(200, 2_000),
    controllerLossEveryMs: every(1_500, 6_000),
    clientCutEveryMs: every(1_000, 5_000),
    longMetadataCutEveryMs: every(1_500, 6_000),
    lateCommitChance: prng.chance(0.4) ? prng.range(0.01, 0.2) : 0,
    astrayChance: 0.03,
  };
  return {
    ...plan,
    chaosMs: prng.range(6_000, 16_000),
    store: { ...CALM, ...plan.store },
    clients: {
      ...plan.clients,
      partitions: plan.clients.partitions + prng.between(0, 3),
      members: prng.chance(0.7) ? prng.between(1, 3) : 0,
    },
    cluster,
  };
}

/**
 * The rack of all brokers: leaders then send nobody away, and each serves what others lead to those
 * who ask it.
 */
export const RACK = "one";

/** The same world with brokers that serve reads of what others lead. */
export function withRacks(plan: Plan): Plan {
  return plan.cluster === undefined ? plan : { ...plan, cluster: { ...plan.cluster, racks: true } };
}
