import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { defaultConfig } from "../../core/config/mod.ts";
import {
  defaultValue,
  TOPIC_CONFIGS,
  topicConfigFault,
  topicSettings,
} from "../../core/metadata/topic_config.ts";

const DEFAULTS = defaultConfig();

Deno.test("topicConfigFault() takes every default", () => {
  for (const row of TOPIC_CONFIGS.values()) {
    assertEquals(topicConfigFault(row.name, defaultValue(row, DEFAULTS), DEFAULTS), undefined);
  }
  const names = [...TOPIC_CONFIGS.keys()];
  assertEquals(names, names.toSorted());
});

const VALUES: readonly [name: string, good: readonly string[], bad: readonly string[]][] = [
  ["retention.ms", ["-1", "0", "604800000", " 5 ", "9223372036854775807"], [
    "-2",
    "",
    "1.5",
    "1e3",
    "week",
    "9223372036854775808",
  ]],
  ["segment.bytes", ["65536", "1073741824"], ["65535", "0", "-1", "1073741825", "2147483648"]],
  ["max.message.bytes", ["0", "1048588", "104857600"], ["-1", "104857601"]],
  ["cleanup.policy", ["delete", "compact", "compact,delete", "delete, compact"], [
    "",
    "Delete",
    "delete,erase",
    "toString",
  ]],
  ["compression.type", ["producer", "gzip", "lz4", "snappy", "zstd", "uncompressed"], [
    "none",
    "GZIP",
    "",
  ]],
  ["message.timestamp.type", ["CreateTime", "LogAppendTime"], ["createtime", ""]],
  ["min.insync.replicas", ["1", "2"], ["0"]],
  ["min.cleanable.dirty.ratio", ["0", "0.5", "1"], ["1.1", "-0.1", "half", ""]],
  ["preallocate", ["true", "FALSE"], ["yes", ""]],
  ["remote.storage.enable", ["false"], ["true", "maybe"]],
  ["leader.replication.throttled.replicas", ["", "*", "0:1", "0:1,1:2"], ["0", "a:b", "*,0:1"]],
];

for (const [name, good, bad] of VALUES) {
  Deno.test(`topicConfigFault() knows good and bad values of ${name}`, () => {
    for (const value of good) assertEquals(topicConfigFault(name, value, DEFAULTS), undefined);
    for (const value of bad) {
      const fault = topicConfigFault(name, value, DEFAULTS);
      assert(fault?.includes(name), `${name}=${value} must be refused`);
    }
  });
}

Deno.test("topicConfigFault() bounds the length of a value and its own message", () => {
  const long = "0:1,".repeat(5_000) + "0:1";
  const fault = topicConfigFault("leader.replication.throttled.replicas", long, DEFAULTS);
  assert(fault !== undefined && fault.length < 200);
});

Deno.test("topicSettings() gives effective values, cached until the topic changes", () => {
  const topic = {
    id: "x",
    name: "t",
    partitionCount: 1,
    directory: "t",
    configs: new Map([["retention.ms", "-1"], ["message.timestamp.type", "LogAppendTime"]]),
  };
  const settings = topicSettings(topic, DEFAULTS);
  assertEquals(settings, {
    retentionMs: -1,
    retentionBytes: -1,
    segmentBytes: 4 * 1024 * 1024,
    segmentMs: 604_800_000,
    maxMessageBytes: 1_048_588,
    timestampType: "LogAppendTime",
    timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
    timestampAfterMaxMs: 3_600_000,
    indexIntervalBytes: 4096,
    fileDeleteDelayMs: 60_000,
    deleted: true,
    compacted: false,
    compression: "producer",
    compressionLevels: { gzip: -1, zstd: 3 },
  });
  assertStrictEquals(topicSettings(topic, DEFAULTS), settings);
  const changed = { ...topic, configs: new Map([["segment.bytes", "65536"]]) };
  assert(topicSettings(changed, DEFAULTS) !== settings);
  assertEquals(topicSettings(changed, defaultConfig({ segmentBytes: 1 })).segmentBytes, 65_536);
  assertEquals(topicSettings(topic, defaultConfig({ segmentBytes: 9 })).segmentBytes, 9);
});
