/** Several brokers without servers and clients: the rooms that lead, take over and hand over. */
import { logHoldings } from "../../core/cluster/log_holdings.ts";
import type { FollowedLogs } from "../../core/cluster/followed_logs.ts";
import { ClusterNode } from "../../core/cluster/node.ts";
import { join } from "../../core/cluster/recovery.ts";
import { defaultConfig } from "../../core/config/mod.ts";
import type { LogContext } from "../../core/log/log_context.ts";
import { Logs } from "../../core/log/logs.ts";
import { PartitionLogState } from "../../core/log/partition_log.ts";
import { RefusedSequences } from "../../core/log/refused_sequences.ts";
import { SegmentReader } from "../../core/log/segment_reader.ts";
import { TrafficByTopic } from "../../core/log/topic_traffic.ts";
import { WalLedger } from "../../core/log/wal_ledger.ts";
import { COORDINATORS } from "../../core/metadata/assignments.ts";
import { raiseLowWater } from "../../core/metadata/brokers.ts";
import { SeenMetadata } from "../../core/metadata/seen_metadata.ts";
import { topicSettings } from "../../core/metadata/topic_config.ts";
import { TopicRegistry } from "../../core/metadata/topics.ts";
import { BlockCache } from "../../core/storage/block_cache.ts";
import { ReadAhead } from "../../core/storage/read_ahead.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { WalChain } from "../../core/storage/wal/chain.ts";
import { Standing } from "../../core/storage/wal/sealed.ts";
import { SlabPool } from "../../core/storage/wal/slab_pool.ts";
import { type MemoryFaults, MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { type ManualRuntime, manualRuntime } from "../runtime/manual_runtime.ts";

const CONFIG = defaultConfig();
export const LEASE_MS = 6_000;

/** What outlives every broker. */
export interface World {
  readonly runtime: ManualRuntime;
  readonly objects: MemoryObjects;
  readonly metadata: MemoryMetadata;
}

function newWorld(): World {
  const runtime = manualRuntime();
  return { runtime, objects: new MemoryObjects(), metadata: new MemoryMetadata(runtime) };
}

export class ClusterScene {
  readonly runtime: ManualRuntime;
  readonly objects: MemoryObjects;
  readonly metadata: MemoryMetadata;
  readonly nodes: TestNode[] = [];
  /** Of every broker's way to the metadata. */
  readonly faults: MemoryFaults = {};

  constructor({ runtime, objects, metadata }: World = newWorld()) {
    this.runtime = runtime;
    this.objects = objects;
    this.metadata = metadata;
  }

  async start(
    brokerId: number,
    rack: string | null = null,
    wrap?: (store: ObjectStore) => ObjectStore,
    readOnly = false,
  ): Promise<TestNode> {
    const node = new TestNode(this, brokerId, rack, wrap, readOnly);
    await node.start();
    this.nodes.push(node);
    await this.settle();
    return node;
  }

  /** Lets everything that needs no long wait come to rest. */
  async settle(ms = 500): Promise<void> {
    for (let past = 0; past < ms; past += 10) await this.runtime.advance(10);
  }

  /** The nodes that believe to lead the partition. */
  leaders(topicId: string, partition: number): TestNode[] {
    return this.nodes.filter(({ node }) => node.leads(topicId, partition));
  }

  keys(prefix: string): string[] {
    return this.objects.page(prefix, undefined, 1e6).map(({ key }) => key);
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.stop();
  }
}

export class TestNode {
  readonly metadata;
  readonly seen: SeenMetadata;
  readonly topics: TopicRegistry;
  readonly shards = new Set<number>();
  node!: ClusterNode;
  chain!: WalChain;
  logs!: Logs;
  ledger!: WalLedger;
  /** Where it has a rack. */
  followed: FollowedLogs | undefined;
  brokerEpoch = -1;
  fenced = false;
  readonly #abort = new AbortController();

  constructor(
    readonly scene: ClusterScene,
    readonly brokerId: number,
    readonly rack: string | null,
    readonly wrap: (store: ObjectStore) => ObjectStore = (store) => store,
    readonly readOnly = false,
  ) {
    this.metadata = scene.metadata.connect(scene.faults);
    this.seen = new SeenMetadata(this.metadata);
    this.topics = new TopicRegistry({
      runtime: scene.runtime,
      store: this.seen,
      config: CONFIG,
    });
  }

  async start(): Promise<void> {
    const { brokerId, seen: metadata, scene, topics } = this;
    const { runtime } = scene;
    const store = this.wrap(memoryStore(scene.objects, runtime));
    const { signal } = this.#abort;
    await topics.start();
    const base = { runtime, store, metadata, namespace: "ns", brokerId, signal };
    const { brokerEpoch, generation, recovered } = await join(base, this.readOnly);
    this.brokerEpoch = brokerEpoch;
    const pool = new SlabPool(1);
    const cache = new BlockCache({ store, capacityBytes: 1 << 20, blockBytes: 4096 });
    const ledger = this.ledger = new WalLedger({
      runtime,
      store,
      raiseLowWater: (slot) => raiseLowWater(metadata, brokerId, brokerEpoch, slot),
      forget: (key) => cache.invalidate(key),
      signal,
    });
    const chain = this.chain = new WalChain({
      runtime,
      store,
      namespace: "ns",
      brokerId,
      brokerEpoch,
      metadataMark: () => ({ generation, revision: metadata.revision }),
      pool,
      commitBytes: 4_000,
      parallel: 2,
      spacingMs: 0,
      uncommittedBytesMax: 1 << 20,
      onCommitted: (object, commit) => {
        ledger.addOwn(object);
        for (const slab of commit.slabs) pool.release(slab);
      },
      onFenced: () => void (this.fenced = true),
    });
    const node = this.node = new ClusterNode({
      runtime,
      store,
      metadata,
      topics,
      namespace: "ns",
      self: { brokerId, brokerEpoch },
      address: () => ({ nodeId: brokerId, host: `b${brokerId}`, port: 9092, rack: this.rack }),
      readOnly: this.readOnly,
      leaseMs: LEASE_MS,
      orphanSweepMs: 86_400_000,
      fenced: () => void (this.fenced = true),
      signal,
    });
    const readAhead = new ReadAhead(cache);
    const context: LogContext = {
      runtime,
      store,
      cache,
      readAhead,
      segments: new SegmentReader(store, cache, readAhead, 16),
      chain,
      standing: new Standing(chain),
      pool,
      namespace: "ns",
      settings: (topic) => topicSettings(topic, CONFIG),
      leaderEpoch: (topicId, partition) => node.leaderEpoch(topicId, partition),
      health: { refusesWrites: false, refusesReads: false, onChange: () => () => {} },
      refused: new RefusedSequences(runtime.clock, 100),
      traffic: { readBytes: 0 },
      trafficByTopic: new TrafficByTopic(),
      readaheadSegments: 1,
      producersMax: 100,
      producerExpirationMs: 86_400_000,
      signal,
    };
    node.follow(context, 50);
    this.followed = node.followed;
    const leads = (topicId: string, partition: number) => node.leads(topicId, partition);
    this.logs = new Logs(context, topics, recovered, leads);
    await node.start(logHoldings(this.logs, chain, {
      gained: (shard) => void this.shards.add(shard),
      lost: (shard) => void this.shards.delete(shard),
    }));
  }

  /** The log; throws the error code as text where it is refused. */
  async log(topicId: string, partition: number): Promise<PartitionLogState> {
    const state = await this.logs.state(topicId, partition);
    if (state instanceof PartitionLogState) return state;
    throw new Error(`refused with code ${state}`);
  }

  /** kill -9: nothing it began goes on; its lease runs out. */
  crash(): void {
    this.metadata.crash();
    this.#abort.abort();
    this.chain.close();
  }

  /** Its calls of the metadata service fail until `reconnect`; its lease runs out. */
  cutOff(): void {
    this.metadata.disconnect();
  }

  reconnect(): void {
    this.metadata.reconnect();
  }

  leadsCount(topicId: string): number {
    const partitions = this.topics.byId(topicId)?.partitionCount ?? 0;
    let count = 0;
    for (let at = 0; at < partitions; at++) if (this.node.leads(topicId, at)) count++;
    return count;
  }

  get coordinates(): number {
    let count = 0;
    for (let at = 0; at < 16; at++) if (this.node.leads(COORDINATORS, at)) count++;
    return count;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.node.stop();
    this.chain.close();
    await this.topics.stop();
    this.metadata.crash();
  }
}
