import { assert, assertEquals } from "@std/assert";
import {
  advertisedAddress,
  defaultConfig,
  listenAddress,
  parseListenAddress,
  processBrokers,
  resolveConfig,
} from "../../core/config/mod.ts";

const NOTHING = { env: {}, flags: {} };

function errorsOf(input: Partial<Parameters<typeof resolveConfig>[0]>): readonly string[] {
  const result = resolveConfig({ ...NOTHING, ...input });
  assert(!result.ok);
  return result.errors;
}

function configOf(input: Partial<Parameters<typeof resolveConfig>[0]>) {
  const result = resolveConfig({ ...NOTHING, ...input });
  assert(result.ok, result.ok ? "" : result.errors.join("; "));
  return result;
}

Deno.test("resolveConfig() gives the defaults when nothing is set", () => {
  const { config, sources, warnings } = configOf({});
  assertEquals({ ...config }, { ...defaultConfig() });
  assertEquals(new Set(Object.values(sources)), new Set(["default"]));
  assertEquals(warnings, []);
});

Deno.test("resolveConfig() prefers flag over environment over file over default", () => {
  const file = { name: "b.json", values: { brokerId: 1, rack: "a", logLevel: "warn" } };
  const env = { KAFSCALE_BROKER_ID: "2", KAFSCALE_RACK: "b" };
  const { config, sources } = configOf({ file, env, flags: { "broker-id": "3" } });
  assertEquals([config.brokerId, config.rack, config.logLevel], [3, "b", "warn"]);
  assertEquals([sources.brokerId, sources.rack, sources.logLevel, sources.dataDir], [
    "flag",
    "environment",
    "file",
    "default",
  ]);
});

Deno.test("resolveConfig() reads sizes as bytes or with a unit of powers of 1,024", () => {
  const sizes = {
    "8388608": 8388608,
    "8MiB": 8388608,
    "8mb": 8388608,
    "8m": 8388608,
    "1.5g": 1610612736,
  };
  for (const [text, bytes] of Object.entries(sizes)) {
    assertEquals(configOf({ env: { KAFSCALE_WAL_BYTES: text } }).config.walBytes, bytes, text);
  }
  const file = { name: "b.json", values: { walBytes: 8388608 } };
  assertEquals(configOf({ file }).config.walBytes, 8388608);
});

Deno.test("resolveConfig() reads booleans in the forms that people use", () => {
  for (const text of ["true", "1", "yes", "on", "TRUE"]) {
    const env = { KAFSCALE_AUTO_CREATE_TOPICS: text };
    assertEquals(configOf({ env }).config.autoCreateTopics, true, text);
  }
  for (const text of ["false", "0", "no", "off"]) {
    const env = { KAFSCALE_AUTO_CREATE_TOPICS: text };
    assertEquals(configOf({ env }).config.autoCreateTopics, false, text);
  }
});

Deno.test("resolveConfig() says what a wrong value must be, whatever the source", () => {
  assertEquals(errorsOf({ env: { KAFSCALE_SEGMENT_BYTES: "lots" } }), [
    'KAFSCALE_SEGMENT_BYTES must be a size from 64KiB to 1GiB, in bytes or like 64MiB; got "lots"',
  ]);
  assertEquals(errorsOf({ flags: { "broker-id": "-1" } }), [
    '--broker-id must be a whole number from 0 to 2147483647; got "-1"',
  ]);
  assertEquals(errorsOf({ file: { name: "b.json", values: { logLevel: "loud" } } }), [
    'logLevel in b.json must be one of debug, info, warn, error; got "loud"',
  ]);
  assertEquals(errorsOf({ env: { KAFSCALE_BROKER_ADDR: "9092" } }), [
    'KAFSCALE_BROKER_ADDR must be HOST:PORT, :PORT for every interface, or [IPv6]:PORT; got "9092"',
  ]);
});

Deno.test("resolveConfig() tells every error at once", () => {
  const env = { KAFSCALE_BROKER_ID: "x", KAFSCALE_LOG_LEVEL: "y" };
  assertEquals(errorsOf({ env, flags: { nope: "1" } }).length, 3);
});

Deno.test("resolveConfig() warns of an unknown variable with the nearest name", () => {
  const { warnings } = configOf({ env: { KAFSCALE_WAL_BYTE: "1", OTHER: "x" } });
  assertEquals(warnings, [
    "unknown setting KAFSCALE_WAL_BYTE has no effect; did you mean KAFSCALE_WAL_BYTES?",
  ]);
});

Deno.test("resolveConfig() refuses unknown flags and file keys with the nearest name", () => {
  assertEquals(errorsOf({ flags: { "broker-adr": ":1" } }), [
    "unknown flag --broker-adr; did you mean --broker-addr?",
  ]);
  assertEquals(errorsOf({ file: { name: "b.json", values: { brokrId: 1 } } }), [
    "unknown setting brokrId in b.json; did you mean brokerId?",
  ]);
  assertEquals(errorsOf({ file: { name: "b.json", values: [] } }), [
    "b.json must hold one JSON object with setting names as keys",
  ]);
});

Deno.test("resolveConfig() names later parts' settings that are set, without the value", () => {
  const env = { KAFSCALE_ACL_JSON: "hunter2", KAFSCALE_UI_PASSWORD: "hunter3" };
  const { warnings } = configOf({ env });
  assertEquals(warnings, [
    "KAFSCALE_ACL_JSON is set, but not available in this version, and has no effect",
    "KAFSCALE_UI_PASSWORD belongs to another KafScale program and has no effect on a broker",
  ]);
  assertEquals(errorsOf({ flags: { "acl-json": "e" } }), [
    "--acl-json is not available in this version; leave it out",
  ]);
  assertEquals(errorsOf({ file: { name: "b.json", values: { aclJson: "e" } } }), [
    "aclJson in b.json is not available in this version; remove it",
  ]);
});

Deno.test("resolveConfig() takes KAFSCALE_CACHE_SIZE unless KAFSCALE_CACHE_BYTES is set", () => {
  assertEquals(configOf({ env: { KAFSCALE_CACHE_SIZE: "32MiB" } }).config.cacheBytes, 33554432);
  const both = configOf({ env: { KAFSCALE_CACHE_SIZE: "32MiB", KAFSCALE_CACHE_BYTES: "16MiB" } });
  assertEquals(both.config.cacheBytes, 16777216);
  assertEquals(both.warnings, [
    "KAFSCALE_CACHE_SIZE is not used, because KAFSCALE_CACHE_BYTES is set too",
  ]);
});

Deno.test("resolveConfig() reads a variable that is set to nothing as not set", () => {
  assertEquals(configOf({ env: { KAFSCALE_BROKER_ID: "" } }).sources.brokerId, "default");
});

Deno.test("resolveConfig() follows KAFSCALE_USE_MEMORY_S3 into storage and metadata", () => {
  const { config, sources } = configOf({ env: { KAFSCALE_USE_MEMORY_S3: "1" } });
  assertEquals([config.storage, config.metadata], ["memory", "memory"]);
  assertEquals([sources.storage, sources.metadata], ["derived", "derived"]);
  const kept = configOf({
    env: { KAFSCALE_STORAGE: "memory", KAFSCALE_METADATA: "embedded" },
  });
  assertEquals(kept.config.metadata, "embedded");
  assertEquals(
    errorsOf({ env: { KAFSCALE_USE_MEMORY_S3: "1", KAFSCALE_STORAGE: "file" } }).length,
    1,
  );
});

Deno.test("resolveConfig() takes storage s3 from KAFSCALE_S3_BUCKET unless another is set", () => {
  const bucket = { KAFSCALE_S3_BUCKET: "logs" };
  const { config, sources } = configOf({ env: bucket });
  assertEquals([config.storage, config.s3Bucket, config.metadata], ["s3", "logs", "embedded"]);
  assertEquals(sources.storage, "derived");
  const keys = { KAFSCALE_S3_ACCESS_KEY: "a", KAFSCALE_S3_SECRET_KEY: " s \n" };
  const minio = { KAFSCALE_S3_ENDPOINT: "http://localhost:9000", KAFSCALE_STORAGE: "minio" };
  const asked = configOf({ env: { ...bucket, ...keys, ...minio } });
  assertEquals([asked.config.storage, asked.config.s3SecretKey], ["minio", "s"]);
  assertEquals(configOf({ env: { ...bucket, KAFSCALE_STORAGE: "file" } }).warnings, [
    "KAFSCALE_S3_BUCKET is not used, because storage is file",
  ]);
  assertEquals(errorsOf({ env: { ...bucket, KAFSCALE_USE_MEMORY_S3: "1" } }), [
    "KAFSCALE_USE_MEMORY_S3 and KAFSCALE_S3_BUCKET are set; set only one of them",
  ]);
});

Deno.test("resolveConfig() says what an object store needs, and never prints a secret", () => {
  assertEquals(errorsOf({ env: { KAFSCALE_STORAGE: "s3" } }), [
    "storage s3 needs KAFSCALE_S3_BUCKET: set it to a bucket that exists",
  ]);
  assertEquals(errorsOf({ env: { KAFSCALE_STORAGE: "minio" } }).length, 3);
  const env = { KAFSCALE_S3_BUCKET: "logs", KAFSCALE_S3_ACCESS_KEY: "a" };
  assertEquals(errorsOf({ env }), [
    "KAFSCALE_S3_ACCESS_KEY is set without KAFSCALE_S3_SECRET_KEY; set both",
  ]);
  for (const wrong of ["minio:9000", "ftp://x", "http://", "http://h/?q"]) {
    assertEquals(errorsOf({ env: { KAFSCALE_S3_ENDPOINT: wrong } }).length, 1, wrong);
  }
  const secret = errorsOf({ env: { KAFSCALE_S3_SECRET_KEY: "hunter2\nhunter3" } });
  assertEquals(secret, ["KAFSCALE_S3_SECRET_KEY must be a text of one line; got what was given"]);
});

Deno.test("resolveConfig() checks settings against each other", () => {
  const env = {
    KAFSCALE_GROUP_MIN_SESSION_TIMEOUT_MS: "5000",
    KAFSCALE_GROUP_MAX_SESSION_TIMEOUT_MS: "4000",
  };
  assertEquals(errorsOf({ env }), [
    "KAFSCALE_GROUP_MIN_SESSION_TIMEOUT_MS (5000) must not be above " +
    "KAFSCALE_GROUP_MAX_SESSION_TIMEOUT_MS (4000)",
  ]);
});

Deno.test("resolveConfig() takes a read-only broker only in a cluster, with a rack", () => {
  const readOnly = { KAFSCALE_READ_ONLY: "true" };
  for (const more of [{}, { KAFSCALE_CLUSTER: "true" }, { KAFSCALE_RACK: "a" }]) {
    assertEquals(
      errorsOf({ env: { ...readOnly, ...more } }).filter((text) => /READ_ONLY/.test(text)),
      [
        "KAFSCALE_READ_ONLY is for a broker of a cluster whose rack sends it readers; set " +
        "KAFSCALE_CLUSTER=true and KAFSCALE_RACK",
      ],
    );
  }
  configOf({ env: { ...readOnly, KAFSCALE_CLUSTER: "true", KAFSCALE_RACK: "a" } });
});

Deno.test("resolveConfig() takes a number of brokers for one process, with what it can do", () => {
  const env = { KAFSCALE_CLUSTER: "3" };
  assertEquals(configOf({ env }).config.cluster, 3);
  assertEquals(configOf({ env, file: { name: "f", values: { cluster: 2 } } }).config.cluster, 3);
  assertEquals(
    configOf({ env: {}, file: { name: "f", values: { cluster: 2 } } }).config.cluster,
    2,
  );
  assertEquals(configOf({ env: { KAFSCALE_CLUSTER: "1" } }).config.cluster, true);
  for (const wrong of ["10", "-2", "2.5", "three"]) {
    assertEquals(errorsOf({ env: { KAFSCALE_CLUSTER: wrong } }), [
      `KAFSCALE_CLUSTER must be true, false, or a whole number from 2 to 9; got "${wrong}"`,
    ]);
  }
  const asked = "KAFSCALE_CLUSTER=3 starts 3 brokers in one process";
  const against: Readonly<Record<string, string>> = {
    KAFSCALE_ETCD_ENDPOINTS: "etcd:2379",
    KAFSCALE_BROKER_PORT: "9092",
    KAFSCALE_BROKER_ADDR: ":65400",
    KAFSCALE_BROKER_ID: "2147483646",
  };
  for (const [name, value] of Object.entries(against)) {
    const [error, ...others] = errorsOf({ env: { ...env, [name]: value } });
    assertEquals([error!.startsWith(asked), error!.includes(name), others.length], [true, true, 0]);
  }
  assertEquals(
    errorsOf({ env: { ...env, KAFSCALE_BROKER_ADDR: ":8993", KAFSCALE_METRICS_ADDR: ":9193" } }),
    ["KAFSCALE_METRICS_ADDR (:9193) and KAFSCALE_BROKER_ADDR (:9193) must not be the same port"],
  );
});

Deno.test("processBrokers() gives each its id and port, and HTTP to the first", () => {
  const one = defaultConfig();
  assertEquals(processBrokers(one), [one]);
  const settings = { cluster: 3, brokerId: 4, brokerAddr: "[::1]:9000", metricsAddr: ":9001" };
  assertEquals(
    processBrokers(defaultConfig(settings)).map((each) => [
      each.cluster,
      each.brokerId,
      each.brokerAddr,
      each.metricsAddr,
    ]),
    [
      [true, 4, "[::1]:9000", ":9001"],
      [true, 5, "[::1]:9100", null],
      [true, 6, "[::1]:9200", null],
    ],
  );
  const anyPort = processBrokers(defaultConfig({ cluster: 2, brokerAddr: ":0" }));
  assertEquals(anyPort.map(({ brokerAddr }) => brokerAddr), [":0", ":0"]);
});

Deno.test("resolveConfig() refuses two servers on one port", () => {
  const at = (broker: string, metrics: string) => ({
    env: { KAFSCALE_BROKER_ADDR: broker, KAFSCALE_METRICS_ADDR: metrics },
  });
  assertEquals(errorsOf(at(":9093", "127.0.0.1:9093")), [
    "KAFSCALE_METRICS_ADDR (127.0.0.1:9093) and KAFSCALE_BROKER_ADDR (:9093) must not be the " +
    "same port",
  ]);
  assertEquals(
    errorsOf({ env: { KAFSCALE_CONTROL_ADDR: "10.0.0.1:9093" } }),
    [
      "KAFSCALE_CONTROL_ADDR (10.0.0.1:9093) and KAFSCALE_METRICS_ADDR (:9093) must not be the " +
      "same port",
    ],
  );
  assertEquals(
    errorsOf({ env: { KAFSCALE_CLUSTER: "2", KAFSCALE_CONTROL_ADDR: ":9192" } }),
    ["KAFSCALE_CONTROL_ADDR (:9192) and KAFSCALE_BROKER_ADDR (:9192) must not be the same port"],
  );
  configOf({ env: { KAFSCALE_CONTROL_ADDR: ":9094" } });
  configOf(at("10.0.0.1:9093", "10.0.0.2:9093"));
  configOf(at("127.0.0.1:0", "127.0.0.1:0"));
  configOf(at(":9092", "off"));
});

Deno.test("resolveConfig() reads lists, amounts and objects from text and from the file", () => {
  const { config } = configOf({
    env: {
      KAFSCALE_PLUGINS: "ops, ./mine.ts",
      KAFSCALE_METRICS_ADDR: "OFF",
      KAFSCALE_STORE_PRICES: "put=.005, storage=0.023",
      KAFSCALE_PLUGIN_SETTINGS: '{"mine": {"colour": "red"}}',
    },
  });
  assertEquals(config.plugins, ["ops", "./mine.ts"]);
  assertEquals(config.metricsAddr, null);
  assertEquals(config.storePrices?.put, 0.005);
  assertEquals([config.storePrices?.storage, config.storePrices?.get], [0.023, 0]);
  assertEquals(config.pluginSettings, { mine: { colour: "red" } });
  const values = { plugins: ["metrics"], storePrices: { get: 1 }, pluginSettings: { a: {} } };
  const file = configOf({ file: { name: "f", values } }).config;
  assertEquals([file.plugins, file.storePrices?.get], [["metrics"], 1]);
  assertEquals(configOf({ env: { KAFSCALE_PLUGINS: "none" } }).config.plugins, []);
  for (const wrong of ["put=x", "put", "putt=1", "put=-1"]) {
    assertEquals(errorsOf({ env: { KAFSCALE_STORE_PRICES: wrong } }).length, 1, wrong);
  }
  assertEquals(errorsOf({ env: { KAFSCALE_PLUGINS: "no spaces" } }).length, 1);
  assertEquals(errorsOf({ env: { KAFSCALE_PLUGIN_SETTINGS: '{"a": 1}' } }), [
    "KAFSCALE_PLUGIN_SETTINGS must be a JSON object of objects, like " +
    '{"my_plugin": {"colour": "red"}}; got what was given',
  ]);
});

Deno.test("parseListenAddress() takes :PORT, HOST:PORT and [IPv6]:PORT, and nothing else", () => {
  assertEquals(parseListenAddress(":9092"), { host: "0.0.0.0", port: 9092 });
  assertEquals(parseListenAddress("localhost:0"), { host: "localhost", port: 0 });
  assertEquals(parseListenAddress("[::1]:9092"), { host: "::1", port: 9092 });
  for (const wrong of ["", "9092", "host", "host:", "host:70000", "::1:9092", "a b:1", "x/y:1"]) {
    assertEquals(parseListenAddress(wrong), undefined, wrong);
  }
});

Deno.test("advertisedAddress() is what is set, else what is listened on, never a wildcard", () => {
  const any = { host: "0.0.0.0", port: 9092 };
  assertEquals(advertisedAddress(defaultConfig(), any), { host: "127.0.0.1", port: 9092 });
  assertEquals(advertisedAddress(defaultConfig(), { host: "10.0.0.7", port: 41000 }), {
    host: "10.0.0.7",
    port: 41000,
  });
  const set = defaultConfig({ brokerHost: "kafka.example.com", brokerPort: 443 });
  assertEquals(advertisedAddress(set, any), { host: "kafka.example.com", port: 443 });
  assertEquals(listenAddress(defaultConfig()), any);
});

Deno.test("resolveConfig() takes etcd for metadata where endpoints are set, and never else", () => {
  const metadata = (env: Record<string, string>) => {
    const result = resolveConfig({ env, flags: {} });
    return result.ok ? result.config.metadata : result.errors;
  };
  const KAFSCALE_ETCD_ENDPOINTS = "localhost:2379, https://[::1]:2379";
  assertEquals(metadata({}), "embedded");
  assertEquals(metadata({ KAFSCALE_ETCD_ENDPOINTS }), "etcd");
  assertEquals(metadata({ KAFSCALE_ETCD_ENDPOINTS, KAFSCALE_METADATA: "etcd" }), "etcd");
  assertEquals(metadata({ KAFSCALE_ETCD_ENDPOINTS, KAFSCALE_STORAGE: "memory" }), "etcd");
  assertEquals(metadata({ KAFSCALE_METADATA: "etcd" }), [
    "KAFSCALE_METADATA=etcd needs KAFSCALE_ETCD_ENDPOINTS; set it to etcd's HOST:PORT",
  ]);
  assertEquals(metadata({ KAFSCALE_ETCD_ENDPOINTS, KAFSCALE_METADATA: "embedded" }), [
    "KAFSCALE_ETCD_ENDPOINTS asks for metadata etcd, but metadata is embedded; set only one of " +
    "them",
  ]);
  assertEquals(metadata({ KAFSCALE_ETCD_ENDPOINTS, KAFSCALE_ETCD_USERNAME: "root" }), [
    "KAFSCALE_ETCD_USERNAME and KAFSCALE_ETCD_PASSWORD go together; set both of them or none",
  ]);
  for (const wrong of ["localhost", "ftp://a:1", "a:1;b:2", "a:1,"]) {
    assertEquals(metadata({ KAFSCALE_ETCD_ENDPOINTS: wrong }), [
      "KAFSCALE_ETCD_ENDPOINTS must be HOST:PORT, http://HOST:PORT or https://HOST:PORT, several " +
      `separated by commas; got "${wrong}"`,
    ]);
  }
});
