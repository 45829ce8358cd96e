/**
 * The one list of the APIs that this broker knows the bytes of. Which of them it serves, and so
 * advertises, is the list of handlers (core/handlers/mod.ts).
 */
import type { AnyApi } from "./api.ts";
import { produce } from "./messages/00_produce.ts";
import { fetch } from "./messages/01_fetch.ts";
import { listOffsets } from "./messages/02_list_offsets.ts";
import { metadata } from "./messages/03_metadata.ts";
import { offsetCommit } from "./messages/08_offset_commit.ts";
import { offsetFetch } from "./messages/09_offset_fetch.ts";
import { findCoordinator } from "./messages/10_find_coordinator.ts";
import { joinGroup } from "./messages/11_join_group.ts";
import { heartbeat } from "./messages/12_heartbeat.ts";
import { leaveGroup } from "./messages/13_leave_group.ts";
import { syncGroup } from "./messages/14_sync_group.ts";
import { describeGroups } from "./messages/15_describe_groups.ts";
import { listGroups } from "./messages/16_list_groups.ts";
import { saslHandshake } from "./messages/17_sasl_handshake.ts";
import { apiVersions } from "./messages/18_api_versions.ts";
import { createTopics } from "./messages/19_create_topics.ts";
import { deleteTopics } from "./messages/20_delete_topics.ts";
import { deleteRecords } from "./messages/21_delete_records.ts";
import { initProducerId } from "./messages/22_init_producer_id.ts";
import { offsetForLeaderEpoch } from "./messages/23_offset_for_leader_epoch.ts";
import { addPartitionsToTxn } from "./messages/24_add_partitions_to_txn.ts";
import { addOffsetsToTxn } from "./messages/25_add_offsets_to_txn.ts";
import { endTxn } from "./messages/26_end_txn.ts";
import { txnOffsetCommit } from "./messages/28_txn_offset_commit.ts";
import { describeAcls } from "./messages/29_describe_acls.ts";
import { describeConfigs } from "./messages/32_describe_configs.ts";
import { alterConfigs } from "./messages/33_alter_configs.ts";
import { describeLogDirs } from "./messages/35_describe_log_dirs.ts";
import { saslAuthenticate } from "./messages/36_sasl_authenticate.ts";
import { createPartitions } from "./messages/37_create_partitions.ts";
import { deleteGroups } from "./messages/42_delete_groups.ts";
import { electLeaders } from "./messages/43_elect_leaders.ts";
import { incrementalAlterConfigs } from "./messages/44_incremental_alter_configs.ts";
import { alterPartitionReassignments } from "./messages/45_alter_partition_reassignments.ts";
import { listPartitionReassignments } from "./messages/46_list_partition_reassignments.ts";
import { offsetDelete } from "./messages/47_offset_delete.ts";
import { describeCluster } from "./messages/60_describe_cluster.ts";
import { describeProducers } from "./messages/61_describe_producers.ts";
import { describeTransactions } from "./messages/65_describe_transactions.ts";
import { listTransactions } from "./messages/66_list_transactions.ts";
import { consumerGroupHeartbeat } from "./messages/68_consumer_group_heartbeat.ts";
import { consumerGroupDescribe } from "./messages/69_consumer_group_describe.ts";
import { describeTopicPartitions } from "./messages/75_describe_topic_partitions.ts";

/** Ascending by key. */
export const apis: readonly AnyApi[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  saslHandshake,
  apiVersions,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
  addPartitionsToTxn,
  addOffsetsToTxn,
  endTxn,
  txnOffsetCommit,
  describeAcls,
  describeConfigs,
  alterConfigs,
  describeLogDirs,
  saslAuthenticate,
  createPartitions,
  deleteGroups,
  electLeaders,
  incrementalAlterConfigs,
  alterPartitionReassignments,
  listPartitionReassignments,
  offsetDelete,
  describeCluster,
  describeProducers,
  describeTransactions,
  listTransactions,
  consumerGroupHeartbeat,
  consumerGroupDescribe,
  describeTopicPartitions,
];

const BY_KEY = new Map(apis.map((api) => [api.key, api]));

/** The API of a key, or undefined when its messages are not known here. */
export function apiByKey(key: number): AnyApi | undefined {
  return BY_KEY.get(key);
}
