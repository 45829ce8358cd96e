/**
 * The one table of settings. From a row follow: the environment variable (`walBytes` is
 * KAFSCALE_WAL_BYTES), the flag (`--wal-bytes`), the key in the file (`walBytes`), the `Config`
 * property, unknown-name suggestions, `kafscale config`, docs/configuration.md and the broker's
 * DescribeConfigs. Names that belong to later parts of the project are in later_settings.ts.
 */
import { COMMITS_PARALLEL_MAX, PROCESS_BROKERS_MAX } from "./limits.ts";
import {
  address,
  amounts,
  boolean,
  booleanOr,
  choice,
  integer,
  type Kind,
  list,
  objects,
  optional,
  orOff,
  share,
  size,
  text,
  trimmed,
} from "./kinds.ts";

export type Category =
  | "broker"
  | "storage"
  | "etcd"
  | "s3"
  | "cache"
  | "topics"
  | "groups"
  | "connections"
  | "operations"
  | "logging";

/** One row. */
export interface Setting<T = unknown> {
  readonly category: Category;
  readonly kind: Kind<T>;
  readonly default: T;
  /** `cluster`: must be the same on every broker. `topic`: a default that a topic may override. */
  readonly scope: "broker" | "cluster" | "topic";
  /** What it does, and what happens at its bound; one or two sentences. */
  readonly doc: string;
  /** First version that has it. */
  readonly since: string;
  /** Apache Kafka's name for the same thing, as DescribeConfigs answers it. */
  readonly kafka?: string;
  /** Never printed. */
  readonly secret?: true;
  /** Older environment names, read where the setting's own name is absent. */
  readonly aliases?: readonly string[];
}

type Row<T> = Omit<Setting<T>, "since" | "default"> & {
  readonly since?: string;
  readonly default: NoInfer<T>;
};

function row<T>(setting: Row<T>): Setting<T> {
  return { since: "0.1.0", ...setting };
}

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const DAY_MS = 86_400_000;
const INT32_MAX = 2 ** 31 - 1;

const HOST = text("a host name or IP address", /^[A-Za-z0-9]([A-Za-z0-9._-]*)$|^[0-9a-fA-F:.]+$/);
const ETCD_ENDPOINT = "(https?:\\/\\/)?([A-Za-z0-9._-]+|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}";
const ENDPOINTS = text(
  "HOST:PORT, http://HOST:PORT or https://HOST:PORT, several separated by commas",
  new RegExp(`^${ETCD_ENDPOINT}(,\\s*${ETCD_ENDPOINT})*$`),
);
const DRIVER = (names: string) =>
  text(
    `one of ${names}, or the path of a driver module (./my_driver.ts)`,
    /^[a-z][a-z0-9-]*$|^\.{0,2}\/|^file:|\.(ts|js|mjs)$/,
  );

const broker = {
  brokerId: row({
    category: "broker",
    kind: integer({ min: 0, max: INT32_MAX }),
    default: 0,
    scope: "broker",
    kafka: "broker.id",
    doc: "This broker's node id; unique in the cluster.",
  }),
  brokerAddr: row({
    category: "broker",
    kind: address(),
    default: ":9092",
    scope: "broker",
    doc: "Where to listen for Kafka clients. Port 0 takes any free port.",
  }),
  brokerHost: row({
    category: "broker",
    kind: optional(HOST),
    default: null,
    scope: "broker",
    doc:
      "Host name that clients are told to connect to. Unset: the host listened on, or 127.0.0.1 " +
      "when that is every interface; set it for clients on other machines.",
  }),
  brokerPort: row({
    category: "broker",
    kind: optional(integer({ min: 1, max: 65_535 })),
    default: null,
    scope: "broker",
    doc: "Port that clients are told to connect to. Unset: the port listened on.",
  }),
  rack: row({
    category: "broker",
    kind: optional(text("a name of up to 256 characters", /^\S{1,256}$/)),
    default: null,
    scope: "broker",
    kafka: "broker.rack",
    doc:
      "Rack or availability zone of this broker, as Metadata tells it. In a cluster the broker " +
      "serves reads of consumers with that `client.rack`, of partitions that others lead, too.",
  }),
  clusterId: row({
    category: "broker",
    kind: optional(text("1 to 64 letters, digits, _ or -", /^[A-Za-z0-9_-]{1,64}$/)),
    default: null,
    scope: "cluster",
    doc: "Cluster id. Unset: made at the first start and kept in the metadata store; set and " +
      "different from the one kept there, the broker refuses to start.",
  }),
  cluster: row({
    category: "broker",
    kind: booleanOr(integer({ min: 2, max: PROCESS_BROKERS_MAX })),
    default: false,
    scope: "cluster",
    doc: "Several brokers share the bucket and the metadata (etcd), and the partitions " +
      "(docs/operations.md). A number: so many brokers in this one process, to " +
      "try fail-over on a laptop; ids go up from KAFSCALE_BROKER_ID by 1, ports from " +
      "KAFSCALE_BROKER_ADDR by 100, and metadata must not be in etcd.",
  }),
  readOnly: row({
    category: "broker",
    kind: boolean(),
    default: false,
    scope: "broker",
    doc:
      "A satellite: this broker of a cluster writes nothing to the object store, leads nothing, " +
      "coordinates nothing, and serves reads of consumers of its rack from what others write. " +
      "Credentials that may read and list are enough. Needs KAFSCALE_CLUSTER and KAFSCALE_RACK.",
  }),
  brokerLeaseMs: row({
    category: "broker",
    kind: integer({ min: 500, max: 600_000 }),
    default: 6_000,
    scope: "cluster",
    kafka: "broker.session.timeout.ms",
    doc: "How long a broker of a cluster may be silent before others take its partitions over.",
  }),
  drainTimeoutMs: row({
    category: "broker",
    kind: integer({ min: 0, max: DAY_MS }),
    default: 30_000,
    scope: "broker",
    doc: "Longest time that a stop (SIGTERM, SIGINT) takes: to give partitions to other brokers, " +
      "and to answer requests in flight. A drain without a stop waits as long.",
  }),
} as const;

const storage = {
  storage: row({
    category: "storage",
    kind: DRIVER("file, s3, minio, memory"),
    default: "file",
    scope: "cluster",
    doc: "Object store driver. `file` keeps objects in the data directory; `s3` and `minio` in a " +
      "bucket; `memory` loses them at exit and is for tests. A path names a module that " +
      "implements the ObjectStore contract. With KAFSCALE_S3_BUCKET set and this unset: `s3`.",
  }),
  metadata: row({
    category: "storage",
    kind: DRIVER("embedded, etcd, memory"),
    default: "embedded",
    scope: "cluster",
    doc: "Metadata driver. `embedded` is SQLite in the data directory, for one process; `etcd` " +
      "keeps metadata in etcd; `memory` loses everything at exit and is for tests. Unset: " +
      "`etcd` where KAFSCALE_ETCD_ENDPOINTS is set, `memory` with storage `memory`.",
  }),
  dataDir: row({
    category: "storage",
    kind: text("a path", /^[^\0]+$/),
    default: "./data",
    scope: "broker",
    kafka: "log.dirs",
    doc: "Directory of the `file` and `embedded` drivers. One process at a time may use it.",
  }),
  useMemoryS3: row({
    category: "storage",
    kind: boolean(),
    default: false,
    scope: "broker",
    doc: "KafScale's name for storage `memory`.",
  }),
  namespace: row({
    category: "storage",
    kind: text(
      "a key prefix of letters, digits, '.', '_', '-', and '/' between parts",
      /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/,
    ),
    default: "default",
    scope: "cluster",
    aliases: ["KAFSCALE_S3_NAMESPACE"],
    doc: "First part of every object key, with every storage driver.",
  }),
  segmentBytes: row({
    category: "storage",
    kind: size({ min: 64 * 1024, max: GIB }),
    default: 4 * MIB,
    scope: "topic",
    kafka: "log.segment.bytes",
    doc:
      "Size that a partition's segment objects are cut at. A topic's segment.bytes overrides it.",
  }),
  flushIntervalMs: row({
    category: "storage",
    kind: optional(integer({ min: 0, max: 60_000 })),
    default: null,
    scope: "broker",
    doc: "Time between two commits, on the whole: what it costs in latency it saves in requests " +
      "to the store, of which there is one an interval while clients write. What a pause leaves " +
      "is saved, up to 30 seconds' worth, and spent on commits that go sooner because all who " +
      "write wait for answers; so is one more request for each 512 KiB that are written. Full " +
      "commits (commitBytes) never wait. Unset: as the storage driver advises (file and memory " +
      "0, minio 5, s3 250).",
  }),
  commitBytes: row({
    category: "storage",
    kind: optional(size({ min: 64 * 1024, max: 64 * MIB })),
    default: null,
    scope: "broker",
    doc:
      "Size at which an open commit is sent without waiting. Unset: as the storage driver advises.",
  }),
  commitParallel: row({
    category: "storage",
    kind: optional(integer({ min: 1, max: COMMITS_PARALLEL_MAX })),
    default: null,
    scope: "broker",
    doc:
      "Commits in flight at once; they are acknowledged in order. Unset: as the storage driver " +
      "advises.",
  }),
  walBytes: row({
    category: "storage",
    kind: size({ min: MIB, max: 64 * GIB }),
    default: 256 * MIB,
    scope: "broker",
    doc:
      "Write-ahead log not yet rewritten into segments: above it the oldest part is rewritten, " +
      "the harder the more there is. Bounds, within a small factor, what a restart has to read.",
  }),
  compactionIntervalMs: row({
    category: "storage",
    kind: integer({ min: 1_000, max: 7 * DAY_MS }),
    default: DAY_MS,
    scope: "broker",
    doc: "Longest time that records stay in the write-ahead log, when there is less of it than " +
      "walBytes, before they are rewritten into a segment, however small.",
  }),
  retentionCheckIntervalMs: row({
    category: "storage",
    kind: integer({ min: 100, max: DAY_MS }),
    default: 300_000,
    scope: "broker",
    kafka: "log.retention.check.interval.ms",
    doc: "How often retention by time and size is applied.",
  }),
  orphanSweepIntervalMs: row({
    category: "storage",
    kind: integer({ min: 1_000, max: 30 * DAY_MS }),
    default: DAY_MS,
    scope: "broker",
    doc: "How often each partition's folder is listed for objects that a crash left behind. The " +
      "folder of a deleted topic is looked through once more after this time.",
  }),
  producerIdExpirationMs: row({
    category: "storage",
    kind: integer({ min: 1_000, max: INT32_MAX }),
    default: DAY_MS,
    scope: "cluster",
    kafka: "producer.id.expiration.ms",
    doc: "Time after which the state of an idle idempotent producer is forgotten.",
  }),
} as const;

/** How the store's health is judged; the names are KafScale's, for every storage driver. */
const health = {
  s3HealthWindowSec: row({
    category: "storage",
    kind: integer({ min: 1, max: 3_600 }),
    default: 60,
    scope: "broker",
    doc: "Seconds of calls over which the object store's health is judged.",
  }),
  s3LatencyWarnMs: row({
    category: "storage",
    kind: integer({ min: 1, max: 600_000 }),
    default: 500,
    scope: "broker",
    doc: "Mean latency of calls, the transfer of their bytes not counted, from which on the " +
      "object store counts as degraded.",
  }),
  s3LatencyCritMs: row({
    category: "storage",
    kind: integer({ min: 10, max: 600_000 }),
    default: 3_000,
    scope: "broker",
    doc: "The same for unavailable; and how long the store may leave all calls without an answer " +
      "before it counts as unavailable.",
  }),
  s3ErrorRateWarn: row({
    category: "storage",
    kind: share(),
    default: 0.2,
    scope: "broker",
    doc: "Share of calls that fail or are throttled at the first try, from which on the object " +
      "store counts as degraded.",
  }),
  s3ErrorRateCrit: row({
    category: "storage",
    kind: share(),
    default: 0.6,
    scope: "broker",
    doc: "Share of calls that fail at the first try, from which on the object store counts as " +
      "unavailable.",
  }),
} as const;

const etcd = {
  etcdEndpoints: row({
    category: "etcd",
    kind: optional(ENDPOINTS),
    default: null,
    scope: "cluster",
    doc: "Endpoints of etcd (3.4 or later), separated by commas: host:port, http://host:port or " +
      "https://host:port. Setting it chooses the metadata driver `etcd`.",
  }),
  etcdPrefix: row({
    category: "etcd",
    kind: text(
      "a key prefix of letters, digits, '.', '_', '-', and '/' between parts",
      /^\/?[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/,
    ),
    default: "kafscale",
    scope: "cluster",
    doc:
      "First part of every key in etcd. Clusters that share an etcd need one each; a user with " +
      "a password needs read and write rights below `<prefix>/`.",
  }),
  etcdUsername: row({
    category: "etcd",
    kind: optional(text("a user name", /^.+$/)),
    default: null,
    scope: "broker",
    doc: "User name at etcd; goes with the password.",
  }),
  etcdPassword: row({
    category: "etcd",
    kind: optional(text("a password", /^.+$/)),
    default: null,
    scope: "broker",
    secret: true,
    doc: "Password at etcd.",
  }),
  etcdCaFile: row({
    category: "etcd",
    kind: optional(text("a path", /^[^\0]+$/)),
    default: null,
    scope: "broker",
    doc: "PEM file with the authority that signed etcd's certificate. Unset: the system's.",
  }),
  etcdCertFile: row({
    category: "etcd",
    kind: optional(text("a path", /^[^\0]+$/)),
    default: null,
    scope: "broker",
    doc: "PEM file with the broker's own certificate, for an etcd that asks for one.",
  }),
  etcdKeyFile: row({
    category: "etcd",
    kind: optional(text("a path", /^[^\0]+$/)),
    default: null,
    scope: "broker",
    doc: "PEM file with the key of that certificate.",
  }),
  etcdTimeoutMs: row({
    category: "etcd",
    kind: integer({ min: 100, max: 60_000 }),
    default: 5_000,
    scope: "broker",
    doc: "How long a request waits for etcd before it is answered with a retriable error. At the " +
      "start the broker gives up after twice as long.",
  }),
} as const;

const BUCKET = optional(
  text("a bucket's name or an access point's ARN", /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$|^arn:\S+$/),
);
const REGION = optional(text("a region's name, like eu-west-1", /^[A-Za-z0-9-]{1,64}$/));
const ENDPOINT = optional(
  text("a URL, like http://minio.example:9000", /^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/),
);
/** Access keys and tokens stand in headers. */
const TOKEN = optional(trimmed(text("printable characters without spaces", /^[\x21-\x7e]+$/)));
const SECRET = optional(trimmed(text("a text of one line", /^[^\r\n\0]+$/)));

const s3 = {
  s3Bucket: row({
    category: "s3",
    kind: BUCKET,
    default: null,
    scope: "cluster",
    doc: "Bucket of the `s3` and `minio` drivers. It must exist.",
  }),
  s3Region: row({
    category: "s3",
    kind: REGION,
    default: null,
    scope: "cluster",
    doc: "Region of the bucket. Unset: `s3` takes AWS_REGION or the profile's, else us-east-1.",
  }),
  s3Endpoint: row({
    category: "s3",
    kind: ENDPOINT,
    default: null,
    scope: "cluster",
    doc: "Where a store other than AWS is, such as MinIO. Unset: AWS's endpoint of the region.",
  }),
  s3AccessKey: row({
    category: "s3",
    kind: TOKEN,
    default: null,
    scope: "broker",
    doc: "Access key id. Unset: `s3` asks AWS's chain (environment, shared files, web identity, " +
      "container or instance metadata).",
  }),
  s3SecretKey: row({
    category: "s3",
    kind: SECRET,
    default: null,
    scope: "broker",
    secret: true,
    doc: "Secret access key; set it together with the access key.",
  }),
  s3SessionToken: row({
    category: "s3",
    kind: TOKEN,
    default: null,
    scope: "broker",
    secret: true,
    doc: "Session token of temporary keys. They cannot be renewed: the chain's can.",
  }),
  s3PathStyle: row({
    category: "s3",
    kind: optional(boolean()),
    default: null,
    scope: "cluster",
    doc:
      "Bucket in the path (http://host/bucket) instead of in the host name (http://bucket.host). " +
      "Unset: on when there is an endpoint of your own.",
  }),
  s3KmsArn: row({
    category: "s3",
    kind: optional(text("a KMS key's id or ARN", /^[\x21-\x7e]{1,2048}$/)),
    default: null,
    scope: "cluster",
    doc: "KMS key that objects are encrypted with (SSE-KMS). Unset: as the bucket's default says.",
  }),
  s3Concurrency: row({
    category: "s3",
    kind: integer({ min: 1, max: 1024 }),
    default: 64,
    scope: "broker",
    doc: "Requests to the store at once, each on a connection of its own; more wait in order. " +
      "A quarter, 8 at most, is for writes alone.",
  }),
  s3ConnectTimeoutMs: row({
    category: "s3",
    kind: integer({ min: 10, max: 600_000 }),
    default: 5_000,
    scope: "broker",
    doc: "Longest time that opening a connection to the store may take, TLS included.",
  }),
  s3TimeoutMs: row({
    category: "s3",
    kind: integer({ min: 10, max: 600_000 }),
    default: 10_000,
    scope: "broker",
    doc:
      "Longest time that one request to the store may take, and a second more for every MiB that " +
      "it moves; then it counts as failed and is tried again.",
  }),
  s3ReadBucket: row({
    category: "s3",
    kind: BUCKET,
    default: null,
    scope: "broker",
    doc: "Bucket of the read replica. Unset, and another setting of it set: the primary's name.",
  }),
  s3ReadRegion: row({
    category: "s3",
    kind: REGION,
    default: null,
    scope: "broker",
    doc: "Region of the read replica. Unset: the primary's.",
  }),
  s3ReadEndpoint: row({
    category: "s3",
    kind: ENDPOINT,
    default: null,
    scope: "broker",
    doc: "Endpoint of the read replica. Unset: the primary's.",
  }),
  s3ReadAccessKey: row({
    category: "s3",
    kind: TOKEN,
    default: null,
    scope: "broker",
    doc: "Access key id for the read replica; reading suffices. Unset: the primary's credentials.",
  }),
  s3ReadSecretKey: row({
    category: "s3",
    kind: SECRET,
    default: null,
    scope: "broker",
    secret: true,
    doc: "Secret access key for the read replica; set it together with its access key.",
  }),
  s3ReadSessionToken: row({
    category: "s3",
    kind: TOKEN,
    default: null,
    scope: "broker",
    secret: true,
    doc: "Session token of temporary keys for the read replica.",
  }),
} as const;

const cache = {
  cacheBytes: row({
    category: "cache",
    kind: size({ min: MIB, max: 64 * GIB }),
    default: 64 * MIB,
    scope: "broker",
    aliases: ["KAFSCALE_CACHE_SIZE"],
    doc:
      "Memory for blocks read from the store and for recent writes; least recently used go first.",
  }),
  readaheadSegments: row({
    category: "cache",
    kind: integer({ min: 0, max: 64 }),
    default: 2,
    scope: "broker",
    doc: "Segments to read ahead of a consumer that reads in order, as far as a quarter of the " +
      "cache takes what is ahead of all consumers; 0 reads nothing ahead.",
  }),
} as const;

const topics = {
  autoCreateTopics: row({
    category: "topics",
    kind: boolean(),
    default: true,
    scope: "broker",
    kafka: "auto.create.topics.enable",
    doc: "Create a topic when a client that asks for it first uses it.",
  }),
  autoCreatePartitions: row({
    category: "topics",
    kind: integer({ min: 1, max: 10_000 }),
    default: 1,
    scope: "broker",
    kafka: "num.partitions",
    doc: "Partitions of a topic that is created without saying how many.",
  }),
  allowAdminApis: row({
    category: "topics",
    kind: boolean(),
    default: true,
    scope: "broker",
    doc:
      "Answer CreateTopics, DeleteTopics and the other APIs that change something. Off: they are " +
      "refused with CLUSTER_AUTHORIZATION_FAILED or the code that fits the API.",
  }),
  maxMessageBytes: row({
    category: "topics",
    kind: size({ min: 0, max: 100 * MIB }),
    default: 1_048_588,
    scope: "topic",
    kafka: "message.max.bytes",
    doc: "Largest record batch that is accepted. A topic's max.message.bytes overrides it.",
  }),
  retentionMs: row({
    category: "topics",
    kind: integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
    default: 7 * DAY_MS,
    scope: "topic",
    kafka: "log.retention.ms",
    doc: "Age at which records may be deleted; -1 keeps them. A topic's retention.ms overrides it.",
  }),
  retentionBytes: row({
    category: "topics",
    kind: integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
    default: -1,
    scope: "topic",
    kafka: "log.retention.bytes",
    doc:
      "Size of a partition above which its oldest segments are deleted; -1: no bound. A topic's " +
      "retention.bytes overrides it.",
  }),
} as const;

const groups = {
  groupInitialRebalanceDelayMs: row({
    category: "groups",
    kind: integer({ min: 0, max: 300_000 }),
    default: 3_000,
    scope: "cluster",
    kafka: "group.initial.rebalance.delay.ms",
    doc: "How long a new group's first rebalance waits for more members.",
  }),
  groupMinSessionTimeoutMs: row({
    category: "groups",
    kind: integer({ min: 1, max: INT32_MAX }),
    default: 6_000,
    scope: "cluster",
    kafka: "group.min.session.timeout.ms",
    doc: "Smallest session timeout that a member may ask for; below it: INVALID_SESSION_TIMEOUT.",
  }),
  groupMaxSessionTimeoutMs: row({
    category: "groups",
    kind: integer({ min: 1, max: INT32_MAX }),
    default: 1_800_000,
    scope: "cluster",
    kafka: "group.max.session.timeout.ms",
    doc: "Largest session timeout that a member may ask for; above it: INVALID_SESSION_TIMEOUT.",
  }),
  groupMaxSize: row({
    category: "groups",
    kind: integer({ min: 1, max: 100_000 }),
    default: 10_000,
    scope: "cluster",
    kafka: "group.max.size",
    doc: "Members of one group; one more is refused with GROUP_MAX_SIZE_REACHED.",
  }),
  offsetsRetentionMinutes: row({
    category: "groups",
    kind: integer({ min: 1, max: INT32_MAX }),
    default: 10_080,
    scope: "cluster",
    kafka: "offsets.retention.minutes",
    doc: "Minutes that committed offsets of an empty group are kept.",
  }),
  offsetsRetentionCheckIntervalMs: row({
    category: "groups",
    kind: integer({ min: 100, max: DAY_MS }),
    default: 600_000,
    scope: "cluster",
    kafka: "offsets.retention.check.interval.ms",
    doc: "How often committed offsets are looked through for expired ones.",
  }),
  offsetMetadataMaxBytes: row({
    category: "groups",
    kind: size({ min: 0, max: MIB }),
    default: 4096,
    scope: "cluster",
    kafka: "offset.metadata.max.bytes",
    doc: "Largest text that may go with a committed offset; above it: OFFSET_METADATA_TOO_LARGE.",
  }),
} as const;

const connections = {
  maxConnections: row({
    category: "connections",
    kind: integer({ min: 1, max: 1_000_000 }),
    default: 10_000,
    scope: "broker",
    kafka: "max.connections",
    doc: "Client connections at once; one more is closed as soon as it is accepted.",
  }),
  maxFrameBytes: row({
    category: "connections",
    kind: size({ min: MIB, max: GIB }),
    default: 100 * MIB,
    scope: "broker",
    kafka: "socket.request.max.bytes",
    doc: "Largest request; a client that sends a larger one is disconnected.",
  }),
  inflightBytes: row({
    category: "connections",
    kind: size({ min: MIB, max: 64 * GIB }),
    default: 64 * MIB,
    scope: "broker",
    kafka: "queued.max.request.bytes",
    doc:
      "Bytes of requests accepted and not yet answered, over all connections; at it sockets are " +
      "not read until answers have left.",
  }),
  connectionsMaxIdleMs: row({
    category: "connections",
    kind: integer({ min: 1_000, max: INT32_MAX }),
    default: 600_000,
    scope: "broker",
    kafka: "connections.max.idle.ms",
    doc: "Connections without a request for this long are closed.",
  }),
  requestTimeoutMs: row({
    category: "connections",
    kind: integer({ min: 100, max: INT32_MAX }),
    default: 30_000,
    scope: "broker",
    kafka: "request.timeout.ms",
    doc: "Longest time that the broker works on one request where the request itself names none.",
  }),
  fetchMaxBytes: row({
    category: "connections",
    kind: size({ min: 1024, max: GIB }),
    default: 55 * MIB,
    scope: "broker",
    kafka: "fetch.max.bytes",
    doc: "Largest fetch response; a fetch that asks for more gets this much.",
  }),
  fetchSessions: row({
    category: "connections",
    kind: integer({ min: 0, max: 100_000 }),
    default: 1_000,
    scope: "broker",
    kafka: "max.incremental.fetch.session.cache.slots",
    doc:
      "Incremental fetch sessions (KIP-227) kept; beyond it old ones are evicted, or the fetch " +
      "is served without a session.",
  }),
} as const;

const operations = {
  plugins: row({
    category: "operations",
    kind: list(
      "names of plugins, or paths of plugin modules (./my_plugin.ts)",
      /^[a-z][a-z0-9_-]*$|^\.{0,2}\/|^file:|\.(ts|js|mjs)$/,
    ),
    default: ["metrics", "ops", "control", "snapshot"],
    scope: "broker",
    doc:
      "What runs beside the broker. `metrics`: Prometheus metrics; `ops`: health checks and the " +
      "operations API; `control`: the gRPC service of KAFSCALE_CONTROL_ADDR; `snapshot`: copies " +
      "of etcd's metadata in the bucket. A path names a module that exports a plugin " +
      "(docs/plugins.md).",
  }),
  pluginSettings: row({
    category: "operations",
    kind: optional(objects()),
    default: null,
    scope: "broker",
    secret: true,
    doc: "Settings of plugins that are modules, by the plugin's name; each plugin checks its own.",
  }),
  metricsAddr: row({
    category: "operations",
    kind: orOff(address()),
    default: ":9093",
    scope: "broker",
    doc: "Where metrics, health checks and the operations API are served over HTTP; `off` serves " +
      "none of them. Port 0 takes any free port. Whoever reaches it can read what is not secret.",
  }),
  metricsTopicsMax: row({
    category: "operations",
    kind: integer({ min: 0, max: 10_000 }),
    default: 200,
    scope: "broker",
    doc:
      "Topics with series of their own in metrics, first come first served; the others share the " +
      'topic "(other)". A topic costs about eight series.',
  }),
  metricsGroupsMax: row({
    category: "operations",
    kind: integer({ min: 0, max: 10_000 }),
    default: 200,
    scope: "broker",
    doc: "Consumer groups with series of their own in metrics, first come first served. All " +
      "groups count in the distribution of lag and in the largest lag.",
  }),
  storePrices: row({
    category: "operations",
    kind: optional(amounts("put", "get", "list", "delete", "storage", "in", "out")),
    default: null,
    scope: "broker",
    doc: "Prices that the cost metrics are reckoned with, in dollars: put, get, list and delete " +
      "for 1,000 requests, storage for a GB and month, in and out for a GB transferred. Unset: " +
      "the list prices of Amazon S3 Standard in us-east-1 with the s3 driver, else nothing.",
  }),
  controlAddr: row({
    category: "operations",
    kind: orOff(address()),
    default: null,
    scope: "broker",
    doc:
      "Where the gRPC service `kafscale.control` (docs/formats/control.proto) is served; unset " +
      "or `off`: nowhere. Whoever reaches it can read what is not secret.",
  }),
  controlCertFile: row({
    category: "operations",
    kind: optional(text("a path", /^[^\0]+$/)),
    default: null,
    scope: "broker",
    doc: "PEM file with the certificate of that service, which then speaks TLS alone.",
  }),
  controlKeyFile: row({
    category: "operations",
    kind: optional(text("a path", /^[^\0]+$/)),
    default: null,
    scope: "broker",
    doc: "PEM file with the key of that certificate.",
  }),
  controlClientCaFile: row({
    category: "operations",
    kind: optional(text("a path", /^[^\0]+$/)),
    default: null,
    scope: "broker",
    doc: "PEM file with the authority that signs the certificates of those who may connect to " +
      "that service. Unset: they need none.",
  }),
  operatorEtcdSnapshotSchedule: row({
    category: "operations",
    kind: orOff(text("a cron expression (UTC)", /^[\w*@][\w*@/,# ?-]{3,99}$/)),
    default: "0 * * * *",
    scope: "cluster",
    doc: "When metadata in etcd is copied to the bucket, by the controller; `off`: never.",
  }),
  operatorEtcdSnapshotBucket: row({
    category: "operations",
    kind: BUCKET,
    default: null,
    scope: "cluster",
    doc: "A bucket of the snapshots' own, with the keys, region and TLS of KAFSCALE_S3_*. Unset: " +
      "where the log is.",
  }),
  operatorEtcdSnapshotS3Endpoint: row({
    category: "operations",
    kind: ENDPOINT,
    default: null,
    scope: "cluster",
    doc: "Endpoint of that bucket. Unset: KAFSCALE_S3_ENDPOINT.",
  }),
  operatorEtcdSnapshotCreateBucket: row({
    category: "operations",
    kind: boolean(),
    default: false,
    scope: "cluster",
    doc: "Make that bucket where it does not exist.",
  }),
  operatorEtcdSnapshotProtectBucket: row({
    category: "operations",
    kind: boolean(),
    default: false,
    scope: "cluster",
    doc: "Turn versioning on for that bucket, and public access off. Old versions stay until a " +
      "lifecycle rule of yours removes them.",
  }),
  operatorEtcdSnapshotPrefix: row({
    category: "operations",
    kind: text("1 to 200 letters, digits, _ . / or -", /^[\w][\w./-]{0,199}$/),
    default: "etcd-snapshots",
    scope: "cluster",
    doc: "First part of the snapshots' keys.",
  }),
  operatorEtcdSnapshotKeep: row({
    category: "operations",
    kind: integer({ min: 1, max: 1_000_000 }),
    default: 168,
    scope: "cluster",
    doc: "Newest snapshots that are kept: a week of hourly ones.",
  }),
  operatorEtcdSnapshotStaleAfterSec: row({
    category: "operations",
    kind: integer({ min: 1, max: 1_000_000_000 }),
    default: 7_200,
    scope: "cluster",
    doc: "Age in seconds from which the newest snapshot counts as stale in metrics.",
  }),
  operatorEtcdSnapshotSkipPreflight: row({
    category: "operations",
    kind: boolean(),
    default: false,
    scope: "cluster",
    doc: "Do without the test write that tells before the first snapshot whether they will work.",
  }),
  opsToken: row({
    category: "operations",
    kind: optional(text("8 to 512 printable characters without spaces", /^[!-~]{8,512}$/)),
    default: null,
    scope: "broker",
    secret: true,
    doc: "Bearer token for requests to the operations API and the control service that change " +
      "something. Unset: they are refused.",
  }),
} as const;

const logging = {
  logLevel: row({
    category: "logging",
    kind: choice("debug", "info", "warn", "error"),
    default: "info",
    scope: "broker",
    doc: "Least severe log lines that are written.",
  }),
  logFormat: row({
    category: "logging",
    kind: choice("auto", "json", "text"),
    default: "auto",
    scope: "broker",
    doc: "`json` for machines, `text` for people, `auto`: text on a terminal, else json.",
  }),
} as const;

/** All settings of this version, in the order in which they are shown. */
export const SETTINGS = {
  ...broker,
  ...storage,
  ...etcd,
  ...health,
  ...s3,
  ...cache,
  ...topics,
  ...groups,
  ...connections,
  ...operations,
  ...logging,
} as const;

export type SettingKey = keyof typeof SETTINGS;

export const SETTING_KEYS = Object.keys(SETTINGS) as readonly SettingKey[];

/** `walBytes` → `KAFSCALE_WAL_BYTES`. */
export function envName(key: string): string {
  return "KAFSCALE_" + key.replace(/[A-Z]/g, (letter) => "_" + letter).toUpperCase();
}

/** `walBytes` → `wal-bytes`, given as `--wal-bytes`. */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => "-" + letter.toLowerCase());
}
