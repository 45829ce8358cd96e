/**
 * Puts the rooms together: `createBroker(options)` recovers, then serves until `stop`. Everything
 * non-deterministic comes in through `options.runtime`, the store and the metadata store.
 */
import { type BrokerDrivers, clusterNode, logContext, walChain } from "./broker_parts.ts";
import { advertisedAddress, type Config } from "./config/mod.ts";
import { FETCH_BYTES_IN_FLIGHT_MAX } from "./config/limits.ts";
import { logHoldings } from "./cluster/log_holdings.ts";
import { type ClusterNode, FencedError } from "./cluster/node.ts";
import { adopt, checkAlone, type Incarnation, join, recover } from "./cluster/recovery.ts";
import { singleNode } from "./cluster/single_node.ts";
import { GroupCoordinator } from "./groups/coordinator.ts";
import { shardOf } from "./groups/shards.ts";
import { handlers } from "./handlers/mod.ts";
import { Referrals } from "./handlers/fetch/referrals.ts";
import { FetchSessions } from "./handlers/fetch/sessions.ts";
import type { BrokerInfo, Rooms } from "./handlers/rooms.ts";
import { Housekeeping } from "./log/housekeeping.ts";
import { Logs } from "./log/logs.ts";
import { WalLedger } from "./log/wal_ledger.ts";
import { raiseLowWater } from "./metadata/brokers.ts";
import { identify } from "./metadata/metadata_check.ts";
import type { MetadataStore } from "./metadata/metadata_store.ts";
import { ProducerIds } from "./metadata/producer_ids.ts";
import { SeenMetadata } from "./metadata/seen_metadata.ts";
import { TopicRegistry } from "./metadata/topics.ts";
import type { Backups, BrokerView } from "./plugin/broker_view.ts";
import { type ServingParts, viewOf } from "./plugin/view.ts";
import { invariant } from "./runtime/assert.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { Semaphore } from "./runtime/semaphore.ts";
import { createServer, type Server } from "./server/server.ts";
import { GuardedStore, type StoreView } from "./storage/guarded_store.ts";
import { healthSettings } from "./storage/health_settings.ts";
import type { ObjectStore } from "./storage/object_store.ts";
import { type RecordMemory, recordMemory } from "./storage/record_memory.ts";
import { checkReadable, checkStore } from "./storage/store_check.ts";
import type { Commit, WalObject } from "./storage/wal/commit.ts";
import type { WalChain } from "./storage/wal/chain.ts";
import { keepForReads } from "./storage/wal/keep_for_reads.ts";
import type { Slabs } from "./storage/wal/slab_pool.ts";

export interface BrokerOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly metadata: MetadataStore;
  /** Where copies of the metadata go; left out: into `store`. */
  readonly backups?: Pick<Backups, "store" | "prepare"> | undefined;
  /** Other brokers share store and metadata; left out: what the settings say. */
  readonly clustered?: boolean;
  /** Of the program, for the view. */
  readonly version?: string;
  /** The broker cannot go on (fenced, broken invariant): the process should end. */
  readonly onFatal?: (error: unknown) => void;
}

export interface Broker {
  /** Where it listens. */
  readonly host: string;
  readonly port: number;
  readonly clusterId: string;
  /** Figures and health of the object store. */
  readonly storeView: StoreView;
  /** What plugins see; the same one every time. */
  view(): BrokerView;
  /** Begins to stop: gives away what it leads, accepts no connections, commits what is open. */
  drain(): Promise<void>;
  /** Drains, closes connections, and ends all background work. Drivers stay open. Idempotent. */
  stop(): Promise<void>;
  /** Stops at once: gives nothing away, and fails what is open and every request in flight. */
  kill(): Promise<void>;
}

/** Recovers and serves; rejects with one sentence where the broker must not start (I12). */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  const broker = new BrokerProcess(options);
  try {
    await broker.start();
  } catch (error) {
    await broker.stop();
    throw error;
  }
  return broker;
}

class BrokerProcess implements Broker {
  host = "";
  port = 0;
  clusterId = "";
  readonly #abort = new AbortController();
  readonly #stopping: (() => Promise<void> | void)[] = [];
  readonly #store: GuardedStore;
  readonly #metadata: SeenMetadata;
  readonly #startedAtMs: number;
  #chain: WalChain | undefined;
  #server: Server | undefined;
  #node: ClusterNode | undefined;
  /** Other brokers share store and metadata. */
  readonly #clustered: boolean;
  /** Set: stops, and has until then. */
  #stopByMs: number | undefined;
  /** Set once it serves. */
  #parts: ServingParts | undefined;
  #view: BrokerView | undefined;
  #stopped: Promise<void> | undefined;
  #killed = false;

  constructor(readonly options: BrokerOptions) {
    const { config, runtime, store } = options;
    const { namespace, brokerId } = config;
    const health = healthSettings(config);
    this.#clustered = options.clustered ?? config.cluster !== false;
    this.#store = new GuardedStore({
      runtime,
      store,
      namespace,
      brokerId,
      health,
      readOnly: config.readOnly,
    });
    this.#metadata = new SeenMetadata(options.metadata);
    this.#startedAtMs = runtime.clock.wallMs();
    this.#stopping.push(() => this.#store.stop());
  }

  get #drivers(): BrokerDrivers {
    const { config, runtime } = this.options;
    const signal = this.#abort.signal;
    return { config, runtime, metadata: this.#metadata, store: this.#store, signal };
  }

  get storeView(): StoreView {
    return this.#store;
  }

  async start(): Promise<void> {
    const { config, runtime } = this.options;
    const metadata = this.#metadata;
    const { patient: store } = this.#store;
    const { namespace, brokerId } = config;
    const signal = this.#abort.signal;
    void metadata.failed?.then((error) => this.#fatal(error));
    if (config.readOnly) await checkReadable(runtime, store, namespace, signal);
    else await checkStore(runtime, store, namespace, brokerId, signal);
    this.clusterId = await identify(metadata, runtime, config.clusterId);
    const topics = new TopicRegistry({ runtime, store: metadata, config });
    await topics.start();
    this.#stopping.push(() => topics.stop());
    const base = { runtime, store, metadata, topics, namespace, brokerId, signal };
    if (!this.#clustered) await checkAlone(metadata, brokerId);
    const incarnation = this.#clustered ? await join(base, config.readOnly) : await recover(base);
    const { cache, commits, work } = this.#openMemory();
    const ledger = new WalLedger({
      runtime,
      store,
      raiseLowWater: (slot) => raiseLowWater(metadata, brokerId, incarnation.brokerEpoch, slot),
      forget: (key) => cache.invalidate(key),
      signal,
    });
    const chain = this.#openChain(incarnation, commits, (object, commit) => {
      ledger.addOwn(object);
      keepForReads(cache, object, commit);
    });
    const node = this.#joinCluster(topics, incarnation.brokerEpoch);
    if (node === undefined) {
      await adopt(base, incarnation, chain);
      for (const object of incarnation.recovered.objects) ledger.addAdopted(object);
    }

    const context = logContext(this.#drivers, cache, chain, work, node);
    const logs = new Logs(context, topics, incarnation.recovered, node?.leads.bind(node));
    const housekeeping = new Housekeeping({
      context,
      logs,
      topics,
      ledger,
      walBytes: config.walBytes,
      walAgeMs: config.compactionIntervalMs,
      retentionCheckMs: config.retentionCheckIntervalMs,
      orphanSweepMs: config.orphanSweepIntervalMs,
      ownsChains: node === undefined && !incarnation.keeping,
    });
    topics.onChange((change) => {
      if (change.type !== "deleted") return logs.changed(change.topic);
      if (!config.readOnly) housekeeping.resumeDeletions();
      this.#store.calls.trim(topics);
    });
    node?.follow(context, chain.options.spacingMs);
    const { rooms, server } = await this.#serve(topics, logs, node);
    if (!config.readOnly) housekeeping.start();
    const { brokerEpoch } = incarnation;
    this.#parts = { rooms, server, logs, chain, cache, ledger, housekeeping, brokerEpoch, node };
    this.#stopping.push(() => logs.close());
    this.#stopping.push(() => housekeeping.stop());
    if (node !== undefined) {
      this.#stopping.push(() => node.stop());
      await node.start(logHoldings(logs, chain, rooms.groups.shards!));
    }
  }

  #openMemory(): RecordMemory {
    return recordMemory({
      runtime: this.options.runtime,
      store: this.#store.gated,
      capacityBytes: this.options.config.cacheBytes,
      commitBytes: () => this.#chain?.bufferBytes ?? 0,
      frameBytes: () => this.#server?.bufferBytes() ?? 0,
      storeBytes: () => this.options.store.heldBytes ?? 0,
    });
  }

  /** Undefined where this broker leads everything, because its metadata is its own. */
  #joinCluster(topics: TopicRegistry, brokerEpoch: number): ClusterNode | undefined {
    if (!this.#clustered) return undefined;
    const address = () => this.#address();
    const fenced = () => this.#fatal(new FencedError());
    return this.#node = clusterNode(this.#drivers, topics, brokerEpoch, address, fenced);
  }

  #address(): BrokerInfo {
    const { config } = this.options;
    const { host, port } = advertisedAddress(config, { host: this.host, port: this.port });
    return { nodeId: config.brokerId, host, port, rack: config.rack };
  }

  #openChain(
    incarnation: Incarnation,
    pool: Slabs,
    onCommitted: (object: WalObject, commit: Commit) => void,
  ): WalChain {
    const onFenced = () => this.#fatal(new FencedError());
    const chain = walChain(this.#drivers, incarnation, pool, onCommitted, onFenced);
    this.#chain = chain;
    this.#stopping.push(() => chain.close());
    return chain;
  }

  async #serve(
    topics: TopicRegistry,
    logs: Logs,
    node: ClusterNode | undefined,
  ): Promise<{ rooms: Rooms; server: Server }> {
    const { config, runtime } = this.options;
    const metadata = this.#metadata;
    const sharded = node !== undefined;
    const groups = new GroupCoordinator({
      runtime,
      metadata,
      topics,
      settings: config,
      sharded,
    });
    await groups.start();
    this.#stopping.push(() => groups.stop());
    const rooms: Rooms = {
      config,
      runtime,
      cluster: node?.view(this.clusterId, shardOf) ??
        singleNode(this.clusterId, () => this.#address()),
      topics,
      logs,
      followed: node?.followed,
      groups,
      producerIds: new ProducerIds(metadata),
      referrals: new Referrals(runtime.clock),
      fetchSessions: new FetchSessions(runtime, config.fetchSessions),
      fetchBytes: new Semaphore(FETCH_BYTES_IN_FLIGHT_MAX),
    };
    const onFatal = (error: unknown) => this.#fatal(error);
    const server = this.#server = createServer({ runtime, config, rooms, handlers, onFatal });
    const { host, port } = await server.start();
    this.host = host;
    this.port = port;
    runtime.log.info(`broker listening on ${host}:${port}`, {
      brokerId: config.brokerId,
      clusterId: this.clusterId,
    });
    return { rooms, server };
  }

  #fatal(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.options.runtime.log.error("the broker cannot go on", { error });
    this.#chain?.close();
    this.options.onFatal?.(error);
  }

  view(): BrokerView {
    if (this.#view !== undefined) return this.#view;
    invariant(this.#parts !== undefined, "a broker is looked at before it serves");
    const { view, end } = viewOf({
      ...this.#parts,
      store: this.#store,
      metadata: this.#metadata,
      backups: this.options.backups,
      version: this.options.version ?? "unknown",
      startedAtMs: this.#startedAtMs,
      stopping: () => this.#stopByMs !== undefined,
    });
    this.#stopping.push(end);
    return this.#view = view;
  }

  async drain(): Promise<void> {
    const leftMs = this.#stopMs();
    await this.#node?.drain(leftMs);
    this.#server?.stopAccepting();
    await this.#chain?.flush();
  }

  /** What is left of the time that a stop may take, which begins with the first call. */
  #stopMs(): number {
    const { config: { drainTimeoutMs }, runtime: { clock } } = this.options;
    this.#stopByMs ??= clock.monotonicMs() + drainTimeoutMs;
    return Math.max(0, this.#stopByMs - clock.monotonicMs());
  }

  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  kill(): Promise<void> {
    this.#killed = true;
    this.#stopByMs = this.options.runtime.clock.monotonicMs();
    this.#chain?.close();
    return this.stop();
  }

  async #stop(): Promise<void> {
    const late = this.options.runtime.timers.after(this.#stopMs(), () => this.#chain?.close());
    if (!this.#killed) await this.drain();
    await this.#server?.close(this.#stopMs());
    // What arrived during the drain and waits for no answer (acks=0).
    await this.#chain?.flush();
    late.cancel();
    this.#abort.abort();
    for (const stop of this.#stopping.reverse()) await stop();
  }
}
