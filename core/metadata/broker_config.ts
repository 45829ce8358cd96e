/**
 * The broker's configs as DescribeConfigs shows them, all read-only: every setting as
 * `kafscale.<name.with.dots>` (KafScale's own whitelist is among them), again under Kafka's name
 * where it has one, and the few that Kafka's tools look for and that follow from the design.
 */
import type { Config } from "../config/config.ts";
import { type Setting, type SettingKey, SETTINGS } from "../config/settings.ts";
import type { ConfigType } from "./config_value.ts";

export interface BrokerConfigRow {
  readonly name: string;
  /** Null: not set. */
  readonly value: string | null;
  readonly isDefault: boolean;
  readonly secret: boolean;
  readonly type: ConfigType;
  readonly doc: string;
}

/** [name, value, type, doc]: what this broker does, said in Kafka's terms. */
const FIXED: readonly (readonly [string, string, ConfigType, string])[] = [
  [
    "default.replication.factor",
    "1",
    "int",
    "Brokers hold no copies; the object store keeps records safe.",
  ],
  ["min.insync.replicas", "1", "int", "Every acknowledged record is in the object store."],
  ["log.cleanup.policy", "delete", "list", "Segments are deleted by age and size."],
  ["log.message.timestamp.type", "CreateTime", "string", "Records keep the producer's timestamp."],
  ["compression.type", "producer", "string", "Batches are stored as producers send them."],
  ["delete.topic.enable", "true", "boolean", "Topics can be deleted."],
  ["unclean.leader.election.enable", "false", "boolean", "No leader is ever unclean."],
  ["transaction.state.log.replication.factor", "1", "short", "Brokers hold no copies."],
  ["offsets.topic.replication.factor", "1", "short", "Offsets are in the metadata store."],
];

export function brokerConfigs(
  config: Config,
  advertised: { readonly host: string; readonly port: number },
): BrokerConfigRow[] {
  const rows: BrokerConfigRow[] = [];
  for (const [key, setting] of Object.entries(SETTINGS) as [SettingKey, Setting][]) {
    const row = settingRow(setting, config[key]);
    rows.push({ ...row, name: dottedName(key) });
    if (setting.kafka !== undefined) rows.push({ ...row, name: setting.kafka });
  }
  const plain = (name: string, value: string, type: ConfigType, doc: string, isDefault = true) => {
    if (rows.some((row) => row.name === name)) return;
    rows.push({ name, value, isDefault, secret: false, type, doc });
  };
  const at = (host: string, port: number) =>
    `PLAINTEXT://${host.includes(":") ? `[${host}]` : host}:${port}`;
  plain(
    "advertised.listeners",
    at(advertised.host, advertised.port),
    "string",
    "Where clients are told to connect.",
    false,
  );
  plain("listeners", `PLAINTEXT://${config.brokerAddr}`, "string", "Where it listens.", false);
  for (const [name, value, type, doc] of FIXED) plain(name, value, type, doc);
  return rows.sort((a, b) => a.name < b.name ? -1 : 1);
}

function settingRow(setting: Setting, value: unknown): Omit<BrokerConfigRow, "name"> {
  const text = value === null
    ? null
    : typeof value === "object"
    ? setting.kind.show(value)
    : String(value);
  return {
    value: text,
    isDefault: value === setting.default,
    secret: setting.secret === true,
    type: typeOf(setting, value),
    doc: setting.doc,
  };
}

function typeOf(setting: Setting, value: unknown): ConfigType {
  const sample = value ?? setting.default;
  if (typeof sample === "boolean") return "boolean";
  return typeof sample === "number" ? "long" : "string";
}

/** `cacheBytes` → `kafscale.cache.bytes`. */
function dottedName(key: string): string {
  return "kafscale." + key.replace(/[A-Z]/g, (letter) => "." + letter.toLowerCase());
}
