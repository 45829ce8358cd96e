/**
 * What a plugin sees of the broker that it runs in: reads, and the few actions that operators need.
 * Figures are live objects and plain numbers; reading them costs nothing until somebody reads, and
 * whoever turns them into a format does so at its own time. Numbers only grow where their name says
 * what happened; where it says what is, they go up and down.
 */
import type { Config } from "../config/mod.ts";
import type { BlockCacheStats } from "../storage/block_cache.ts";
import type { DirectoryCalls } from "../storage/calls_by_directory.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import type { StoreView } from "../storage/guarded_store.ts";
import type { ChainStats } from "../storage/wal/chain_stats.ts";
import type { Distribution } from "../runtime/mod.ts";
import type { FollowedStats } from "../cluster/followed_logs.ts";
import type { ReferralStats } from "../handlers/fetch/referrals.ts";
import type { BrokerInfo } from "../handlers/rooms.ts";
import type { HousekeepingStats } from "../log/housekeeping.ts";
import type { TopicTraffic } from "../log/topic_traffic.ts";
import type { ApiStats } from "../server/api_stats.ts";
import type { ConnectionView } from "../server/connection.ts";
import type { ServerStats } from "../server/server.ts";

export interface BrokerView {
  readonly identity: BrokerIdentity;
  /** The brokers of the cluster that are alive, and who controls it. */
  cluster(): ClusterMembers;
  /** Milliseconds since the broker began to start. */
  uptimeMs(): number;
  /** Effective settings; secrets read "(secret)". */
  readonly config: Readonly<Record<keyof Config, unknown>>;
  /** Whether it can serve clients now, and what of it is missing. */
  readiness(): Readiness;
  readonly figures: Figures;
  /** Figures and health of the object store. */
  readonly store: StoreView;
  /** Hears of every measurement of how late the event loop is; returns what ends that. */
  onLoopDelay(listener: (delayMs: number) => void): () => void;

  /** All topics, by name. */
  topics(): TopicView[];
  topic(name: string): TopicView | undefined;
  /**
   * The topic's partitions `[from, to)` that exist; those that this broker leads are loaded from
   * the store where they were not in use.
   */
  partitions(topic: TopicView, from: number, to: number): Promise<PartitionView[]>;
  /** All groups that this broker coordinates, by id; none while they are loading. */
  groups(): GroupView[];
  group(groupId: string): GroupView | undefined;
  members(groupId: string): MemberView[];
  /**
   * Lag of every partition that the group has committed; undefined when its offsets cannot be read.
   * Looks at partitions and offsets that are in memory, and loads `loadsMax` others at most: lag is
   * null for what is left.
   */
  lag(groupId: string, loadsMax: number): Promise<LagView | undefined>;
  connections(): readonly ConnectionView[];

  /**
   * Commits what is open and rewrites the whole write-ahead log into segments; who calls while one
   * is under way shares it. Rejects with a sentence when it cannot.
   */
  flush(): Promise<FlushOutcome>;

  state(): BrokerState;
  /**
   * Gives the leadership of everything to other brokers, for at most `timeoutMs`
   * (KAFSCALE_DRAIN_TIMEOUT_MS unless given; what is left then goes on moving), and takes no new
   * one until a restart. Clients are served on. Rejects with a sentence where nobody would take
   * over.
   */
  drain(timeoutMs?: number): Promise<DrainOutcome>;
  /**
   * Gives the leadership of these partitions to other brokers, which are preferred from then on;
   * resolves with those that are still led here after `timeoutMs`, and then go on moving. Rejects
   * with a sentence where one doesn't exist or nobody would take over.
   */
  giveAway(partitions: readonly PartitionName[], timeoutMs?: number): Promise<PartitionName[]>;

  /** Who leads each partition of the cluster, by topic; costs a look at all of them. */
  leaders(): Iterable<LeaderView>;
  /** Hears that topics, leaders or brokers may have changed; returns what ends that. */
  onLeaders(listener: () => void): () => void;

  readonly backups: Backups;
}

/** What copies of the cluster's metadata are made of, and where they go. */
export interface Backups {
  readonly namespace: string;
  readonly store: ObjectStore;
  /** Makes the bucket fit for them, as settings ask; before the first one. Idempotent. */
  prepare(): Promise<void>;
  /** A consistent copy of the metadata, as it is stored. */
  snapshot(): AsyncIterable<Uint8Array>;
  /** Whether this broker is the one of the cluster that makes them by itself: the controller. */
  readonly mine: boolean;
  /** How that goes, for metrics; null where it is not done here. */
  status: BackupStatus | null;
}

export interface BackupStatus {
  /** The last write to where they are kept was accepted. */
  readonly accessOk: boolean;
  /** Unix time in milliseconds of the newest one; null: there is none. */
  readonly newestMs: number | null;
  readonly staleAfterMs: number;
}

export interface PartitionName {
  readonly topic: string;
  readonly partition: number;
}

export interface LeaderView extends PartitionName {
  /** -1: nobody. */
  readonly leader: number;
  readonly leaderEpoch: number;
}

/**
 * `draining`: gives what it leads to other brokers; `drained`: leads nothing, and may be stopped;
 * `stopping`: accepts no connections and ends soon.
 */
export type BrokerState = "serving" | "draining" | "drained" | "stopping";

export interface BrokerIdentity {
  readonly brokerId: number;
  readonly clusterId: string;
  /** Of the broker's program. */
  readonly version: string;
  readonly rack: string | null;
  /** Where clients are told to connect. */
  readonly host: string;
  readonly port: number;
  /** Names this life of the broker id. */
  readonly brokerEpoch: number;
  readonly startedAtMs: number;
}

export interface ClusterMembers {
  /** -1: nobody now. */
  readonly controllerId: number;
  readonly brokers: readonly BrokerInfo[];
}

export interface Readiness {
  readonly ready: boolean;
  readonly checks: readonly ReadinessCheck[];
}

export interface ReadinessCheck {
  readonly name: "listener" | "leadership" | "log" | "groups";
  readonly ok: boolean;
  /** One clause: how it is. */
  readonly detail: string;
}

/** Live counters of every room. */
export interface Figures {
  /** By API, ascending by key. */
  readonly apis: readonly ApiStats[];
  readonly server: ServerStats;
  readonly chain: ChainStats;
  readonly cache: BlockCacheStats;
  readonly housekeeping: HousekeepingStats;
  /** Reading other leaders' chains, for readers of this broker's rack. */
  readonly following: FollowedStats;
  readonly referrals: ReferralStats;
  /** How late the event loop is. */
  readonly loopDelayMs: Distribution;
  /** What is in use now. */
  now(): Levels;
  /** Sums over all partitions that are loaded; costs a look at each. */
  logs(): LogTotals;
  /** Who leads; costs a look at every partition of the cluster. */
  leadership(): Leadership;
  /** Of the topics that were used since the start, in order of first use. */
  topics(): Iterable<TopicFigures>;
  /** Requests to the store for what all topics share: the write-ahead log. */
  readonly walCalls: DirectoryCalls;
}

export interface Levels {
  readonly connections: number;
  /** Bytes of large requests that are held, and their bound. */
  readonly requestBytes: number;
  readonly requestBytesMax: number;
  /** Bytes that were fetched and not yet sent, and their bound. */
  readonly fetchBytes: number;
  readonly fetchBytesMax: number;
  readonly fetchSessions: number;
  readonly fetchSessionPartitions: number;
  /** Partitions of other leaders that readers of this broker's rack read here, and their chains. */
  readonly followedPartitions: number;
  readonly followedChains: number;
  /** Bytes of record batches that are not committed yet, and the bound at which producers wait. */
  readonly uncommittedBytes: number;
  readonly uncommittedBytesMax: number;
  readonly commitsQueued: number;
  readonly commitsInFlight: number;
  /** Produce requests that wait for uncommitted bytes to become fewer. */
  readonly produceWaiting: number;
  readonly walObjects: number;
  readonly walBytes: number;
  readonly groups: number;
  readonly groupMembers: number;
  readonly topics: number;
  readonly partitions: number;
}

export interface Leadership {
  /** Partitions that this broker leads. */
  readonly led: number;
  /** Partitions that nobody leads. */
  readonly offline: number;
}

export interface TopicFigures {
  readonly topicId: string;
  readonly name: string;
  readonly traffic: TopicTraffic;
  /** Requests to the store for the topic's own objects. */
  readonly calls: DirectoryCalls;
}

export interface LogTotals {
  readonly partitionsLoaded: number;
  readonly segments: number;
  readonly segmentBytes: number;
  /** Committed batches that no segment holds yet; those of partitions not loaded yet included. */
  readonly unrewrittenBytes: number;
  /** Bytes in segments and in the write-ahead log, by topic id. */
  readonly storedBytes: ReadonlyMap<string, number>;
}

export interface TopicView {
  readonly name: string;
  readonly topicId: string;
  readonly partitionCount: number;
  /** What the topic sets itself. */
  readonly configs: Readonly<Record<string, string>>;
  /** First part of its object keys. */
  readonly directory: string;
}

export interface PartitionView {
  readonly partition: number;
  /** -1: nobody leads it now. */
  readonly leader: number;
  readonly leaderEpoch: number;
  /** Null where another broker leads it, or where it cannot be loaded now. */
  readonly log: PartitionLogView | null;
}

export interface PartitionLogView {
  readonly logStartOffset: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logEndOffset: number;
  readonly segments: number;
  readonly segmentBytes: number;
  /** In the write-ahead log and in no segment yet. */
  readonly walBytes: number;
  readonly producers: number;
}

export interface GroupView {
  readonly groupId: string;
  readonly type: "classic";
  readonly state: string;
  readonly protocolType: string | null;
  readonly protocol: string | null;
  readonly generationId: number;
  readonly members: number;
}

export interface MemberView {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
}

export interface LagView {
  readonly partitions: readonly PartitionLag[];
  /** How many were loaded for it. */
  readonly loads: number;
}

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  readonly committedOffset: number;
  readonly committedAtMs: number;
  /** Null where the partition was not loaded, or is led by another broker. */
  readonly highWatermark: number | null;
  readonly lag: number | null;
}

export interface FlushOutcome {
  readonly segments: number;
  readonly rewrittenBytes: number;
  readonly tookMs: number;
}

export interface DrainOutcome {
  /** Partitions and coordinator shards that others lead now. */
  readonly moved: number;
  /** Those that are still led here. */
  readonly left: number;
  readonly tookMs: number;
}
