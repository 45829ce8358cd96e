/** The rooms that handlers may call; broker.ts fills it. */
import type { Config } from "../config/config.ts";
import type { GroupCoordinator } from "../groups/coordinator.ts";
import type { FollowedLogs } from "../cluster/followed_logs.ts";
import type { LogManager } from "../log/log_manager.ts";
import type { ProducerIds } from "../metadata/producer_ids.ts";
import type { TopicRegistry } from "../metadata/topics.ts";
import type { Runtime, Semaphore } from "../runtime/mod.ts";
import type { Referrals } from "./fetch/referrals.ts";
import type { FetchSessions } from "./fetch/sessions.ts";

/** Who the cluster is, as Metadata, DescribeCluster and FindCoordinator tell it. */
export interface ClusterView {
  readonly clusterId: string;
  /** This broker's node id. */
  readonly brokerId: number;
  readonly controllerId: number;
  /** Live brokers with their advertised addresses, ascending by id. */
  brokers(): readonly BrokerInfo[];
  /** Node id of the partition's leader and its epoch; leader -1 when there is none now. */
  leader(topicId: string, partition: number): { leaderId: number; leaderEpoch: number };
  /** Whether nobody has led the partition yet: it was made a moment ago. */
  isNew(topicId: string, partition: number): boolean;
  /** Brokers that serve reads of it besides its leader: one of each other rack (KIP-392). */
  readReplicas(topicId: string, partition: number): readonly number[];
  /** The one of them in the reader's rack; -1: the leader is as near, or nobody is there. */
  readReplica(topicId: string, partition: number, rack: string): number;
  /** Node id of the group's coordinator; -1 when there is none now. */
  coordinator(groupId: string): number;
  /** Whether partitions can be moved between brokers; else this one leads all of them. */
  readonly shared: boolean;
  /** Whether partitions may be moved to the broker: it lives and doesn't drain. */
  canLead(brokerId: number): boolean;
  placement(topicId: string, partition: number): Placement;
  /**
   * Partition index → the broker that shall lead it, or null: the one that does. Resolves when that
   * is stored, not when it is done; rejects with a MetadataError.
   */
  prefer(topicId: string, wanted: ReadonlyMap<number, number | null>): Promise<void>;
}

/** Where a partition's leadership is, and where it is going. */
export interface Placement {
  /** The broker that has taken the partition and lives; -1: none. */
  readonly ownerId: number;
  /** The broker that an operator asked for; -1: none. */
  readonly preferredId: number;
  /** The preferred broker, while it can lead and doesn't yet. */
  readonly movingTo: number | undefined;
}

export interface BrokerInfo {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

export interface Rooms {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly cluster: ClusterView;
  readonly topics: TopicRegistry;
  readonly logs: LogManager;
  /** Partitions of other leaders, for readers of this broker's rack; undefined without a rack. */
  readonly followed: Pick<FollowedLogs, "open" | "count" | "chains" | "stats"> | undefined;
  readonly groups: GroupCoordinator;
  readonly producerIds: ProducerIds;
  readonly fetchSessions: FetchSessions;
  readonly referrals: Referrals;
  /** Bytes fetched and not yet sent: `new Semaphore(FETCH_BYTES_IN_FLIGHT_MAX)`. */
  readonly fetchBytes: Semaphore;
}
