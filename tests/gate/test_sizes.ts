/**
 * What tests take, and which of them everyday runs leave to CI. Only the order and the company in
 * which files run follow from the figures: a wrong one costs time, nothing else.
 */

/**
 * Files that run by themselves: seconds, and processors kept busy meanwhile, on two cores. The
 * others are quick, and those of a folder run together.
 */
export const SIZES: Readonly<Record<string, readonly [seconds: number, cores: number]>> = {
  "tests/clients/cluster_test.ts": [47, 0.7],
  "tests/metadata/etcd_outage_test.ts": [47, 0.1],
  "tests/faults/broker_faults_test.ts": [44, 0.7],
  "tests/faults/cluster_faults_test.ts": [43, 0.8],
  "tests/docs/docs_test.ts": [41, 0.9],
  "tests/bench/java_smoke_test.ts": [27, 0.8],
  "tests/bench/smoke_test.ts": [25, 0.8],
  "tests/clients/cluster_outage_test.ts": [37, 1.5],
  "tests/clients/etcd_test.ts": [37, 0.2],
  "tests/cli/kafka_tool_on_kafka_test.ts": [20, 1.1],
  "tests/cli/kafka_tool_test.ts": [15, 1.1],
  "tests/deploy/monitoring_test.ts": [34, 0.2],
  "tests/simulation/simulation_test.ts": [31, 1.0],
  "tests/cli/probe_test.ts": [31, 0.7],
  "tests/cluster/recovery_calls_test.ts": [29, 1.3],
  "tests/metadata/etcd_driver_test.ts": [25, 0.2],
  "tests/storage/s3/faults_test.ts": [24, 0.3],
  "tests/storage/minio/faults_test.ts": [23, 0.3],
  "tests/clients/kill9_test.ts": [22, 1.1],
  "tests/cli/fsck_test.ts": [21, 0.5],
  "tests/cli/snapshot_test.ts": [18, 0.7],
  "tests/simulation/cluster_simulation_test.ts": [18, 1.2],
  "tests/storage/s3/conformance_test.ts": [15, 1.3],
  "tests/cli/bench_test.ts": [13, 0.9],
  "tests/clients/kafka_tools_test.ts": [13, 0.5],
  "tests/storage/replica_read/conformance_test.ts": [12, 0.8],
  "tests/deploy/lost_store_test.ts": [12, 0.2],
  "tests/storage/minio/conformance_test.ts": [12, 1.1],
  "tests/storage/s3_wire/minio_test.ts": [11, 0.6],
  "tests/clients/racks_test.ts": [11, 0.5],
  "tests/clients/many_partitions_test.ts": [11, 0.4],
  "tests/clients/drain_test.ts": [10, 1.6],
  "tests/cli/groups_test.ts": [10, 1.2],
  "tests/metadata/etcd_metadata_test.ts": [10, 0.7],
  "tests/clients/librdkafka_node_test.ts": [9, 0.3],
  "tests/clients/restart_test.ts": [9, 0.4],
  "tests/clients/cluster_tools_test.ts": [8, 0.8],
  "tests/cli/top_test.ts": [8, 0.5],
  "tests/cli/broker_commands_test.ts": [7, 1.0],
  "tests/protocol/kafka_equality_test.ts": [7, 1.3],
  "tests/storage/s3_wire/wire_test.ts": [7, 0.1],
  "tests/storage/file/file_store_test.ts": [7, 1.1],
  "tests/cli/configs_test.ts": [7, 1.0],
  "tests/plugins/host_test.ts": [7, 0.2],
  "tests/storage/file/create_journal_test.ts": [7, 0.9],
  "tests/cli/laptop_cluster_test.ts": [7, 0.9],
  "tests/clients/abuse_test.ts": [7, 0.7],
  "tests/clients/kafkajs_test.ts": [6, 0.3],
  "tests/storage/probe_test.ts": [6, 0.2],
  "tests/plugins/snapshot_test.ts": [6, 0.1],
  "tests/clients/sarama_test.ts": [6, 0.2],
  "tests/clients/franz_go_test.ts": [6, 0.3],
  "tests/clients/java_test.ts": [5, 0.8],
  "tests/storage/example/sqlite_store_test.ts": [5, 0.6],
  "tests/clients/ops_page_test.ts": [4, 1.1],
  "tests/clients/platformatic_test.ts": [4, 0.5],
  "tests/protocol/records_test.ts": [4, 1.6],
  "tests/clients/kafka_python_test.ts": [4, 1.2],
  "tests/cli/completion_test.ts": [4, 0.5],
  "tests/server/connection_test.ts": [4, 1.0],
  "tests/cli/command_line_test.ts": [4, 0.8],
  "tests/clients/confluent_python_test.ts": [3, 0.5],
  "tests/storage/memory_store_test.ts": [3, 0.6],
  "tests/clients/satellite_test.ts": [3, 0.9],
  "tests/formats/interop_test.ts": [3, 0.5],
  "tests/clients/control_test.ts": [3, 1.2],
  "tests/log/model_test.ts": [3, 1.2],
  "tests/cli/bucket_start_test.ts": [3, 1.1],
  "tests/clients/kcat_test.ts": [3, 0.3],
  "tests/services/fault_proxy_test.ts": [3, 0.7],
  "tests/fuzz/smoke_test.ts": [3, 1.2],
};

/** Files of minutes that `deno task test` leaves to CI and `--all`, and what they are. */
export const LONG: Readonly<Record<string, string>> = {
  "tests/faults/broker_faults_test.ts": "a broker on MinIO through every outage, under load",
  "tests/faults/cluster_faults_test.ts": "kills and pauses of a cluster's processes, under load",
  "tests/clients/cluster_outage_test.ts": "a cluster under load while etcd is away",
  "tests/bench/java_smoke_test.ts": "the benches that Kafka's own tools drive",
  "tests/cli/kafka_tool_on_kafka_test.ts": "the command line on Apache Kafka itself",
};

/** Smaller budgets of everyday runs, by the variables that set them. */
export const EVERYDAY_BUDGETS: Readonly<Record<string, string>> = {
  KAFSCALE_TEST_KILLS: "4",
  KAFSCALE_TEST_SEGMENTS: "2000",
  KAFSCALE_TEST_LIST_KEYS: "2100",
  KAFSCALE_SIM_SECONDS: "6",
};
