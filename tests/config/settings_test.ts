import { assert, assertEquals } from "@std/assert";
import { LATER_SETTINGS } from "../../core/config/later_settings.ts";
import { nearest } from "../../core/config/nearest.ts";
import {
  environmentNames,
  envName,
  flagName,
  type Setting,
  SETTING_KEYS,
  SETTINGS,
} from "../../core/config/mod.ts";

const rows: [string, Setting][] = SETTING_KEYS.map((key) => [key, SETTINGS[key]]);

Deno.test("names follow from the key", () => {
  assertEquals(envName("walBytes"), "KAFSCALE_WAL_BYTES");
  assertEquals(envName("useMemoryS3"), "KAFSCALE_USE_MEMORY_S3");
  assertEquals(flagName("groupMinSessionTimeoutMs"), "group-min-session-timeout-ms");
});

Deno.test("every default is a value of its setting, and reads back from how it is shown", () => {
  for (const [key, setting] of rows) {
    const { schema, show } = setting.kind;
    assertEquals(schema.parse(setting.default), setting.default, key);
    if (setting.default !== null) {
      assertEquals(schema.parse(show(setting.default)), setting.default);
    }
  }
});

Deno.test("every setting says what it does, in sentences", () => {
  for (const [key, setting] of rows) {
    assert(setting.doc.endsWith("."), key);
    assert(/^\d+\.\d+\.\d+$/.test(setting.since), key);
  }
});

Deno.test("no name is used twice, by aliases and later settings neither", () => {
  const names = [
    ...environmentNames().keys(),
    ...Object.keys(LATER_SETTINGS).map(envName),
  ];
  assertEquals(names.length, new Set(names).size);
  const kafka = rows.flatMap(([, { kafka }]) => kafka ?? []);
  assertEquals(kafka.length, new Set(kafka).size);
});

Deno.test("what looks like a secret is marked as one", () => {
  const looks = /password|secretkey|token/i;
  for (const [key, setting] of [...rows, ...Object.entries(LATER_SETTINGS)]) {
    if (looks.test(key)) assertEquals(setting.secret, true, key);
  }
});

Deno.test("KafScale's own names are all known", () => {
  const known = new Set([
    ...environmentNames().keys(),
    ...Object.keys(LATER_SETTINGS).map(envName),
  ]);
  const names = "BROKER_ID BROKER_ADDR BROKER_HOST BROKER_PORT S3_BUCKET S3_REGION S3_ENDPOINT " +
    "S3_ACCESS_KEY S3_SECRET_KEY S3_SESSION_TOKEN S3_PATH_STYLE S3_NAMESPACE S3_CONCURRENCY " +
    "S3_KMS_ARN S3_READ_BUCKET S3_READ_REGION S3_READ_ENDPOINT ETCD_ENDPOINTS ETCD_USERNAME " +
    "ETCD_PASSWORD METRICS_ADDR CONTROL_ADDR SEGMENT_BYTES FLUSH_INTERVAL_MS CACHE_BYTES " +
    "CACHE_SIZE READAHEAD_SEGMENTS LOG_LEVEL LOG_FORMAT AUTO_CREATE_TOPICS " +
    "AUTO_CREATE_PARTITIONS ALLOW_ADMIN_APIS USE_MEMORY_S3 OPS_TOKEN";
  for (const name of names.split(" ")) assert(known.has(`KAFSCALE_${name}`), name);
});

Deno.test("nearest() finds a close name and none that is far", () => {
  assertEquals(nearest("brokrId", ["brokerId", "rack"]), "brokerId");
  assertEquals(nearest("somethingElse", ["brokerId", "rack"]), undefined);
});
