/**
 * What a broker is made of, each with the settings that it takes: how the rooms' large objects are
 * constructed, and nothing about when. core/broker.ts says that.
 */
import type { Config } from "./config/mod.ts";
import {
  PRODUCERS_PER_PARTITION_MAX,
  REFUSED_SEQUENCES_MAX,
  SEGMENT_INDEXES_MAX,
  UNCOMMITTED_BYTES_MAX,
} from "./config/limits.ts";
import { ClusterNode } from "./cluster/node.ts";
import type { Incarnation } from "./cluster/recovery.ts";
import { LEADER_EPOCH } from "./cluster/single_node.ts";
import type { BrokerInfo } from "./handlers/rooms.ts";
import type { LogContext } from "./log/log_context.ts";
import { RefusedSequences } from "./log/refused_sequences.ts";
import { SegmentReader } from "./log/segment_reader.ts";
import { TrafficByTopic } from "./log/topic_traffic.ts";
import type { SeenMetadata } from "./metadata/seen_metadata.ts";
import { topicSettings } from "./metadata/topic_config.ts";
import type { TopicRegistry } from "./metadata/topics.ts";
import type { Runtime } from "./runtime/runtime.ts";
import type { BlockCache } from "./storage/block_cache.ts";
import type { GuardedStore } from "./storage/guarded_store.ts";
import { ReadAhead } from "./storage/read_ahead.ts";
import { WalChain } from "./storage/wal/chain.ts";
import type { Commit, WalObject } from "./storage/wal/commit.ts";
import { Standing } from "./storage/wal/sealed.ts";
import type { Slabs } from "./storage/wal/slab_pool.ts";

/** What every part stands on. */
export interface BrokerDrivers {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly metadata: SeenMetadata;
  readonly store: GuardedStore;
  /** Aborts when the broker has stopped. */
  readonly signal: AbortSignal;
}

/** The write-ahead log of this life. */
export function walChain(
  { config, runtime, metadata, store: { patient: store } }: BrokerDrivers,
  { brokerEpoch, generation }: Pick<Incarnation, "brokerEpoch" | "generation">,
  pool: Slabs,
  onCommitted: (object: WalObject, commit: Commit) => void,
  onFenced: () => void,
): WalChain {
  const { advice } = store;
  return new WalChain({
    runtime,
    store,
    namespace: config.namespace,
    brokerId: config.brokerId,
    brokerEpoch,
    metadataMark: () => ({ generation, revision: metadata.revision }),
    pool,
    commitBytes: config.commitBytes ?? advice.commitBytes,
    parallel: config.commitParallel ?? advice.parallelUploads,
    spacingMs: config.flushIntervalMs ?? advice.flushIntervalMs,
    uncommittedBytesMax: UNCOMMITTED_BYTES_MAX,
    onCommitted,
    onFenced,
  });
}

/** What the logs of all partitions share; `node`: who says what is led, unless everything is. */
export function logContext(
  { config, runtime, store: { gated: store, gate: health }, signal }: BrokerDrivers,
  cache: BlockCache,
  chain: WalChain,
  pool: Slabs,
  node: ClusterNode | undefined,
): LogContext {
  const readAhead = new ReadAhead(cache);
  health.onChange(() => chain.wakeWaiters());
  return {
    runtime,
    store,
    cache,
    readAhead,
    segments: new SegmentReader(store, cache, readAhead, SEGMENT_INDEXES_MAX),
    chain,
    standing: new Standing(chain),
    health,
    refused: new RefusedSequences(runtime.clock, REFUSED_SEQUENCES_MAX),
    pool,
    namespace: config.namespace,
    settings: (topic) => topicSettings(topic, config),
    leaderEpoch: node === undefined ? () => LEADER_EPOCH : node.leaderEpoch.bind(node),
    traffic: { readBytes: 0 },
    trafficByTopic: new TrafficByTopic(),
    readaheadSegments: config.readaheadSegments,
    producersMax: PRODUCERS_PER_PARTITION_MAX,
    producerExpirationMs: config.producerIdExpirationMs,
    signal,
  };
}

/** This broker among others; `address` is known once it listens. */
export function clusterNode(
  { config, runtime, metadata, store: { patient: store }, signal }: BrokerDrivers,
  topics: TopicRegistry,
  brokerEpoch: number,
  address: () => BrokerInfo,
  fenced: () => void,
): ClusterNode {
  return new ClusterNode({
    runtime,
    store,
    metadata,
    topics,
    namespace: config.namespace,
    self: { brokerId: config.brokerId, brokerEpoch },
    address,
    readOnly: config.readOnly,
    leaseMs: config.brokerLeaseMs,
    orphanSweepMs: config.orphanSweepIntervalMs,
    fenced,
    signal,
  });
}
