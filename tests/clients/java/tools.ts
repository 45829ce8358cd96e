/** Kafka's command-line tools, each by the name of its script without "kafka-" and ".sh". */

const TOOLS = "org.apache.kafka.tools";

/** Script name to main class. */
export const TOOL_CLASSES = {
  "acls": `${TOOLS}.AclCommand`,
  "broker-api-versions": `${TOOLS}.BrokerApiVersionsCommand`,
  "cluster": `${TOOLS}.ClusterTool`,
  "configs": "kafka.admin.ConfigCommand",
  "console-consumer": `${TOOLS}.consumer.ConsoleConsumer`,
  "console-producer": `${TOOLS}.ConsoleProducer`,
  "console-share-consumer": `${TOOLS}.consumer.ConsoleShareConsumer`,
  "consumer-groups": `${TOOLS}.consumer.group.ConsumerGroupCommand`,
  "consumer-perf-test": `${TOOLS}.ConsumerPerformance`,
  "delete-records": `${TOOLS}.DeleteRecordsCommand`,
  "e2e-latency": `${TOOLS}.EndToEndLatency`,
  "features": `${TOOLS}.FeatureCommand`,
  "get-offsets": `${TOOLS}.GetOffsetShell`,
  "groups": `${TOOLS}.GroupsCommand`,
  "leader-election": `${TOOLS}.LeaderElectionCommand`,
  "log-dirs": `${TOOLS}.LogDirsCommand`,
  "producer-perf-test": `${TOOLS}.ProducerPerformance`,
  "reassign-partitions": `${TOOLS}.reassign.ReassignPartitionsCommand`,
  "share-groups": `${TOOLS}.consumer.group.ShareGroupCommand`,
  "topics": `${TOOLS}.TopicCommand`,
  "transactions": `${TOOLS}.TransactionsCommand`,
  "verifiable-consumer": `${TOOLS}.VerifiableConsumer`,
  "verifiable-producer": `${TOOLS}.VerifiableProducer`,
} as const;

export type Tool = keyof typeof TOOL_CLASSES;
