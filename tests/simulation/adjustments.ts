/** Changes of what a seed decided, by name: worlds in which one kind of trouble is all about. */
import { withRacks } from "./cluster_plan.ts";
import type { Plan } from "./plan.ts";

/** Brokers that are taken for dead are replaced by a process with their id, and wake up. */
export const doubles = (plan: Plan): Plan => ({
  ...plan,
  crashEveryMs: 900,
  fuseChance: 0,
  zombieChance: 1,
  restartDelayMaxMs: 20,
});

/**
 * Brokers that are cut off from metadata for longer than their leases, and clients that know no
 * better than to ask them; few write there, so nothing tells them that they are sealed.
 */
export const strays = (plan: Plan): Plan => ({
  ...plan,
  crashEveryMs: Infinity,
  stopEveryMs: Infinity,
  resetEveryMs: 150,
  fuseChance: 0,
  metadataOutageEveryMs: 500,
  storeOutageEveryMs: Infinity,
  store: { ...plan.store, latencyMaxMs: 5, slowChance: 0, lostChance: 0 },
  clients: {
    ...plan.clients,
    idempotent: 2,
    plain: 0,
    stableTopics: 1,
    churnTopics: 0,
    partitions: 2,
    trim: undefined,
  },
  cluster: {
    ...plan.cluster!,
    leaseMs: 300,
    astrayChance: 0.3,
    longMetadataCutEveryMs: Infinity,
    longPauseEveryMs: Infinity,
    clientCutEveryMs: Infinity,
    leaseStormEveryMs: Infinity,
    controllerLossEveryMs: Infinity,
    moveEveryMs: Infinity,
  },
});

/**
 * An operator puts older metadata back, again and again. What metadata alone holds is lost then, so
 * nobody commits offsets or makes topics; the log must not lose anything.
 */
export const restores = (plan: Plan): Plan => ({
  ...plan,
  chaosMs: 12_000,
  clients: { ...plan.clients, members: 0, churnTopics: 0 },
  cluster: { ...plan.cluster!, lateCommitChance: 0, restoreEveryMs: 1_200 },
});

/** Brokers sleep past their leases all the time, and wake up. */
export const sleepers = (plan: Plan): Plan => ({
  ...plan,
  crashEveryMs: Infinity,
  stopEveryMs: Infinity,
  chaosMs: 8_000,
  cluster: { ...plan.cluster!, leaseMs: 300, longPauseEveryMs: 700 },
});

export type Adjustment = (plan: Plan) => Plan;

/** What `--adjust` knows; all are of clusters. */
export const ADJUSTMENTS: Readonly<Record<string, Adjustment>> = {
  doubles,
  strays,
  restores,
  sleepers,
  racks: withRacks,
};
