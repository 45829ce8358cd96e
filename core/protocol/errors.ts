/**
 * Every error code of the Kafka 4.1 protocol. `retriable` is what Java's client does by itself: the
 * same request, sent again, may succeed. Texts are what the broker's answers, logs and CLI print.
 */

/** name: [code, retriable, text]. */
const TABLE = {
  UNKNOWN_SERVER_ERROR: [-1, false, "the broker met an error it has no code for; see its log"],
  NONE: [0, false, "no error"],
  OFFSET_OUT_OF_RANGE: [
    1,
    false,
    "the offset is below the log start offset or above the log's end",
  ],
  CORRUPT_MESSAGE: [2, true, "a record batch has a wrong CRC, a wrong size or broken contents"],
  UNKNOWN_TOPIC_OR_PARTITION: [3, true, "this broker knows no such topic or partition"],
  INVALID_FETCH_SIZE: [4, false, "the fetch size is not valid"],
  LEADER_NOT_AVAILABLE: [5, true, "the partition has no leader at the moment"],
  NOT_LEADER_OR_FOLLOWER: [
    6,
    true,
    "this broker does not lead the partition, nor may it serve reads",
  ],
  REQUEST_TIMED_OUT: [7, true, "the request was not completed within its time limit"],
  BROKER_NOT_AVAILABLE: [8, false, "the broker is not available"],
  REPLICA_NOT_AVAILABLE: [9, true, "the wanted replica of the partition is not available"],
  MESSAGE_TOO_LARGE: [10, false, "a record batch is larger than max.message.bytes"],
  STALE_CONTROLLER_EPOCH: [11, false, "the sender is no longer the controller"],
  OFFSET_METADATA_TOO_LARGE: [12, false, "the metadata text of an offset commit is too long"],
  NETWORK_EXCEPTION: [13, true, "the connection ended before the response arrived"],
  COORDINATOR_LOAD_IN_PROGRESS: [14, true, "the coordinator is still loading its state"],
  COORDINATOR_NOT_AVAILABLE: [15, true, "no coordinator is available at the moment"],
  NOT_COORDINATOR: [16, true, "another broker is the coordinator"],
  INVALID_TOPIC_EXCEPTION: [17, false, "the topic's name is not valid, or the topic is internal"],
  RECORD_LIST_TOO_LARGE: [18, false, "the record batches do not fit a segment"],
  NOT_ENOUGH_REPLICAS: [19, true, "fewer replicas are in sync than min.insync.replicas"],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: [20, true, "appended, but on too few replicas in sync"],
  INVALID_REQUIRED_ACKS: [21, false, "acks must be -1, 0 or 1"],
  ILLEGAL_GENERATION: [22, false, "the generation is not the group's current one"],
  INCONSISTENT_GROUP_PROTOCOL: [23, false, "the member shares no protocol with its group"],
  INVALID_GROUP_ID: [24, false, "the group id is not valid"],
  UNKNOWN_MEMBER_ID: [25, false, "the group has no member of this id"],
  INVALID_SESSION_TIMEOUT: [
    26,
    false,
    "the session timeout is outside the bounds that the broker sets",
  ],
  REBALANCE_IN_PROGRESS: [27, false, "the group rebalances; the member must join again"],
  INVALID_COMMIT_OFFSET_SIZE: [28, false, "the offset commit is too large"],
  TOPIC_AUTHORIZATION_FAILED: [29, false, "the principal may not do this to the topic"],
  GROUP_AUTHORIZATION_FAILED: [30, false, "the principal may not do this to the group"],
  CLUSTER_AUTHORIZATION_FAILED: [31, false, "the principal may not do this to the cluster"],
  INVALID_TIMESTAMP: [
    32,
    false,
    "a record's timestamp is outside the range that the topic accepts",
  ],
  UNSUPPORTED_SASL_MECHANISM: [33, false, "the listener does not offer this SASL mechanism"],
  ILLEGAL_SASL_STATE: [34, false, "the request does not fit this point of the SASL exchange"],
  UNSUPPORTED_VERSION: [35, false, "the broker does not serve this version of the API"],
  TOPIC_ALREADY_EXISTS: [36, false, "a topic of this name exists already"],
  INVALID_PARTITIONS: [37, false, "the number of partitions is not valid"],
  INVALID_REPLICATION_FACTOR: [38, false, "the replication factor is below 1 or above the brokers"],
  INVALID_REPLICA_ASSIGNMENT: [39, false, "the replica assignment is not valid"],
  INVALID_CONFIG: [40, false, "a configuration has an unknown name or a value that is not allowed"],
  NOT_CONTROLLER: [41, true, "another node is the controller"],
  INVALID_REQUEST: [42, false, "the request's fields contradict each other or the protocol"],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [43, false, "records of this message format are not supported"],
  POLICY_VIOLATION: [44, false, "a policy of the cluster forbids the request"],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [
    45,
    false,
    "the batch does not follow the producer's last sequence",
  ],
  DUPLICATE_SEQUENCE_NUMBER: [
    46,
    false,
    "the batch repeats a sequence from before the remembered ones",
  ],
  INVALID_PRODUCER_EPOCH: [47, false, "the producer's epoch is not the newest of its id"],
  INVALID_TXN_STATE: [48, false, "the transaction's state does not allow the request"],
  INVALID_PRODUCER_ID_MAPPING: [
    49,
    false,
    "the producer id is not the transactional id's current one",
  ],
  INVALID_TRANSACTION_TIMEOUT: [50, false, "the transaction timeout is above the broker's maximum"],
  CONCURRENT_TRANSACTIONS: [51, true, "another change of the same transaction is still under way"],
  TRANSACTION_COORDINATOR_FENCED: [52, false, "the marker comes from a coordinator of the past"],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: [
    53,
    false,
    "the principal may not use the transactional id",
  ],
  SECURITY_DISABLED: [54, false, "the security feature is not enabled"],
  OPERATION_NOT_ATTEMPTED: [55, false, "not attempted, because another part of the request failed"],
  KAFKA_STORAGE_ERROR: [56, true, "the broker's storage failed"],
  LOG_DIR_NOT_FOUND: [57, false, "the broker has no such log directory"],
  SASL_AUTHENTICATION_FAILED: [58, false, "the credentials were refused"],
  UNKNOWN_PRODUCER_ID: [59, false, "the partition remembers nothing of the producer id"],
  REASSIGNMENT_IN_PROGRESS: [60, false, "the partition is being reassigned already"],
  DELEGATION_TOKEN_AUTH_DISABLED: [61, false, "delegation tokens are not enabled"],
  DELEGATION_TOKEN_NOT_FOUND: [62, false, "the delegation token does not exist"],
  DELEGATION_TOKEN_OWNER_MISMATCH: [63, false, "the principal neither owns nor renews the token"],
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: [
    64,
    false,
    "tokens need an authenticated, encrypted channel",
  ],
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: [65, false, "the principal may not do this to the token"],
  DELEGATION_TOKEN_EXPIRED: [66, false, "the delegation token has expired"],
  INVALID_PRINCIPAL_TYPE: [67, false, "the principal type is not supported"],
  NON_EMPTY_GROUP: [68, false, "the group still has members"],
  GROUP_ID_NOT_FOUND: [69, false, "the group does not exist"],
  FETCH_SESSION_ID_NOT_FOUND: [70, true, "the broker has no fetch session of this id"],
  INVALID_FETCH_SESSION_EPOCH: [71, true, "the fetch session's epoch is not the expected one"],
  LISTENER_NOT_FOUND: [72, true, "the leader has no listener of the name that the request came by"],
  TOPIC_DELETION_DISABLED: [73, false, "topics may not be deleted on this cluster"],
  FENCED_LEADER_EPOCH: [74, true, "the request's leader epoch is older than the partition's"],
  UNKNOWN_LEADER_EPOCH: [75, true, "the request's leader epoch is newer than this broker knows"],
  UNSUPPORTED_COMPRESSION_TYPE: [76, false, "the client's version cannot have this compression"],
  STALE_BROKER_EPOCH: [77, false, "the broker's epoch is not its current one"],
  OFFSET_NOT_AVAILABLE: [78, true, "a new leader's high watermark has not caught up yet"],
  MEMBER_ID_REQUIRED: [79, false, "join again with the member id of this response"],
  PREFERRED_LEADER_NOT_AVAILABLE: [80, true, "the preferred leader is not available"],
  GROUP_MAX_SIZE_REACHED: [81, false, "the group has as many members as it may have"],
  FENCED_INSTANCE_ID: [82, false, "another member has taken over the group instance id"],
  ELIGIBLE_LEADERS_NOT_AVAILABLE: [83, true, "no replica that may lead the partition is available"],
  ELECTION_NOT_NEEDED: [84, true, "the partition has the wanted leader already"],
  NO_REASSIGNMENT_IN_PROGRESS: [85, false, "the partition is not being reassigned"],
  GROUP_SUBSCRIBED_TO_TOPIC: [
    86,
    false,
    "the group is subscribed to the topic, so its offsets stay",
  ],
  INVALID_RECORD: [87, false, "a record does not satisfy the rules of its topic"],
  UNSTABLE_OFFSET_COMMIT: [88, true, "offsets of an open transaction are pending"],
  THROTTLING_QUOTA_EXCEEDED: [89, true, "the quota is used up; wait for the throttle time"],
  PRODUCER_FENCED: [90, false, "a newer producer uses the same transactional id"],
  RESOURCE_NOT_FOUND: [91, false, "the resource does not exist"],
  DUPLICATE_RESOURCE: [92, false, "the request names a resource twice"],
  UNACCEPTABLE_CREDENTIAL: [93, false, "the credential does not satisfy the rules"],
  INCONSISTENT_VOTER_SET: [94, false, "sender or receiver is not one of the expected voters"],
  INVALID_UPDATE_VERSION: [95, false, "the version of the update is not valid"],
  FEATURE_UPDATE_FAILED: [96, false, "the finalized features could not be updated"],
  PRINCIPAL_DESERIALIZATION_FAILURE: [97, false, "the forwarded principal cannot be read"],
  SNAPSHOT_NOT_FOUND: [98, false, "the snapshot does not exist"],
  POSITION_OUT_OF_RANGE: [99, false, "the position is outside the snapshot"],
  UNKNOWN_TOPIC_ID: [100, true, "this broker knows no topic of this id"],
  DUPLICATE_BROKER_REGISTRATION: [101, false, "the broker id is in use"],
  BROKER_ID_NOT_REGISTERED: [102, false, "no broker of this id is registered"],
  INCONSISTENT_TOPIC_ID: [103, true, "the log belongs to another topic id than the request's"],
  INCONSISTENT_CLUSTER_ID: [104, false, "the request is meant for another cluster"],
  TRANSACTIONAL_ID_NOT_FOUND: [105, false, "the transactional id is not known"],
  FETCH_SESSION_TOPIC_ID_ERROR: [106, true, "the fetch session mixes topic names and topic ids"],
  INELIGIBLE_REPLICA: [107, false, "a replica of the new in-sync set may not be in it"],
  NEW_LEADER_ELECTED: [108, false, "the change was made, and the leader has changed with it"],
  OFFSET_MOVED_TO_TIERED_STORAGE: [109, false, "the offset is in tiered storage only"],
  FENCED_MEMBER_EPOCH: [110, false, "the member's epoch is fenced; it must give up all and rejoin"],
  UNRELEASED_INSTANCE_ID: [111, false, "another member holds the instance id and must leave first"],
  UNSUPPORTED_ASSIGNOR: [112, false, "the group's coordinator does not have this assignor"],
  STALE_MEMBER_EPOCH: [113, false, "the member's epoch is old; heartbeat first, then try again"],
  MISMATCHED_ENDPOINT_TYPE: [114, false, "the request is for another type of endpoint"],
  UNSUPPORTED_ENDPOINT_TYPE: [115, false, "the endpoint type is not supported"],
  UNKNOWN_CONTROLLER_ID: [116, false, "no controller of this id is known"],
  UNKNOWN_SUBSCRIPTION_ID: [117, false, "the telemetry subscription is not valid or out of date"],
  TELEMETRY_TOO_LARGE: [118, false, "the telemetry push is larger than the broker accepts"],
  INVALID_REGISTRATION: [119, false, "the broker's registration is not valid"],
  TRANSACTION_ABORTABLE: [
    120,
    false,
    "the transaction failed and must be aborted; the id lives on",
  ],
  INVALID_RECORD_STATE: [121, false, "the record is not in a state that can be acknowledged"],
  SHARE_SESSION_NOT_FOUND: [122, true, "the broker has no such share session"],
  INVALID_SHARE_SESSION_EPOCH: [123, true, "the share session's epoch is not the expected one"],
  FENCED_STATE_EPOCH: [124, false, "the share group's state epoch is not the current one"],
  INVALID_VOTER_KEY: [125, false, "the voter key is not that of the receiving replica"],
  DUPLICATE_VOTER: [126, false, "the voter is in the set already"],
  VOTER_NOT_FOUND: [127, false, "the voter is not in the set"],
  INVALID_REGULAR_EXPRESSION: [128, false, "the regular expression is not valid"],
  REBOOTSTRAP_REQUIRED: [
    129,
    false,
    "the client's metadata is useless; start from the bootstrap servers",
  ],
  STREAMS_INVALID_TOPOLOGY: [130, false, "the streams topology is not valid"],
  STREAMS_INVALID_TOPOLOGY_EPOCH: [131, false, "the streams topology epoch is not valid"],
  STREAMS_TOPOLOGY_FENCED: [132, false, "the streams topology epoch is out of date"],
  SHARE_SESSION_LIMIT_REACHED: [133, true, "the broker has as many share sessions as it may have"],
} as const satisfies Record<string, readonly [code: number, retriable: boolean, text: string]>;

export type ErrorName = keyof typeof TABLE;

/** Code by Kafka's name: `ErrorCode.NOT_LEADER_OR_FOLLOWER` is 6. */
export const ErrorCode = Object.freeze(
  Object.fromEntries(Object.entries(TABLE).map(([name, row]) => [name, row[0]])),
) as { readonly [Name in ErrorName]: (typeof TABLE)[Name][0] };

/** One of Kafka's codes. */
export type ErrorCodeValue = (typeof ErrorCode)[ErrorName];

/** What is known of a code. */
export interface ErrorInfo {
  readonly code: number;
  readonly name: ErrorName;
  /** True when a client that sends the same request again may succeed. */
  readonly retriable: boolean;
  /** One clause, no period. */
  readonly text: string;
}

const BY_CODE = new Map<number, ErrorInfo>(
  Object.entries(TABLE).map(([name, [code, retriable, text]]) => [
    code,
    Object.freeze({ code, name: name as ErrorName, retriable, text }),
  ]),
);

/** The table's row for `code`; for a code that Kafka 4.1 doesn't have, UNKNOWN_SERVER_ERROR's. */
export function errorInfo(code: number): ErrorInfo {
  return BY_CODE.get(code) ?? BY_CODE.get(ErrorCode.UNKNOWN_SERVER_ERROR)!;
}

/** All rows, ascending by code. */
export function allErrors(): readonly ErrorInfo[] {
  return [...BY_CODE.values()];
}
