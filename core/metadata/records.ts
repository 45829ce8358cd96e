/**
 * The messages of package `kafscale.metadata` that the broker stores, field for field those of
 * docs/formats/metadata.proto (a test holds the two equal). Compatibility-sensitive: field numbers
 * and kinds are for ever. Numbers 1 to 15 of TopicConfig and BrokerRegistration are KafScale's own.
 */
import type { RecordType } from "./envelope.ts";
import { message, repeated, scalar, stringMap } from "./protobuf.ts";

export const TOPIC_CONFIG = {
  kind: 1,
  schema: message("TopicConfig", {
    name: scalar(1, "string"),
    partitions: scalar(2, "int32"),
    replication_factor: scalar(3, "int32"),
    retention_ms: scalar(4, "int64"),
    retention_bytes: scalar(5, "int64"),
    segment_bytes: scalar(6, "int64"),
    created_at: scalar(7, "string"),
    config: stringMap(8),
    topic_id: scalar(16, "string"),
    directory: scalar(17, "string"),
  }),
} as const satisfies RecordType;

export const TOPIC_NAME_USED = {
  kind: 2,
  schema: message("TopicNameUsed", {
    name: scalar(1, "string"),
    last_topic_id: scalar(2, "string"),
  }),
} as const satisfies RecordType;

export const TOPIC_DELETION = {
  kind: 3,
  schema: message("TopicDeletion", {
    name: scalar(1, "string"),
    topic_id: scalar(2, "string"),
    directory: scalar(3, "string"),
    partitions: scalar(4, "int32"),
    swept_at_ms: scalar(5, "int64"),
  }),
} as const satisfies RecordType;

export const CLUSTER_IDENTITY = {
  kind: 4,
  schema: message("ClusterIdentity", { cluster_id: scalar(1, "string") }),
} as const satisfies RecordType;

const WAL_CHAIN = message("WalChain", {
  epoch: scalar(1, "int64"),
  low_water_slot: scalar(2, "int64"),
  keep_unknown: scalar(3, "bool"),
  clustered: scalar(4, "bool"),
});

export const BROKER_CHAINS = {
  kind: 5,
  schema: message("BrokerChains", {
    last_epoch: scalar(1, "int64"),
    chains: repeated(2, WAL_CHAIN),
  }),
} as const satisfies RecordType;

const CHAIN_REFERENCE = message("ChainReference", {
  broker_id: scalar(1, "int32"),
  broker_epoch: scalar(2, "int64"),
});

const PARTITION_ASSIGNMENT = message("PartitionAssignment", {
  target: scalar(1, "int32"),
  preferred: scalar(2, "int32"),
  leader_epoch: scalar(3, "int32"),
  owner: repeated(4, CHAIN_REFERENCE),
  sources: repeated(5, CHAIN_REFERENCE),
});

/** Who leads a topic's partitions, by index (docs/decisions/0008). */
export const TOPIC_ASSIGNMENT = {
  kind: 8,
  schema: message("TopicAssignment", {
    topic_id: scalar(1, "string"),
    partitions: repeated(2, PARTITION_ASSIGNMENT),
  }),
} as const satisfies RecordType;

export const CONTROLLER = {
  kind: 9,
  schema: message("Controller", {
    broker_id: scalar(1, "int32"),
    broker_epoch: scalar(2, "int64"),
  }),
} as const satisfies RecordType;

/** How often metadata was restored; `next`: the generation that is being entered. */
export const METADATA_GENERATION = {
  kind: 10,
  schema: message("MetadataGeneration", {
    generation: scalar(1, "int64"),
    restored: scalar(2, "bool"),
    next: scalar(3, "int64"),
  }),
} as const satisfies RecordType;

export const BROKER_REGISTRATION = {
  kind: 6,
  schema: message("BrokerRegistration", {
    broker_id: scalar(1, "string"),
    host: scalar(2, "string"),
    port: scalar(3, "int32"),
    rack: scalar(4, "string"),
    started_at: scalar(5, "string"),
    last_heartbeat: scalar(6, "string"),
    version: scalar(7, "string"),
    epoch: scalar(16, "int64"),
    draining: scalar(17, "bool"),
    read_only: scalar(18, "bool"),
  }),
} as const satisfies RecordType;

export const PRODUCER_ID_COUNTER = {
  kind: 7,
  schema: message("ProducerIdCounter", { next_id: scalar(1, "int64") }),
} as const satisfies RecordType;

/**
 * Head of a group: what every write of the group compares and puts. `writer` and `sequence` name
 * the write: one with a lost reply can be told from a rival's. Numbers to 6 are KafScale's own.
 */
export const CONSUMER_GROUP = {
  kind: 16,
  schema: message("ConsumerGroup", {
    group_id: scalar(1, "string"),
    state: scalar(2, "string"),
    protocol_type: scalar(3, "string"),
    protocol: scalar(4, "string"),
    leader: scalar(5, "string"),
    generation_id: scalar(6, "int32"),
    state_since: scalar(16, "string"),
    writer: scalar(17, "string"),
    sequence: scalar(18, "int64"),
  }),
} as const satisfies RecordType;

const CONSUMER_GROUP_MEMBER = message("ConsumerGroupMember", {
  client_id: scalar(1, "string"),
  client_host: scalar(2, "string"),
  member_id: scalar(16, "string"),
  is_static: scalar(17, "bool"),
  instance_id: scalar(18, "string"),
  session_timeout_ms: scalar(19, "int32"),
  rebalance_timeout_ms: scalar(20, "int32"),
  metadata: scalar(21, "bytes"),
  assignment: scalar(22, "bytes"),
});

/** Members of the last stored generation; written with the head, never alone. */
export const CONSUMER_GROUP_MEMBERS = {
  kind: 17,
  schema: message("ConsumerGroupMembers", { members: repeated(1, CONSUMER_GROUP_MEMBER) }),
} as const satisfies RecordType;

/** Numbers to 4 are KafScale's own. `expires_at_ms` 0: by the broker's retention. */
export const COMMITTED_OFFSET = {
  kind: 18,
  schema: message("CommittedOffset", {
    offset: scalar(1, "int64"),
    metadata: scalar(2, "string"),
    committed_at: scalar(3, "string"),
    leader_epoch: scalar(4, "int32"),
    topic_id: scalar(16, "string"),
    expires_at_ms: scalar(17, "int64"),
  }),
} as const satisfies RecordType;

/** For the test that compares them with the .proto. */
export const RECORD_TYPES: readonly RecordType[] = [
  TOPIC_CONFIG,
  TOPIC_NAME_USED,
  TOPIC_DELETION,
  CLUSTER_IDENTITY,
  BROKER_CHAINS,
  TOPIC_ASSIGNMENT,
  CONTROLLER,
  METADATA_GENERATION,
  BROKER_REGISTRATION,
  PRODUCER_ID_COUNTER,
  CONSUMER_GROUP,
  CONSUMER_GROUP_MEMBERS,
  COMMITTED_OFFSET,
];
