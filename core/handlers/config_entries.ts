/** Topic and broker configs as DescribeConfigs entries. */
import { SETTINGS } from "../config/settings.ts";
import { brokerConfigs } from "../metadata/broker_config.ts";
import { CONFIG_TYPE } from "../metadata/config_value.ts";
import { defaultValue, TOPIC_CONFIGS, type TopicConfigRow } from "../metadata/topic_config.ts";
import type { TopicInfo } from "../metadata/topics.ts";
import type { Rooms } from "./rooms.ts";

/** Where a value comes from, as Kafka numbers it. */
export const CONFIG_SOURCE = { topic: 1, staticBroker: 4, default: 5 } as const;

export interface ConfigEntry {
  readonly name: string;
  readonly value: string | null;
  readonly readOnly: boolean;
  readonly configSource: number;
  readonly isSensitive: boolean;
  readonly synonyms: readonly { name: string; value: string | null; source: number }[];
  readonly configType: number;
  readonly documentation: string | null;
}

export interface EntryOptions {
  readonly includeSynonyms: boolean;
  readonly includeDocumentation: boolean;
}

/** All configs of a topic, overrides first among the synonyms. */
export function topicEntries(rooms: Rooms, topic: TopicInfo, options: EntryOptions): ConfigEntry[] {
  return Array.from(TOPIC_CONFIGS.values(), (row) => topicEntry(rooms, topic, row, options));
}

function topicEntry(
  rooms: Rooms,
  topic: TopicInfo,
  row: TopicConfigRow,
  options: EntryOptions,
): ConfigEntry {
  const override = topic.configs.get(row.name);
  const inherited = defaultValue(row, rooms.config);
  const source = inheritedSource(row, inherited);
  const synonyms = [];
  if (override !== undefined) {
    synonyms.push({ name: row.name, value: override, source: CONFIG_SOURCE.topic });
  }
  if (row.synonym !== null) synonyms.push({ name: row.synonym, value: inherited, source });
  return {
    name: row.name,
    value: override ?? inherited,
    readOnly: false,
    configSource: override === undefined ? source : CONFIG_SOURCE.topic,
    isSensitive: false,
    synonyms: options.includeSynonyms ? synonyms : [],
    configType: CONFIG_TYPE[row.rule.type],
    documentation: options.includeDocumentation ? row.doc : null,
  };
}

function inheritedSource(row: TopicConfigRow, value: string): number {
  switch (row.default) {
    case "segmentBytes":
    case "maxMessageBytes":
    case "retentionMs":
    case "retentionBytes":
      return value === String(SETTINGS[row.default].default)
        ? CONFIG_SOURCE.default
        : CONFIG_SOURCE.staticBroker;
    default:
      return CONFIG_SOURCE.default;
  }
}

/** All configs of this broker; every one is read-only. */
export function brokerEntries(rooms: Rooms, options: EntryOptions): ConfigEntry[] {
  const { brokerId } = rooms.cluster;
  const self = rooms.cluster.brokers().find((broker) => broker.nodeId === brokerId);
  const advertised = self ?? { host: "", port: -1 };
  return brokerConfigs(rooms.config, advertised).map((row) => {
    const configSource = row.isDefault ? CONFIG_SOURCE.default : CONFIG_SOURCE.staticBroker;
    const value = row.secret ? null : row.value;
    return {
      name: row.name,
      value,
      readOnly: true,
      configSource,
      isSensitive: row.secret,
      synonyms: options.includeSynonyms ? [{ name: row.name, value, source: configSource }] : [],
      configType: CONFIG_TYPE[row.type],
      documentation: options.includeDocumentation ? row.doc : null,
    };
  });
}
