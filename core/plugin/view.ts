import {
  advertisedAddress,
  listenAddress,
  redacted,
  UNCOMMITTED_BYTES_MAX,
} from "../config/mod.ts";
import type { Rooms } from "../handlers/rooms.ts";
import type { ClusterNode } from "../cluster/node.ts";
import type { Housekeeping } from "../log/housekeeping.ts";
import type { Logs } from "../log/logs.ts";
import type { WalLedger } from "../log/wal_ledger.ts";
import type { MetadataStore } from "../metadata/metadata_store.ts";
import { LoopDelay } from "../runtime/mod.ts";
import type { Server } from "../server/server.ts";
import type { BlockCache } from "../storage/block_cache.ts";
import type { GuardedStore } from "../storage/guarded_store.ts";
import type { WalChain } from "../storage/wal/chain.ts";
import type {
  Backups,
  BrokerIdentity,
  BrokerState,
  BrokerView,
  DrainOutcome,
  Figures,
  FlushOutcome,
  Levels,
  Readiness,
  ReadinessCheck,
} from "./broker_view.ts";
import { groupLag, groupView, memberViews } from "./group_views.ts";
import { giveAway, leaders } from "./leader_views.ts";
import {
  leadership,
  logTotals,
  partitionViews,
  topicFigures,
  topicView,
  walCalls,
} from "./topic_views.ts";

/** What a broker is made of once it serves. */
export interface ServingParts {
  readonly rooms: Rooms;
  readonly brokerEpoch: number;
  readonly logs: Logs;
  readonly chain: WalChain;
  readonly cache: BlockCache;
  readonly ledger: WalLedger;
  readonly housekeeping: Housekeeping;
  readonly server: Server;
  /** Undefined where this broker leads alone. */
  readonly node: ClusterNode | undefined;
}

export interface ViewedRooms extends ServingParts {
  readonly store: GuardedStore;
  readonly metadata: MetadataStore;
  /** Where copies of the metadata go; undefined: beside the records. */
  readonly backups: Pick<Backups, "store" | "prepare"> | undefined;
  readonly version: string;
  /** Wall time. */
  readonly startedAtMs: number;
  /** Whether the broker is about to end. */
  readonly stopping: () => boolean;
}

/** The view of a running broker. It measures the event loop's delay until `end`. */
export function viewOf(of: ViewedRooms): { view: BrokerView; end: () => void } {
  const { rooms, logs, server } = of;
  const { config, runtime, topics, groups, cluster } = rooms;
  const identity = identityOf(of);
  const listeners = new Set<(delayMs: number) => void>();
  const loop = new LoopDelay(runtime, (delayMs) => {
    for (const listener of listeners) listener(delayMs);
  });
  const startedMs = runtime.clock.monotonicMs() - (runtime.clock.wallMs() - identity.startedAtMs);
  const view: BrokerView = {
    identity,
    cluster: () => ({ controllerId: cluster.controllerId, brokers: cluster.brokers() }),
    uptimeMs: () => runtime.clock.monotonicMs() - startedMs,
    config: redacted(config),
    readiness: () => readiness(of),
    figures: figures(of, loop),
    store: of.store,
    onLoopDelay: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    topics: () => Array.from(topics.all(), topicView).sort((a, b) => compare(a.name, b.name)),
    topic: (name) => {
      const info = topics.byName(name);
      return info === undefined ? undefined : topicView(info);
    },
    partitions: (topic, from, to) => partitionViews(logs, cluster, topic, from, to),
    groups: () =>
      Array.from(groups.entries ?? [], groupView).sort((a, b) => compare(a.groupId, b.groupId)),
    group: (groupId) => {
      const entry = groups.entry(groupId);
      return entry === undefined ? undefined : groupView(entry);
    },
    members: (groupId) => {
      const entry = groups.entry(groupId);
      return entry === undefined ? [] : memberViews(entry);
    },
    lag: (groupId, loadsMax) => groupLag({ groups, topics, logs }, groupId, loadsMax),
    connections: () => server.connections(),
    flush: () => flush(of),
    state: () => stateOf(of),
    drain: (timeoutMs) => drain(of, timeoutMs),
    giveAway: (partitions, timeoutMs = config.drainTimeoutMs) =>
      giveAway(rooms, partitions, timeoutMs),
    leaders: () => leaders(rooms),
    onLeaders: (listener) => {
      const ends = [topics.onChange(listener), of.node?.onChange(listener)];
      return () => ends.forEach((end) => end?.());
    },
    backups: {
      namespace: config.namespace,
      store: of.backups?.store ?? of.store.patient,
      prepare: () => of.backups?.prepare() ?? Promise.resolve(),
      snapshot: () => of.metadata.snapshot(),
      get mine() {
        return cluster.controllerId === cluster.brokerId && !of.stopping();
      },
      status: null,
    },
  };
  return { view, end: () => loop.stop() };
}

function identityOf({ rooms, version, brokerEpoch, startedAtMs }: ViewedRooms): BrokerIdentity {
  const { cluster, config } = rooms;
  const own = cluster.brokers().find(({ nodeId }) => nodeId === config.brokerId);
  const { host, port } = own ?? advertisedAddress(config, listenAddress(config));
  return {
    brokerId: config.brokerId,
    clusterId: cluster.clusterId,
    version,
    rack: config.rack,
    host,
    port,
    brokerEpoch,
    startedAtMs,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function stateOf({ node, stopping }: ViewedRooms): BrokerState {
  if (stopping()) return "stopping";
  if (node === undefined || !node.draining) return "serving";
  return node.leadCount === 0 ? "drained" : "draining";
}

const NOT_DRAINING: Readonly<Record<Exclude<BrokerState, "serving">, string>> = {
  draining: "gives what it leads to other brokers",
  drained: "has given what it led to other brokers, and may be stopped",
  stopping: "stops",
};

function readiness(of: ViewedRooms): Readiness {
  const { chain, rooms, stopping } = of;
  const state = stateOf(of);
  const check = (name: ReadinessCheck["name"], ok: boolean, good: string, bad: string) => ({
    name,
    ok,
    detail: ok ? good : bad,
  });
  const fenced = "another broker has taken this broker id over, or the broker has stopped";
  const checks: ReadinessCheck[] = [
    check("listener", !stopping(), "accepts connections", "stops, and accepts no connections"),
    check(
      "leadership",
      state === "serving",
      "leads what it is given",
      state === "serving" ? "" : NOT_DRAINING[state],
    ),
    check("log", chain.ended === 0, "accepts records", fenced),
    check(
      "groups",
      rooms.groups.entries !== undefined,
      "groups are loaded",
      "groups are being loaded",
    ),
  ];
  return { ready: checks.every(({ ok }) => ok), checks };
}

function figures(of: ViewedRooms, loop: LoopDelay): Figures {
  const { rooms, logs, chain, cache, housekeeping, server, store: { calls } } = of;
  return {
    get apis() {
      return server.apiStats();
    },
    get server() {
      return server.stats;
    },
    get cache() {
      return cache.stats;
    },
    chain: chain.stats,
    housekeeping: housekeeping.stats,
    following: rooms.followed?.stats ?? { slots: 0, misses: 0, manifests: 0 },
    referrals: rooms.referrals.stats,
    loopDelayMs: loop.delayMs,
    now: () => levels(of),
    logs: () => logTotals(logs),
    leadership: () => leadership(rooms.topics, rooms.cluster),
    topics: () => topicFigures(rooms.topics, logs.context.trafficByTopic, calls),
    get walCalls() {
      return walCalls(calls);
    },
  };
}

function levels({ rooms, chain, ledger, server }: ViewedRooms): Levels {
  const { config, fetchBytes, fetchSessions, followed, groups, topics } = rooms;
  return {
    connections: server.connections().length,
    requestBytes: server.inflightBytes(),
    requestBytesMax: config.inflightBytes,
    fetchBytes: fetchBytes.used,
    fetchBytesMax: fetchBytes.capacity,
    fetchSessions: fetchSessions.size,
    fetchSessionPartitions: fetchSessions.partitions,
    followedPartitions: followed?.count ?? 0,
    followedChains: followed?.chains ?? 0,
    uncommittedBytes: chain.uncommittedBytes,
    uncommittedBytesMax: UNCOMMITTED_BYTES_MAX,
    commitsQueued: chain.queuedCommits,
    commitsInFlight: chain.commitsInFlight,
    produceWaiting: chain.roomWaiters,
    walObjects: ledger.objects,
    walBytes: ledger.bytes,
    groups: groups.usage.groups,
    groupMembers: groups.usage.members,
    topics: topics.topicCount,
    partitions: topics.partitionCount,
  };
}

async function flush(of: ViewedRooms): Promise<FlushOutcome> {
  const { chain, housekeeping, stopping, rooms: { runtime } } = of;
  const stopped = () => stopping() || chain.ended !== 0;
  if (stopped()) throw new Error("the broker is stopping, which commits everything anyway");
  const startedMs = runtime.clock.monotonicMs();
  const { rewrites, rewrittenBytes } = housekeeping.stats;
  await chain.flush();
  await housekeeping.rewriteAll();
  if (stopped()) throw new Error("the broker was stopped meanwhile; the rest is rewritten later");
  return {
    segments: housekeeping.stats.rewrites - rewrites,
    rewrittenBytes: housekeeping.stats.rewrittenBytes - rewrittenBytes,
    tookMs: runtime.clock.monotonicMs() - startedMs,
  };
}

async function drain(of: ViewedRooms, timeoutMs: number | undefined): Promise<DrainOutcome> {
  const { node, stopping, rooms: { config, runtime: { clock } } } = of;
  if (stopping()) throw new Error("the broker is stopping, which gives everything away anyway");
  if (node === undefined || !node.replaceable) {
    throw new Error(
      "there is no other broker that could take over what this one leads; start one, or stop " +
        "this one: nothing that was acknowledged is lost",
    );
  }
  const startedMs = clock.monotonicMs();
  const before = node.leadCount;
  const left = await node.drain(timeoutMs ?? config.drainTimeoutMs);
  return { moved: Math.max(0, before - left), left, tookMs: clock.monotonicMs() - startedMs };
}
