import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { METRICS } from "../../plugins/metrics/table/mod.ts";
import { haveTools } from "../clients/requirement.ts";
import { GUIDES } from "./guides.ts";
import { HostedBroker } from "./hosted.ts";

Deno.test("the table has every metric of KafScale's guides, with its type and labels", () => {
  for (const [name, [type, ...labels]] of Object.entries(GUIDES)) {
    const metric = METRICS.find((each) => each.name === name);
    assertEquals([name, metric?.type, metric?.labels], [name, type, labels]);
  }
});

Deno.test("names are used once, counters end in _total, help is a sentence", () => {
  assertEquals(new Set(METRICS.map(({ name }) => name)).size, METRICS.length);
  for (const { name, type, help } of METRICS) {
    assertEquals([name, name.endsWith("_total")], [name, type === "counter"]);
    assert(/^[a-z][a-z0-9_]*$/.test(name), name);
    assert(/^[A-Z0-9`].*\.$/.test(help), `${name}: ${help}`);
  }
});

/** A broker that did a little of everything. */
async function busy(): Promise<HostedBroker> {
  const broker = await HostedBroker.open({ storePrices: PRICES, metricsTopicsMax: 2 });
  const { scene } = broker;
  for (const topic of ["a", "b", "c"]) {
    await scene.topic(topic);
    await scene.produce(topic, 0, ["1", "2", "3"]);
  }
  await scene.fetch("a", 0, 0);
  await scene.fetch("a", 0, 99);
  await scene.topic("a").catch(() => {});
  await scene.commitOffset("g", "a", 0, 1);
  return broker;
}

const PRICES = { put: 5, get: 1, list: 1, delete: 1, storage: 1, in: 1, out: 1 };

Deno.test("/metrics has the samples of the table, each with the labels that it says", async () => {
  await using broker = await busy();
  const { text, headers } = await broker.get("/metrics");
  assertStringIncludes(headers.get("content-type") ?? "", "text/plain; version=0.0.4");
  for (const { name, type, help } of METRICS) {
    assertStringIncludes(text, `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
  }
  for (const key of (await broker.metrics()).keys()) {
    const [, name, labels = ""] = /^(\w+)(?:\{(.*)\})?$/.exec(key)!;
    const of = METRICS.find((metric) =>
      name === metric.name ||
      (metric.type === "histogram" && name!.replace(/_(bucket|sum|count)$/, "") === metric.name)
    );
    assert(of !== undefined, key);
    const named = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label!);
    assertEquals(new Set(named.filter((label) => label !== "le")), new Set(of.labels), key);
  }
});

Deno.test("/metrics tells what was done", async () => {
  await using broker = await busy();
  const samples = await broker.metrics();
  const expected: Record<string, number> = {
    'kafscale_requests_total{api="Produce"}': 3,
    'kafscale_request_errors_total{api="Fetch",error="OFFSET_OUT_OF_RANGE"}': 1,
    'kafscale_admin_requests_total{api="CreateTopics"}': 4,
    'kafscale_admin_request_errors_total{api="CreateTopics"}': 1,
    'kafscale_topic_produced_records_total{topic="a"}': 3,
    'kafscale_topic_produced_records_total{topic="b"}': 3,
    'kafscale_topic_produced_records_total{topic="(other)"}': 3,
    'kafscale_consumer_group_lag{group="g",topic="a"}': 2,
    'kafscale_consumer_group_members{group="g"}': 0,
    'kafscale_consumer_groups{state="Empty"}': 1,
    kafscale_consumer_lag_max: 2,
    kafscale_consumer_lag_count: 1,
    kafscale_produce_latency_ms_count: 3,
    kafscale_commits_total: 3,
    kafscale_connections: 1,
    kafscale_topics: 3,
    kafscale_broker_ready: 1,
    'kafscale_s3_health_state{state="healthy"}': 1,
    'kafscale_s3_health_state{state="unavailable"}': 0,
    'kafscale_plugin_up{plugin="metrics"}': 1,
  };
  const found = Object.keys(expected).map((key) => [key, samples.get(key)]);
  assertEquals(Object.fromEntries(found), expected);
  assert(samples.get('kafscale_cost_dollars_total{kind="put"}')! >= 3 * 0.005);
  assert(samples.get('kafscale_topic_cost_dollars_total{topic="a"}')! > 0);
  assert(!samples.has('kafscale_topic_produced_records_total{topic="c"}'));
});

Deno.test("/metrics counts no cost where nothing has a price", async () => {
  await using broker = await HostedBroker.open();
  await broker.scene.topic("t");
  await broker.scene.produce("t", 0, ["1"]);
  for (const [key, value] of await broker.metrics()) {
    if (key.includes("_cost_")) assertEquals([key, value], [key, 0]);
  }
});

const promtool = haveTools("Prometheus' own parser", "promtool");

Deno.test({
  name: "Prometheus' own parser accepts /metrics",
  ignore: !promtool,
  fn: async () => {
    await using broker = await busy();
    const { text } = await broker.get("/metrics");
    const child = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
    const { stdout, stderr } = await child.output();
    const lines = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    // it would rather have seconds; these names are KafScale's, and what dashboards ask for
    const said = lines.trim().split("\n").filter((line) => line !== "");
    const unwanted = said.filter((line) =>
      !/^kafscale_\w+ metric names should not contain abbreviated units$/.test(line) ||
      GUIDES[line.split(" ")[0]!] === undefined
    );
    assertEquals(unwanted, []);
    assert(said.length > 0, "the parser has read nothing");
  },
});
