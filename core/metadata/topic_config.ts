/**
 * The one table of topic configs: Kafka 4.1's standard list. Each row says what the value does
 * here; a value whose promise this broker cannot keep is refused with INVALID_CONFIG, never stored.
 * Rows whose `effect` is "none" are stored and described: what they ask for holds anyway, or tunes
 * something that doesn't exist on shared storage.
 */
import type { Config } from "../config/config.ts";
import { TOPIC_CONFIG_VALUE_MAX } from "../config/limits.ts";
import { nearest } from "../config/nearest.ts";
import type { CompressionLevels } from "../protocol/compression.ts";
import type { CompressionName } from "../protocol/record_batch.ts";
import {
  anyOf,
  asNumber,
  fraction,
  listMembers,
  oneOf,
  throttledReplicas,
  truth,
  type ValueRule,
  whole,
} from "./config_value.ts";
import type { TopicInfo } from "./topics.ts";

/** The broker settings that topics inherit, and the frame limit that bounds a batch. */
export type TopicDefaults = Pick<
  Config,
  "segmentBytes" | "maxMessageBytes" | "retentionMs" | "retentionBytes" | "maxFrameBytes"
>;

export interface TopicConfigRow {
  readonly name: string;
  readonly rule: ValueRule;
  /** Kafka's default, or the broker setting that gives it. */
  readonly default: string | keyof TopicDefaults;
  /** The broker config of the same meaning, for DescribeConfigs synonyms; null: there is none. */
  readonly synonym: string | null;
  readonly effect: "full" | "none";
  readonly doc: string;
}

const KIB = 1024;
const MIB = 1024 ** 2;
const LONG_MAX = "9223372036854775807";
const NO_TIERS =
  "tiered storage is not available, and not needed: segments are in the object store already";

function setting(name: keyof TopicDefaults): keyof TopicDefaults {
  return name;
}

type Row = readonly [
  name: string,
  rule: ValueRule,
  fallback: string,
  synonym: string | null,
  effect: "full" | "none",
  doc: string,
];

const TABLE: readonly Row[] = [
  [
    "cleanup.policy",
    anyOf(["delete", "compact"]),
    "delete",
    "log.cleanup.policy",
    "full",
    "What happens to old records: delete removes whole segments by retention.ms and " +
    "retention.bytes. compact promises to keep at least the newest record of each key: records " +
    "need keys, and none is removed yet (docs/decisions/0007).",
  ],
  [
    "compression.gzip.level",
    oneOf("string", ["-1", "1", "2", "3", "4", "5", "6", "7", "8", "9"]),
    "-1",
    "compression.gzip.level",
    "full",
    "Level of batches that compression.type=gzip makes the broker compress.",
  ],
  [
    "compression.lz4.level",
    whole("int", 1, 17),
    "9",
    "compression.lz4.level",
    "none",
    "The broker's LZ4 has one level, a fast one; producers choose theirs.",
  ],
  [
    "compression.type",
    oneOf("string", ["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
    "producer",
    "compression.type",
    "full",
    "How batches are compressed in the log: producer keeps them as they were sent, which costs " +
    "nothing; otherwise the broker compresses those again that come with another codec.",
  ],
  [
    "compression.zstd.level",
    whole("int", -131_072, 22),
    "3",
    "compression.zstd.level",
    "full",
    "Level of batches that compression.type=zstd makes the broker compress.",
  ],
  [
    "delete.retention.ms",
    whole("long", 0),
    "86400000",
    "log.cleaner.delete.retention.ms",
    "none",
    "How long delete markers stay in compacted topics; has no effect while none is removed.",
  ],
  [
    "file.delete.delay.ms",
    whole("long", 0),
    "60000",
    "log.segment.delete.delay.ms",
    "full",
    "How long a segment object stays after it left the log, for readers that still use it.",
  ],
  [
    "flush.messages",
    whole("long", 1),
    LONG_MAX,
    "log.flush.interval.messages",
    "none",
    "Every acknowledged record is durable already, whatever this says.",
  ],
  [
    "flush.ms",
    whole("long", 0),
    LONG_MAX,
    "log.flush.interval.ms",
    "none",
    "Every acknowledged record is durable already, whatever this says.",
  ],
  [
    "follower.replication.throttled.replicas",
    throttledReplicas(),
    "",
    null,
    "none",
    "Brokers do not replicate to one another, so there is nothing to throttle.",
  ],
  [
    "index.interval.bytes",
    whole("int", 0),
    "4096",
    "log.index.interval.bytes",
    "full",
    "Bytes of records between two entries of a segment's index.",
  ],
  [
    "leader.replication.throttled.replicas",
    throttledReplicas(),
    "",
    null,
    "none",
    "Brokers do not replicate to one another, so there is nothing to throttle.",
  ],
  [
    "local.retention.bytes",
    whole("long", -2),
    "-2",
    "log.local.retention.bytes",
    "none",
    "Belongs to tiered storage, which does not exist here.",
  ],
  [
    "local.retention.ms",
    whole("long", -2),
    "-2",
    "log.local.retention.ms",
    "none",
    "Belongs to tiered storage, which does not exist here.",
  ],
  [
    "max.compaction.lag.ms",
    whole("long", 1),
    LONG_MAX,
    "log.cleaner.max.compaction.lag.ms",
    "none",
    "Longest time that a record stays out of compaction; has no effect while none is removed.",
  ],
  [
    "max.message.bytes",
    whole("int", 0),
    setting("maxMessageBytes"),
    "message.max.bytes",
    "full",
    "Largest record batch that is accepted, in bytes, as it is sent (so after compression).",
  ],
  [
    "message.timestamp.after.max.ms",
    whole("long", 0),
    "3600000",
    "log.message.timestamp.after.max.ms",
    "full",
    "How far a record's timestamp may be ahead of the broker's clock, with CreateTime.",
  ],
  [
    "message.timestamp.before.max.ms",
    whole("long", 0),
    LONG_MAX,
    "log.message.timestamp.before.max.ms",
    "full",
    "How far a record's timestamp may be behind the broker's clock, with CreateTime.",
  ],
  [
    "message.timestamp.type",
    oneOf("string", ["CreateTime", "LogAppendTime"]),
    "CreateTime",
    "log.message.timestamp.type",
    "full",
    "Whether records keep the producer's timestamp or get the time of their append.",
  ],
  [
    "min.cleanable.dirty.ratio",
    fraction(0, 1),
    "0.5",
    "log.cleaner.min.cleanable.ratio",
    "none",
    "Share of uncompacted log from which compaction starts; has no effect while none is removed.",
  ],
  [
    "min.compaction.lag.ms",
    whole("long", 0),
    "0",
    "log.cleaner.min.compaction.lag.ms",
    "none",
    "Shortest time before a record may be compacted away; has no effect while none is removed.",
  ],
  [
    "min.insync.replicas",
    whole("int", 1),
    "1",
    "min.insync.replicas",
    "none",
    "The object store replicates, so every acknowledged record counts as on all replicas; writes " +
    "are never refused for this.",
  ],
  [
    "preallocate",
    truth(),
    "false",
    "log.preallocate",
    "none",
    "Segments are objects that are written whole, so there is nothing to allocate ahead.",
  ],
  [
    "remote.log.copy.disable",
    truth(),
    "false",
    null,
    "none",
    "Belongs to tiered storage, which does not exist here.",
  ],
  [
    "remote.log.delete.on.disable",
    truth(),
    "false",
    null,
    "none",
    "Belongs to tiered storage, which does not exist here.",
  ],
  [
    "remote.storage.enable",
    oneOf("boolean", ["false"], { true: NO_TIERS }),
    "false",
    null,
    "none",
    "Tiered storage is not available; true is refused.",
  ],
  [
    "retention.bytes",
    whole("long", -1),
    setting("retentionBytes"),
    "log.retention.bytes",
    "full",
    "Size of a partition above which its oldest segments are deleted; -1: no bound.",
  ],
  [
    "retention.ms",
    whole("long", -1),
    setting("retentionMs"),
    "log.retention.ms",
    "full",
    "Age of its newest record at which a segment is deleted; -1: never.",
  ],
  [
    "segment.bytes",
    whole("int", 64 * KIB, 1024 * MIB),
    setting("segmentBytes"),
    "log.segment.bytes",
    "full",
    "Size that segment objects are cut at, from 64 KiB to 1 GiB. Retention deletes whole segments.",
  ],
  [
    "segment.index.bytes",
    whole("int", 4),
    "10485760",
    "log.index.size.max.bytes",
    "none",
    "An index is as large as its segment needs.",
  ],
  [
    "segment.jitter.ms",
    whole("long", 0),
    "0",
    "log.roll.jitter.ms",
    "none",
    "Segments are cut from the write-ahead log in turn, never all at the same moment.",
  ],
  [
    "segment.ms",
    whole("long", 1),
    "604800000",
    "log.roll.ms",
    "full",
    "Longest time that one segment takes records in.",
  ],
  [
    "unclean.leader.election.enable",
    truth(),
    "false",
    "unclean.leader.election.enable",
    "none",
    "No leader is ever unclean: each one continues from what the object store holds.",
  ],
];

/** All topic configs, by name. */
export const TOPIC_CONFIGS: ReadonlyMap<string, TopicConfigRow> = new Map(
  TABLE.map(([name, rule, fallback, synonym, effect, doc]) => [
    name,
    { name, rule, default: fallback, synonym, effect, doc },
  ]),
);

/** The value that a topic without an override has, as text. */
export function defaultValue(row: TopicConfigRow, defaults: TopicDefaults): string {
  switch (row.default) {
    case "segmentBytes":
    case "maxMessageBytes":
    case "retentionMs":
    case "retentionBytes":
      return String(defaults[row.default]);
    default:
      return row.default;
  }
}

/**
 * What is wrong with a config of a topic, one sentence for the client of an INVALID_CONFIG, or
 * undefined when it may be set.
 */
export function topicConfigFault(
  name: string,
  value: string | null,
  defaults: TopicDefaults,
): string | undefined {
  const row = TOPIC_CONFIGS.get(name);
  if (row === undefined) {
    const near = nearest(name, TOPIC_CONFIGS.keys());
    return `Unknown topic config name: ${name}${
      near === undefined ? "" : `; did you mean ${near}?`
    }`;
  }
  if (value === null) return `Null value not supported for topic config ${name}`;
  const tooLong = value.length > TOPIC_CONFIG_VALUE_MAX;
  const fault = tooLong
    ? `it is longer than ${TOPIC_CONFIG_VALUE_MAX} characters`
    : row.rule.fault(value.trim()) ?? frameFault(name, value, defaults);
  if (fault === undefined) return undefined;
  const shown = tooLong ? "" : ` ${value}`;
  return `Invalid value${shown} for configuration ${name}: ${fault}`;
}

/** A batch that no frame can carry would never arrive, so such a limit is a mistake. */
function frameFault(name: string, value: string, defaults: TopicDefaults): string | undefined {
  if (name !== "max.message.bytes" || asNumber(value) <= defaults.maxFrameBytes) return undefined;
  return `it must be no more than the broker's largest request (${defaults.maxFrameBytes})`;
}

/** Effective values of what the log acts on. */
export interface TopicSettings {
  /** -1: kept for ever. */
  readonly retentionMs: number;
  /** -1: no bound. */
  readonly retentionBytes: number;
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly maxMessageBytes: number;
  readonly timestampType: "CreateTime" | "LogAppendTime";
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  readonly indexIntervalBytes: number;
  readonly fileDeleteDelayMs: number;
  /** Old segments may go by time and size. */
  readonly deleted: boolean;
  /** Every record needs a key; the newest of each stays. */
  readonly compacted: boolean;
  /** What batches are compressed with in the log. */
  readonly compression: CompressionName | "producer";
  readonly compressionLevels: CompressionLevels;
}

const cache = new WeakMap<TopicDefaults, WeakMap<TopicInfo, TopicSettings>>();

/**
 * The topic's effective settings. Cached by both objects, so a look-up on the hot path costs two
 * map reads: a changed topic is a new TopicInfo.
 */
export function topicSettings(info: TopicInfo, defaults: TopicDefaults): TopicSettings {
  let byTopic = cache.get(defaults);
  if (byTopic === undefined) cache.set(defaults, byTopic = new WeakMap());
  let settings = byTopic.get(info);
  if (settings === undefined) byTopic.set(info, settings = effective(info.configs, defaults));
  return settings;
}

function effective(
  configs: ReadonlyMap<string, string>,
  defaults: TopicDefaults,
): TopicSettings {
  const text = (name: string) =>
    configs.get(name)?.trim() ?? defaultValue(TOPIC_CONFIGS.get(name)!, defaults);
  const number = (name: string) => asNumber(text(name));
  const policies = listMembers(text("cleanup.policy"));
  const compression = text("compression.type");
  return {
    retentionMs: number("retention.ms"),
    retentionBytes: number("retention.bytes"),
    segmentBytes: number("segment.bytes"),
    segmentMs: number("segment.ms"),
    maxMessageBytes: number("max.message.bytes"),
    timestampType: text("message.timestamp.type") === "LogAppendTime"
      ? "LogAppendTime"
      : "CreateTime",
    timestampBeforeMaxMs: number("message.timestamp.before.max.ms"),
    timestampAfterMaxMs: number("message.timestamp.after.max.ms"),
    indexIntervalBytes: number("index.interval.bytes"),
    fileDeleteDelayMs: number("file.delete.delay.ms"),
    deleted: policies.includes("delete"),
    compacted: policies.includes("compact"),
    compression: compression === "uncompressed" ? "none" : compression as CompressionName,
    compressionLevels: {
      gzip: number("compression.gzip.level"),
      zstd: number("compression.zstd.level"),
    },
  };
}
