/** The effective settings, from environment, file and flags. No I/O: main.ts hands them over. */
import { parseListenAddress } from "./address.ts";
import { LATER_SETTINGS, laterEnvironment } from "./later_settings.ts";
import { nearest } from "./nearest.ts";
import { checkProcessBrokers, processBrokers } from "./process_brokers.ts";
import {
  envName,
  flagName,
  type Setting,
  SETTING_KEYS,
  type SettingKey,
  SETTINGS,
} from "./settings.ts";

type Values = {
  readonly [K in SettingKey]: (typeof SETTINGS)[K] extends Setting<infer T> ? T : never;
};

/** Every setting's effective value, checked; `null` where a setting without a default is unset. */
export interface Config extends Values {}

/** Where a value came from; `derived` follows from another setting. */
export type Source = "default" | "file" | "environment" | "flag" | "derived";

export interface ConfigInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The parsed JSON of the file, if one was named; `name` is for messages. */
  readonly file?: { readonly name: string; readonly values: unknown } | undefined;
  /** By flag name without dashes (`wal-bytes`). */
  readonly flags: Readonly<Record<string, unknown>>;
}

export type ConfigResult =
  | {
    readonly ok: true;
    readonly config: Config;
    readonly sources: Readonly<Record<SettingKey, Source>>;
    /** One sentence each; nothing was ignored silently. */
    readonly warnings: readonly string[];
  }
  | {
    readonly ok: false;
    readonly errors: readonly string[];
    readonly warnings: readonly string[];
  };

interface Given {
  readonly source: Source;
  /** The name as the person wrote it, for messages. */
  readonly name: string;
  readonly raw: unknown;
}

/** Read by the front door itself, before there is a config. */
const FRONT_DOOR_ENV: readonly string[] = ["KAFSCALE_CONFIG"];

class Collector {
  readonly given = new Map<SettingKey, Given>();
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
}

/** The effective settings (flag > environment > file > default), or every reason against them. */
export function resolveConfig(input: ConfigInput): ConfigResult {
  const into = new Collector();
  readFile(input.file, into);
  readEnvironment(input.env, into);
  readFlags(input.flags, into);
  const values: Record<string, unknown> = {};
  const sources = {} as Record<SettingKey, Source>;
  for (const key of SETTING_KEYS) {
    const given = into.given.get(key);
    values[key] = given === undefined ? SETTINGS[key].default : check(key, given, into.errors);
    sources[key] = given?.source ?? "default";
  }
  if (into.errors.length === 0) derive(values, sources, into);
  if (into.errors.length > 0) return { ok: false, errors: into.errors, warnings: into.warnings };
  return { ok: true, config: values as unknown as Config, sources, warnings: into.warnings };
}

/** The defaults with `overrides`: for tests and for embedding; values are taken as they are. */
export function defaultConfig(overrides: Partial<Config> = {}): Config {
  const values: Record<string, unknown> = {};
  for (const key of SETTING_KEYS) values[key] = SETTINGS[key].default;
  return { ...values, ...overrides } as unknown as Config;
}

function check(key: SettingKey, given: Given, errors: string[]): unknown {
  const setting: Setting = SETTINGS[key];
  const result = setting.kind.schema.safeParse(given.raw);
  if (result.success) return result.data;
  const got = setting.secret ? "what was given" : JSON.stringify(given.raw);
  errors.push(`${given.name} must be ${setting.kind.expects}; got ${got}`);
  return undefined;
}

function readFile(file: ConfigInput["file"], into: Collector): void {
  if (file === undefined) return;
  const { name, values } = file;
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    into.errors.push(`${name} must hold one JSON object with setting names as keys`);
    return;
  }
  for (const [key, raw] of Object.entries(values)) {
    if (isSettingKey(key)) {
      into.given.set(key, { source: "file", name: `${key} in ${name}`, raw });
    } else if (key in LATER_SETTINGS) {
      into.errors.push(`${key} in ${name} is not available in this version; remove it`);
    } else {
      into.errors.push(`unknown setting ${key} in ${name}${suggest(key, SETTING_KEYS)}`);
    }
  }
}

function readEnvironment(env: ConfigInput["env"], into: Collector): void {
  const names = environmentNames();
  const set = Object.keys(env).filter((name) => name.startsWith("KAFSCALE_")).sort();
  for (const name of set) {
    const raw = env[name];
    // set to nothing is how shells and compose files say "not set"
    if (raw === undefined || raw === "" || FRONT_DOOR_ENV.includes(name)) continue;
    const key = names.get(name);
    if (key !== undefined) {
      if (name !== envName(key) && env[envName(key)]) {
        into.warnings.push(`${name} is not used, because ${envName(key)} is set too`);
      } else {
        into.given.set(key, { source: "environment", name, raw });
      }
    } else if (laterEnvironment(name) !== undefined) {
      into.warnings.push(
        laterEnvironment(name) === "later"
          ? `${name} is set, but not available in this version, and has no effect`
          : `${name} belongs to another KafScale program and has no effect on a broker`,
      );
    } else {
      const later = Object.keys(LATER_SETTINGS).map(envName);
      const known = [...names.keys(), ...later, ...FRONT_DOOR_ENV];
      into.warnings.push(`unknown setting ${name} has no effect${suggest(name, known)}`);
    }
  }
}

function readFlags(flags: ConfigInput["flags"], into: Collector): void {
  const names = new Map(SETTING_KEYS.map((key) => [flagName(key), key]));
  const later = new Set(Object.keys(LATER_SETTINGS).map(flagName));
  for (const [flag, raw] of Object.entries(flags)) {
    const key = names.get(flag);
    if (key !== undefined) into.given.set(key, { source: "flag", name: `--${flag}`, raw });
    else if (later.has(flag)) {
      into.errors.push(`--${flag} is not available in this version; leave it out`);
    } else {
      const known = [...names.keys()].map((name) => `--${name}`);
      into.errors.push(`unknown flag --${flag}${suggest(`--${flag}`, known)}`);
    }
  }
}

/** What one setting means for another. */
function derive(
  values: Record<string, unknown>,
  sources: Record<SettingKey, Source>,
  into: Collector,
): void {
  const { errors } = into;
  deriveBucket(values, sources, into);
  if (values.useMemoryS3 === true && values.storage !== "memory") {
    if (sources.storage !== "default") {
      errors.push(
        `KAFSCALE_USE_MEMORY_S3 asks for storage memory, but storage is ${values.storage}; ` +
          "set only one of them",
      );
    }
    values.storage = "memory";
    sources.storage = "derived";
  }
  deriveMetadata(values, sources, errors);
  const atMost = (smaller: SettingKey, larger: SettingKey) => {
    if ((values[smaller] as number) <= (values[larger] as number)) return;
    errors.push(
      `${envName(smaller)} (${values[smaller]}) must not be above ` +
        `${envName(larger)} (${values[larger]})`,
    );
  };
  if (values.readOnly === true && (values.cluster !== true || values.rack === null)) {
    errors.push(
      "KAFSCALE_READ_ONLY is for a broker of a cluster whose rack sends it readers; set " +
        "KAFSCALE_CLUSTER=true and KAFSCALE_RACK",
    );
  }
  checkProcessBrokers(values, errors);
  checkAddresses(values as unknown as Config, errors);
  atMost("groupMinSessionTimeoutMs", "groupMaxSessionTimeoutMs");
  atMost("maxMessageBytes", "maxFrameBytes");
  atMost("s3LatencyWarnMs", "s3LatencyCritMs");
  atMost("s3ErrorRateWarn", "s3ErrorRateCrit");
}

/** Which metadata driver was asked for; never another one than that. */
function deriveMetadata(
  values: Record<string, unknown>,
  sources: Record<SettingKey, Source>,
  errors: string[],
): void {
  const endpoints = envName("etcdEndpoints");
  if (sources.metadata === "default") {
    const driver = values.etcdEndpoints !== null
      ? "etcd"
      : values.storage === "memory"
      ? "memory"
      : undefined;
    if (driver !== undefined) {
      values.metadata = driver;
      sources.metadata = "derived";
    }
  } else if (values.metadata === "etcd" && values.etcdEndpoints === null) {
    errors.push(`KAFSCALE_METADATA=etcd needs ${endpoints}; set it to etcd's HOST:PORT`);
  } else if (["embedded", "memory"].includes(String(values.metadata))) {
    if (values.etcdEndpoints !== null) {
      errors.push(
        `${endpoints} asks for metadata etcd, but metadata is ${values.metadata}; set only one ` +
          "of them",
      );
    }
  }
  const both = (one: SettingKey, other: SettingKey) => {
    if ((values[one] === null) === (values[other] === null)) return;
    errors.push(`${envName(one)} and ${envName(other)} go together; set both of them or none`);
  };
  both("etcdUsername", "etcdPassword");
  both("etcdCertFile", "etcdKeyFile");
}

/** A bucket means an object store: a broker must never keep its data elsewhere without a word. */
function deriveBucket(
  values: Record<string, unknown>,
  sources: Record<SettingKey, Source>,
  into: Collector,
): void {
  const set = (key: SettingKey) => values[key] !== null;
  if (set("s3Bucket") && values.useMemoryS3 === true) {
    into.errors.push("KAFSCALE_USE_MEMORY_S3 and KAFSCALE_S3_BUCKET are set; set only one of them");
  } else if (set("s3Bucket") && sources.storage === "default") {
    values.storage = "s3";
    sources.storage = "derived";
  } else if (set("s3Bucket") && (values.storage === "file" || values.storage === "memory")) {
    into.warnings.push(`KAFSCALE_S3_BUCKET is not used, because storage is ${values.storage}`);
  }
  const together = (key: SettingKey, other: SettingKey) => {
    if (!set(key) || set(other)) return;
    into.errors.push(`${envName(key)} is set without ${envName(other)}; set both`);
  };
  together("s3AccessKey", "s3SecretKey");
  together("s3SecretKey", "s3AccessKey");
  together("s3SessionToken", "s3AccessKey");
  together("s3ReadAccessKey", "s3ReadSecretKey");
  together("s3ReadSecretKey", "s3ReadAccessKey");
  together("s3ReadSessionToken", "s3ReadAccessKey");
  const needs = (key: SettingKey, what: string) => {
    if (set(key)) return;
    into.errors.push(`storage ${values.storage} needs ${envName(key)}: ${what}`);
  };
  const inBucket = values.storage === "s3" || values.storage === "minio";
  if (inBucket) needs("s3Bucket", "set it to a bucket that exists");
  if (values.storage === "minio") {
    needs("s3Endpoint", "set it to MinIO's URL");
    needs("s3AccessKey", "set it to a user's name or an access key");
  }
}

/** Two listeners on one port: the second to start would blame another program. */
function checkAddresses(config: Config, errors: string[]): void {
  const { metricsAddr, controlAddr } = config;
  const brokers = processBrokers(config).map(({ brokerAddr }) => brokerAddr);
  const listeners: [name: string, text: string][] = [
    ...brokers.map((each): [string, string] => ["KAFSCALE_BROKER_ADDR", each]),
    ["KAFSCALE_METRICS_ADDR", metricsAddr ?? ""],
    ["KAFSCALE_CONTROL_ADDR", controlAddr ?? ""],
  ];
  // brokers of one process have ports of their own already
  for (let later = brokers.length; later < listeners.length; later++) {
    for (let earlier = 0; earlier < later; earlier++) {
      const [one, other] = [listeners[later]!, listeners[earlier]!];
      if (!overlap(one[1], other[1])) continue;
      errors.push(`${one[0]} (${one[1]}) and ${other[0]} (${other[1]}) must not be the same port`);
    }
  }
}

/** Whether two addresses cannot be listened on by one machine; what is none is told elsewhere. */
function overlap(one: string, other: string): boolean {
  const [a, b] = [parseListenAddress(one), parseListenAddress(other)];
  if (a === undefined || b === undefined || a.port !== b.port || a.port === 0) return false;
  const everywhere = [a, b].some(({ host }) => host === "0.0.0.0" || host === "::");
  return a.host === b.host || everywhere;
}

function isSettingKey(name: string): name is SettingKey {
  return Object.hasOwn(SETTINGS, name);
}

/** Environment name, aliases included → setting. */
export function environmentNames(): Map<string, SettingKey> {
  const names = new Map<string, SettingKey>();
  for (const key of SETTING_KEYS) {
    const setting: Setting = SETTINGS[key];
    names.set(envName(key), key);
    for (const alias of setting.aliases ?? []) names.set(alias, key);
  }
  return names;
}

/** `; did you mean X?`, or nothing when no name is near. */
export function suggest(name: string, known: Iterable<string>): string {
  const near = nearest(name, known);
  return near === undefined ? "" : `; did you mean ${near}?`;
}
