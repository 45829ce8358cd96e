/** The rooms that handlers may call; broker.ts fills it. */
import type { Config } from "../config/config.ts";
import type { GroupCoordinator } from "../groups/coordinator.ts";
import type { LogManager } from "../log/log_manager.ts";
import type { ProducerIds } from "../metadata/producer_ids.ts";
import type { TopicRegistry } from "../metadata/topics.ts";
import type { Runtime, Semaphore } from "../runtime/mod.ts";
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
  /** Node id of the group's coordinator; -1 when there is none now. */
  coordinator(groupId: string): number;
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
  readonly groups: GroupCoordinator;
  readonly producerIds: ProducerIds;
  readonly fetchSessions: FetchSessions;
  /** Bytes fetched and not yet sent: `new Semaphore(FETCH_BYTES_IN_FLIGHT_MAX)`. */
  readonly fetchBytes: Semaphore;
}
