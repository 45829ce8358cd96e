import { assert, assertEquals, assertGreater } from "@std/assert";
import { describeConfigsHandler } from "../../core/handlers/32_describe_configs.ts";
import { alterConfigsHandler } from "../../core/handlers/33_alter_configs.ts";
import {
  incrementalAlterConfigsHandler,
} from "../../core/handlers/44_incremental_alter_configs.ts";
import { describeConfigs } from "../../core/protocol/messages/32_describe_configs.ts";
import { TOPIC_CONFIGS } from "../../core/metadata/topic_config.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { TopicRooms } from "./topic_rooms.ts";

const TOPIC = 2;
const BROKER = 4;
const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

function ask(resourceType: number, resourceName: string, keys: string[] | null = null) {
  const resources = [{ resourceType, resourceName, configurationKeys: keys }];
  return { resources, includeSynonyms: true, includeDocumentation: true };
}

async function describe(rooms: TopicRooms, ...of: Parameters<typeof ask>) {
  return (await rooms.call(describeConfigsHandler, ask(...of))).results[0]!;
}

async function alter(rooms: TopicRooms, name: string, configs: Record<string, string | null>) {
  const pairs = Object.entries(configs).map(([name, value]) => ({ name, value }));
  const resources = [{ resourceType: TOPIC, resourceName: name, configs: pairs }];
  const { responses } = await rooms.call(alterConfigsHandler, { resources });
  return responses[0]!;
}

type Step = [operation: number, name: string, value?: string | null];

async function increment(rooms: TopicRooms, topic: string, steps: Step[], validateOnly = false) {
  const configs = steps.map(([configOperation, name, value = null]) => ({
    configOperation,
    name,
    value,
  }));
  const resources = [{ resourceType: TOPIC, resourceName: topic, configs }];
  const request = { resources, validateOnly };
  return (await rooms.call(incrementalAlterConfigsHandler, request)).responses[0]!;
}

function overrides(rooms: TopicRooms, topic: string): Record<string, string> {
  return Object.fromEntries(rooms.topics.byName(topic)!.configs);
}

Deno.test("describeConfigsHandler tells all topic configs in every version", async () => {
  await using rooms = await TopicRooms.start({ orders: 1 });
  await alter(rooms, "orders", { "retention.ms": "1000" });
  const { minVersion, maxVersion } = describeConfigs;
  for (let version = minVersion; version <= maxVersion; version++) {
    const { results } = await rooms.call(describeConfigsHandler, ask(TOPIC, "orders"), version);
    assertEquals(results[0]!.errorCode, ErrorCode.NONE);
    assertEquals(results[0]!.configs.map(({ name }) => name), [...TOPIC_CONFIGS.keys()]);
    const config = results[0]!.configs.find(({ name }) => name === "retention.ms")!;
    assertEquals([config.value, config.configSource, config.readOnly], ["1000", 1, false]);
    assertEquals(config.synonyms, [
      { name: "retention.ms", value: "1000", source: 1 },
      { name: "log.retention.ms", value: "604800000", source: 5 },
    ]);
    assertEquals(config.configType, version >= 3 ? 5 : 0);
    assertEquals(config.documentation !== null && config.documentation !== "", version >= 3);
  }
});

Deno.test("describeConfigsHandler tells inherited values and where they come from", async () => {
  await using rooms = await TopicRooms.start({ orders: 1 }, { segmentBytes: 65_536 });
  const { configs } = await describe(rooms, TOPIC, "orders", ["segment.bytes", "nonsense"]);
  assertEquals(configs.length, 1, "unknown keys are left out");
  assertEquals([configs[0]!.value, configs[0]!.configSource], ["65536", 4]);
  assertEquals((await describe(rooms, TOPIC, "orders", [])).configs.length, TOPIC_CONFIGS.size);
});

Deno.test("describeConfigsHandler leaves synonyms and docs out unless asked for", async () => {
  await using rooms = await TopicRooms.start({ orders: 1 });
  const request = { ...ask(TOPIC, "orders"), includeSynonyms: false, includeDocumentation: false };
  const { results } = await rooms.call(describeConfigsHandler, request);
  for (const { synonyms, documentation } of results[0]!.configs) {
    assertEquals([synonyms, documentation], [[], null]);
  }
});

Deno.test("describeConfigsHandler tells the broker's configs, all read-only", async () => {
  await using rooms = await TopicRooms.start({}, { cacheBytes: 123_456_789 });
  const { errorCode, configs } = await describe(rooms, BROKER, "7");
  assertEquals(errorCode, ErrorCode.NONE);
  const values = new Map(configs.map(({ name, value }) => [name, value]));
  assertEquals(values.size, configs.length, "each name once");
  assertEquals(values.get("advertised.listeners"), "PLAINTEXT://seven:9092");
  assertEquals(values.get("kafscale.cache.bytes"), "123456789");
  assertEquals(values.get("kafscale.segment.bytes"), "4194304");
  assertEquals(values.get("log.retention.ms"), "604800000");
  for (
    const name of [
      "broker.id",
      "num.partitions",
      "message.max.bytes",
      "default.replication.factor",
      "kafscale.readahead.segments",
      "kafscale.flush.interval.ms",
    ]
  ) assert(values.has(name), name);
  assert(configs.every(({ readOnly }) => readOnly));
  const cache = configs.find(({ name }) => name === "kafscale.cache.bytes")!;
  assertEquals([cache.configSource, cache.configType], [4, 5]);
  assertEquals((await describe(rooms, BROKER, "")).configs, []);
});

Deno.test("describeConfigsHandler tells the bucket, and no secret of it", async () => {
  await using rooms = await TopicRooms.start({}, {
    s3Bucket: "logs",
    s3Region: "eu-west-1",
    s3Endpoint: "http://store:9000",
    s3SecretKey: "hunter2",
  });
  const { configs } = await describe(rooms, BROKER, "7");
  const values = new Map(configs.map((config) => [config.name, config]));
  assertEquals(values.get("kafscale.s3.bucket")?.value, "logs");
  assertEquals(values.get("kafscale.s3.region")?.value, "eu-west-1");
  assertEquals(values.get("kafscale.s3.endpoint")?.value, "http://store:9000");
  const secret = values.get("kafscale.s3.secret.key")!;
  assertEquals([secret.value, secret.isSensitive], [null, true]);
});

Deno.test("describeConfigsHandler refuses what has no configs here", async () => {
  await using rooms = await TopicRooms.start();
  const codes = [];
  const resources = [[TOPIC, "none"], [TOPIC, ".."], [BROKER, "9"], [BROKER, "x"], [32, "g"]];
  for (const [type, name] of resources) {
    const { errorCode, errorMessage } = await describe(rooms, type as number, name as string);
    assertGreater(errorMessage!.length, 10);
    codes.push(errorCode);
  }
  assertEquals(codes, [
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.INVALID_TOPIC_EXCEPTION,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.INVALID_REQUEST,
  ]);
});

Deno.test("alterConfigsHandler replaces all overrides", async () => {
  await using rooms = await TopicRooms.start({ orders: 1 });
  await alter(rooms, "orders", { "retention.ms": "1000", "retention.bytes": "5" });
  assertEquals((await alter(rooms, "orders", { "segment.ms": "7" })).errorCode, 0);
  assertEquals(overrides(rooms, "orders"), { "segment.ms": "7" });
});

Deno.test("alterConfigsHandler changes a topic whole or not at all", async () => {
  await using rooms = await TopicRooms.start({ orders: 1 });
  const { errorCode } = await alter(rooms, "orders", {
    "retention.ms": "1000",
    "cleanup.policy": "erase",
  });
  assertEquals(errorCode, ErrorCode.INVALID_CONFIG);
  assertEquals(overrides(rooms, "orders"), {});
  assertEquals(
    (await alter(rooms, "orders", { "retention.ms": null })).errorCode,
    ErrorCode.INVALID_CONFIG,
  );
  assertEquals(
    (await alter(rooms, "none", { "retention.ms": "1" })).errorCode,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  );
});

Deno.test("alterConfigsHandler refuses brokers, other resources and repetitions", async () => {
  await using rooms = await TopicRooms.start({ orders: 1 });
  const configs = [{ name: "retention.ms", value: "1" }];
  const resources = [
    { resourceType: BROKER, resourceName: "7", configs },
    { resourceType: 8, resourceName: "7", configs },
    { resourceType: 16, resourceName: "m", configs },
    { resourceType: TOPIC, resourceName: "orders", configs },
    { resourceType: TOPIC, resourceName: "orders", configs },
  ];
  const { responses } = await rooms.call(alterConfigsHandler, { resources });
  assertEquals(responses.map(({ errorCode }) => errorCode), [
    ErrorCode.INVALID_CONFIG,
    ErrorCode.INVALID_CONFIG,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.INVALID_REQUEST,
  ]);
  const twice = { resourceType: TOPIC, resourceName: "orders", configs: [...configs, ...configs] };
  const answer = await rooms.call(alterConfigsHandler, { resources: [twice] });
  assertEquals(answer.responses[0]!.errorCode, ErrorCode.INVALID_REQUEST);
  assertEquals(overrides(rooms, "orders"), {});
});

Deno.test("incrementalAlterConfigsHandler sets, deletes, appends and subtracts", async () => {
  await using rooms = await TopicRooms.start({ orders: 1 });
  const list = "leader.replication.throttled.replicas";
  await increment(rooms, "orders", [[SET, "retention.ms", " 1000 "], [SET, list, "0:1"]]);
  assertEquals(overrides(rooms, "orders"), { "retention.ms": "1000", [list]: "0:1" });
  const { errorCode } = await increment(rooms, "orders", [
    [DELETE, "retention.ms"],
    [APPEND, list, "1:1,0:1"],
  ]);
  assertEquals(errorCode, ErrorCode.NONE);
  assertEquals(overrides(rooms, "orders"), { [list]: "0:1,1:1" });
  await increment(rooms, "orders", [[SUBTRACT, list, "0:1"]]);
  assertEquals(overrides(rooms, "orders"), { [list]: "1:1" });
  await increment(rooms, "orders", [[APPEND, "cleanup.policy", "delete"]]);
  assertEquals(overrides(rooms, "orders")["cleanup.policy"], "delete");
});

Deno.test("incrementalAlterConfigsHandler refuses what cannot be done", async () => {
  await using rooms = await TopicRooms.start({ orders: 1 });
  const steps: [Step, number][] = [
    [[SET, "retention.ms", null], ErrorCode.INVALID_REQUEST],
    [[4, "retention.ms", "1"], ErrorCode.INVALID_REQUEST],
    [[APPEND, "retention.ms", "1"], ErrorCode.INVALID_CONFIG],
    [[APPEND, "cleanup.policy", "erase"], ErrorCode.INVALID_CONFIG],
    [[SUBTRACT, "cleanup.policy", "delete"], ErrorCode.INVALID_CONFIG],
    [[SET, "retention.msec", "1"], ErrorCode.INVALID_CONFIG],
  ];
  for (const [step, code] of steps) {
    const { errorCode, errorMessage } = await increment(rooms, "orders", [step]);
    assertEquals(errorCode, code, step.join(" "));
    assert(errorMessage!.includes(step[1]), errorMessage!);
  }
  assertEquals(overrides(rooms, "orders"), {});
});

Deno.test("incrementalAlterConfigsHandler only checks with validateOnly", async () => {
  await using rooms = await TopicRooms.start({ orders: 1 });
  const good = await increment(rooms, "orders", [[SET, "retention.ms", "1"]], true);
  const bad = await increment(rooms, "orders", [[SET, "retention.ms", "x"]], true);
  assertEquals([good.errorCode, bad.errorCode], [0, ErrorCode.INVALID_CONFIG]);
  assertEquals(overrides(rooms, "orders"), {});
});

Deno.test("config changes are refused with admin APIs off and retriable in an outage", async () => {
  await using off = await TopicRooms.start({ orders: 1 }, { allowAdminApis: false });
  const step: Step = [SET, "retention.ms", "1"];
  const refused = await increment(off, "orders", [step]);
  assertEquals(refused.errorCode, ErrorCode.TOPIC_AUTHORIZATION_FAILED);
  assertEquals((await describe(off, TOPIC, "orders")).errorCode, ErrorCode.NONE);
  await using rooms = await TopicRooms.start({ orders: 1 });
  rooms.outage = "retry";
  const failed = await increment(rooms, "orders", [step]);
  assertEquals(failed.errorCode, ErrorCode.REQUEST_TIMED_OUT);
  assertEquals((await describe(rooms, TOPIC, "orders")).errorCode, ErrorCode.NONE);
});
