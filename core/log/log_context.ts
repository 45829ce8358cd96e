import type { BlockCache } from "../storage/block_cache.ts";
import type { ReadAhead } from "../storage/read_ahead.ts";
import type { StoreGate } from "../storage/health.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import type { WalChain } from "../storage/wal/chain.ts";
import type { TopicInfo } from "../metadata/topics.ts";
import type { TopicSettings } from "../metadata/topic_config.ts";
import type { Standing } from "../storage/wal/sealed.ts";
import type { Slabs } from "../storage/wal/slab_pool.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { RefusedSequences } from "./refused_sequences.ts";
import type { SegmentReader } from "./segment_reader.ts";
import type { TrafficByTopic } from "./topic_traffic.ts";

/** What all partitions of a broker share. */
export interface LogContext {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly cache: BlockCache;
  readonly readAhead: ReadAhead;
  readonly segments: SegmentReader;
  readonly chain: WalChain;
  /** Proof that the chain is this broker's still. */
  readonly standing: Standing;
  /** Whether the store takes and gives anything at all now. */
  readonly health: StoreGate;
  readonly refused: RefusedSequences;
  readonly pool: Slabs;
  readonly namespace: string;
  /** Effective settings of the topic as they are now. */
  settings(topic: TopicInfo): TopicSettings;
  leaderEpoch(topicId: string, partition: number): number;
  /** What readers were given, in bytes; only grows. */
  readonly traffic: { readBytes: number };
  readonly trafficByTopic: TrafficByTopic;
  /** Segments whose fronts are read ahead of a consumer that reaches the end of one. */
  readonly readaheadSegments: number;
  /** Producer ids kept per partition at most, and for how long without a batch (KIP-98). */
  readonly producersMax: number;
  readonly producerExpirationMs: number;
  /** Aborts when the broker stops. */
  readonly signal: AbortSignal;
}
