/**
 * Fixed limits of the broker, each with its reason and what happens at it. What an operator should
 * be able to change is a setting instead (settings.ts). One section a room; relations between
 * limits are asserted at load, at the end of this file, so that an edit cannot break one unseen.
 */
import { invariant } from "../runtime/assert.ts";

// --- server -------------------------------------------------------------------------------------

/** Smallest Kafka request: length-prefixed header of key, version, correlation id. Else: close. */
export const FRAME_BYTES_MIN = 8;

/** A client that has this many unanswered requests on a connection is not read from until one left.
 * Kafka's producers use 5; librdkafka pipelines more. */
export const REQUESTS_IN_FLIGHT_PER_CONNECTION_MAX = 128;

// --- server: connections and responses ----------------------------------------------------------

/** Read buffer that every connection owns; larger frames borrow from the in-flight budget first.
 * Most requests (fetch, metadata, heartbeats) fit; 10,000 idle connections cost 160 MiB. */
export const CONNECTION_READ_BYTES = 16 * 1024;

/** Unused frame buffers kept for the next large frame; more go to the garbage collector. */
export const FRAME_BUFFERS_KEPT_BYTES = 8 * 1024 * 1024;

/** Responses waiting to be written on one connection, in bytes: above it no further request of the
 * connection is started until the client has taken them. One large fetch response always fits. */
export const RESPONSE_BYTES_QUEUED_MAX = 1024 * 1024;

/** A client that takes nothing of a response for this long is disconnected: it holds buffers. */
export const WRITE_STALL_MS = 60_000;

/** A client that stops in the middle of a frame for this long is disconnected: it holds budget. */
export const FRAME_STALL_MS = 30_000;

/** Lines of one kind are logged at most once in this time; the rest are counted in the next one. */
export const LOG_LINE_INTERVAL_MS = 5_000;

/** Longest pause after a failed accept (no file descriptors); it starts at 10 ms and doubles. */
export const ACCEPT_BACKOFF_MAX_MS = 1_000;

/** Brokers in one process: a trial, whose ports go up by 100 and share one event loop. */
export const PROCESS_BROKERS_MAX = 9;

// --- cluster: partitions that are followed -------------------------------------------------------

/** Partitions of other leaders that are followed for readers; beyond it the reader is sent to the
 * leader. A few KiB each: its manifest, and what its tail names. */
export const FOLLOWED_PARTITIONS_MAX = 10_000;

/** Batches that are kept of one followed chain, about 185 bytes each; beyond it the oldest go, and
 * who begins to follow a partition waits until a manifest covers those. */
export const FOLLOWED_BATCHES_MAX = 250_000;

/** A partition that nobody has read for this long is not followed any more; nor is its chain when
 * it was the last one. */
export const FOLLOW_IDLE_MS = 60_000;

/** Least pause between two looks at a chain that somebody waits for and that had no more: a GET
 * that finds nothing costs as much as one that does. */
export const FOLLOW_PACE_MIN_MS = 20;

/** Longest pause between two looks at an idle chain that somebody waits for: what a record that
 * comes after a long silence may be late, against requests that find nothing. */
export const FOLLOW_PAUSE_MAX_MS = 500;

/** Manifests of followed partitions that are read at the same time. */
export const FOLLOW_RELOADS_PARALLEL = 16;

/** Readers that came back to the leader from a follower, kept at most; beyond it the oldest are
 * forgotten, and may be sent to their follower once more in vain. */
export const REFERRALS_MAX = 20_000;

// --- handlers: fetch ----------------------------------------------------------------------------

/** Largest fetch response, whatever client and settings ask for: Kafka's consumer default. */
export const FETCH_RESPONSE_BYTES_MAX = 50 * 1024 * 1024;

/** Fetched and not yet sent, over all connections. The fuller it is, the smaller the responses get;
 * at it fetches wait, holding nothing. Slow consumers pin this much cache at most. */
export const FETCH_BYTES_IN_FLIGHT_MAX = 64 * 1024 * 1024;

/** What one fetch may always take of it: enough to make progress with default batches. */
export const FETCH_RESPONSE_BYTES_FLOOR = 256 * 1024;

/** Partitions of one fetch that are read at the same time. */
export const FETCH_READS_PARALLEL = 16;

/** A fetch that only fails because the store is away is answered after this long, or its own
 * max_wait: Java's consumer asks again at once, thousands of times a second. */
export const STORAGE_ERROR_PAUSE_MS = 500;

/** Partitions of one ListOffsets or DeleteRecords that are worked on at the same time. */
export const OFFSET_LOOKUPS_PARALLEL = 16;

/** A fetch session that is not used for this long may be evicted (Kafka's fixed two minutes). */
export const FETCH_SESSION_IDLE_MS = 120_000;

/** Partitions in all fetch sessions together (about 150 bytes each). A fetch that would go above is
 * served without a session; an incremental one is told to start over. */
export const FETCH_SESSION_PARTITIONS_MAX = 500_000;

// --- groups -------------------------------------------------------------------------------------

/** Groups that this coordinator keeps, empty ones included (about 1.5 KiB each). Above it a new
 * group's JoinGroup answers GROUP_MAX_SIZE_REACHED and its OffsetCommit POLICY_VIOLATION. */
export const GROUPS_MAX = 50_000;

/** Members of all groups, with ids that were given out and have not come back: anybody can ask for
 * those. Above it JoinGroup answers GROUP_MAX_SIZE_REACHED. */
export const GROUP_MEMBERS_TOTAL_MAX = 100_000;

/** Members' metadata and assignments of one group: with the rest of a transaction they fit etcd's
 * 1.5 MiB. Above it: GROUP_MAX_SIZE_REACHED for JoinGroup, MESSAGE_TOO_LARGE for SyncGroup. */
export const GROUP_STATE_BYTES_MAX = 1024 * 1024;

/** The same of all groups together. Above it JoinGroup answers GROUP_MAX_SIZE_REACHED. */
export const GROUPS_STATE_BYTES_MAX = 64 * 1024 * 1024;

/** Committed offsets kept in memory, in bytes, by group; the least recently used go first. */
export const OFFSET_CACHE_BYTES_MAX = 16 * 1024 * 1024;

/** Offsets written in one metadata transaction: etcd takes 128 operations, and the group's head and
 * members go along. A commit of more partitions becomes several transactions. */
export const OFFSETS_PER_TRANSACTION_MAX = 120;

/** Bytes of offsets in one metadata transaction, so that it fits etcd's 1.5 MiB with members. */
export const OFFSET_BYTES_PER_TRANSACTION_MAX = 256 * 1024;

/** Writes and loads that wait for one group's store; above it: COORDINATOR_NOT_AVAILABLE. */
export const GROUP_WRITES_QUEUED_MAX = 4_096;

/** How long a member that joins for the first time may be parked: it has no id to heartbeat with,
 * and a client that is gone cannot be told from one that waits (Kafka's fixed five minutes). */
export const NEW_MEMBER_JOIN_TIMEOUT_MS = 300_000;

/** Pauses between attempts to load groups while the metadata store is away; they double. */
export const GROUP_LOAD_RETRY_MIN_MS = 100;
export const GROUP_LOAD_RETRY_MAX_MS = 5_000;

/** Shards of group coordinators: what moves between brokers as one. For ever the same: it decides
 * which shard a group is in. */
export const COORDINATOR_SHARDS = 16;

// --- log and WAL --------------------------------------------------------------------------------

/** WAL objects that no manifest covers yet, above which the oldest are rewritten once clients are
 * quiet: recovery reads a footer of each, 32 at a time. */
export const WAL_OBJECTS_MAX = 1_000;

/** The same, above which they are rewritten without a rest, whatever clients do. Recovery then
 * takes a second or two on a local disk; 13 s at 40 ms a read, where commits are so far apart that
 * it takes an hour of work without a pause. */
export const WAL_OBJECTS_HARD = 10_000;

/** WAL_OBJECTS_MAX for many partitions that get little: a round over them costs some requests for
 * each, and comes no sooner than the WAL took as many. Recovery then takes 3 s at 25 ms a read. */
export const WAL_OBJECTS_RELAXED = 4_000;

/** Batches that tails name at most, about 185 bytes each, before the oldest are rewritten: 1,000
 * partitions that get one a second reach WAL_OBJECTS_RELAXED first. */
export const WAL_BATCHES_MAX = 1_000_000;

/** Uncovered WAL, in bytes, from which on it is rewritten without a rest, whatever clients do. Half
 * a minute of the fastest load; disk space that a burst may take for a while. */
export const WAL_BYTES_HARD = 4 * 1024 * 1024 * 1024;

/** Small tails (1 MiB) that are rewritten at a time where much WAL has piled up: each takes four
 * calls of the store, one after the other, and little memory. */
export const REWRITES_PARALLEL_MAX = 4;

/** Uncommitted bytes above which produce requests wait, holding their frame and so their socket:
 * all uploads in flight, one queued and one open commit. */
export const UNCOMMITTED_BYTES_MAX = 20 * 1024 * 1024;

/** Commits that a pause saves up to be sent sooner than their spacing later, as the time in which
 * they would have been sent: 120 requests at 250 ms, so that a broker with a quarter of an hour's
 * load sends at most 3% more than the spacing allows. */
export const COMMITS_SAVED_MS = 30_000;

/** Bytes of commits that earn one request more than the spacing does, for producers that wait for
 * answers: at S3's price 10 dollars a TB at most, where keeping it for a month costs 23. */
export const COMMIT_PAID_BYTES = 512 * 1024;

/** Of those, the first of each commit earn nothing: who writes so little at a time is served by the
 * spacing, and its bill would only be greater. */
export const COMMIT_UNPAID_BYTES = 64 * 1024;

/** Readers that have bytes ahead at once. */
export const READS_AHEAD_MAX = 16;

/** Loads ahead of readers at once, eight or so for each of the WAL; hints beyond are dropped. */
export const RUNS_AHEAD_MAX = 64;

/** Commits in flight at most (KAFSCALE_COMMIT_PARALLEL): so many slots can exist behind a gap that
 * a dying broker left. */
export const COMMITS_PARALLEL_MAX = 64;

/** Slabs (1 MiB) kept for reuse although the cache is full; more are given up. */
export const SLABS_IDLE_MAX = 4;

/** A segment is put from memory, so none is built larger, whatever segment.bytes says. Reads of a
 * larger one would save nothing: they bring 4 MiB at a time. */
export const SEGMENT_BUILD_BYTES_MAX = 32 * 1024 * 1024;

/** Tails that are read from the WAL together while it is rewritten. More would spare reads where
 * the WAL is larger than the cache, whose memory this is taken from. */
export const GATHERED_BYTES_MAX = 16 * 1024 * 1024;

/** Small segments that become one although they don't fill a segment: a partition that gets a
 * record a minute keeps a manifest and a folder that people can look through. */
export const MERGE_PARTS_MAX = 64;

/** Idempotent producers remembered per partition; the longest silent go first. */
export const PRODUCERS_PER_PARTITION_MAX = 10_000;

/** First batches remembered that were refused before their partition saw them, by partition and
 * producer, for five minutes; the longest remembered go first. About 150 bytes each. */
export const REFUSED_SEQUENCES_MAX = 20_000;

/** Parsed segment indexes kept in memory (1,000 entries each at the defaults). */
export const SEGMENT_INDEXES_MAX = 512;

// --- metadata -----------------------------------------------------------------------------------

/** Partitions of one topic: a describe or metadata answer about it stays near 5 MiB. More is
 * refused with INVALID_PARTITIONS. */
export const PARTITIONS_PER_TOPIC_MAX = 100_000;

/** Partitions of all topics: what a node was tested with, twenty times over. More is refused with
 * POLICY_VIOLATION. Counted in the local view: rivals may overshoot it by what they add at once. */
export const PARTITIONS_MAX = 200_000;

/**
 * Characters of one topic config's value; only lists of replicas could be long. More:
 * INVALID_CONFIG.
 */
export const TOPIC_CONFIG_VALUE_MAX = 8 * 1024;

/** Commits of one admin request that are under way at once; the rest wait their turn. */
export const METADATA_COMMITS_PARALLEL = 64;

/** How long a changed topic may take to show up in the changer's own view before the change is
 * answered with REQUEST_TIMED_OUT: the watch is broken then. */
export const METADATA_VIEW_WAIT_MS = 10_000;

/** How long the creation of partitions waits for their leaders, and how often it looks. */
export const LEADERS_WAIT_MS = 5_000;
/** How long a description of topics waits for the first leaders of a topic that was just made. */
export const FIRST_LEADERS_WAIT_MS = 1_000;
export const LEADERS_LOOK_MS = 10;

/** Assignment records that are written in one transaction, and their bytes; the rest goes in
 * further ones. Each record is compared and put: etcd takes 128 operations and 1.5 MiB. */
export const ASSIGNMENTS_PER_TRANSACTION_MAX = 64;
export const ASSIGNMENT_BYTES_PER_TRANSACTION_MAX = 512 * 1024;

/**
 * Leader epochs of a partition in one generation of metadata: more changes of its leader than there
 * are in years; an int32 has 2,048 of it, each for one restore.
 */
export const GENERATION_LEADER_EPOCHS = 2 ** 20;

/**
 * How long an owner whose registration is missing keeps its partitions. When the metadata service
 * comes back from an outage all leases may have run out at once, and whoever registers first would
 * seal the others' chains and so end them; they need so long to register again.
 */
export const OWNER_ABSENCE_MS = 750;
/** Longest pause between attempts to register; well below the former. */
export const REGISTER_RETRY_MAX_MS = 250;

/** Pauses between attempts to follow the metadata store again after an outage; they double. */
export const METADATA_RETRY_MIN_MS = 100;
export const METADATA_RETRY_MAX_MS = 5_000;

// --- protocol -----------------------------------------------------------------------------------

/** Objects and strings in the arrays of one message: each costs up to 100 times its bytes, so the
 * frame's size is no bound. Twice PARTITIONS_MAX; above it the message counts as malformed. */
export const MESSAGE_ELEMENTS_MAX = 500_000;

/** What one compressed batch may grow to (zstd makes a megabyte of a kilobyte). Only lookups by
 * timestamp, compaction and the CLI decompress; above it the batch counts as malformed. */
export const DECOMPRESSED_BATCH_BYTES_MAX = 64 * 1024 * 1024;

// --- relations ----------------------------------------------------------------------------------

invariant(FRAME_BYTES_MIN >= 8, "a request header does not fit the smallest frame");
invariant(
  GROUP_STATE_BYTES_MAX + OFFSET_BYTES_PER_TRANSACTION_MAX < 1_400 * 1024,
  "a group's largest transaction does not fit etcd's default request size",
);
invariant(
  ASSIGNMENTS_PER_TRANSACTION_MAX + 3 <= 128 &&
    ASSIGNMENT_BYTES_PER_TRANSACTION_MAX < 1_400 * 1024,
  "a transaction of assignment records is larger than etcd takes",
);
invariant(
  OFFSETS_PER_TRANSACTION_MAX + 3 <= 128,
  "a transaction has more operations than etcd takes",
);
