/**
 * Dashboards and alerts against a real Prometheus that scrapes a broker under load: whatever a
 * panel or an alert asks for is there, with its labels, and moves.
 */
import { assert, assertEquals } from "@std/assert";
import { promql } from "../../deploy/grafana/dashboard.ts";
import { DASHBOARDS } from "../../deploy/grafana/dashboards.ts";
import { METRICS } from "../../plugins/metrics/table/mod.ts";
import { BrokerProcess } from "../clients/broker_process.ts";
import { haveTools } from "../clients/requirement.ts";
import { waitUntil } from "../clients/wait_until.ts";
import { GUIDES } from "../plugins/guides.ts";
import { Prometheus } from "../services/prometheus.ts";
import { load, TOKEN } from "./load.ts";
import { moodFile } from "./moody_store.ts";
import { impatientRules, promtool } from "./rules.ts";
import { freePort } from "../services/free_port.ts";

const PAGE = new URL("../clients/ops_page/queries.promql", import.meta.url);
const TOOLS = haveTools("dashboards and alerts", "promtool", "prometheus", "kcat");

/** What need not move in a test of a minute; each with its reason. */
const STILL: Readonly<Record<string, string>> = {
  kafscale_broker_ready: "0 while groups load, or in a drain, which is shorter than a scrape",
  kafscale_request_failures_total: "a fault of the broker's own",
  kafscale_connection_accept_errors_total: "takes a system without file descriptors",
  kafscale_buffer_limit_bytes: "a setting",
  kafscale_cache_limit_bytes: "a setting",
  kafscale_cache_leased_bytes: "held for as long as an answer takes to be sent",
  kafscale_background_failures_total: "takes a store that fails in the middle of rewriting",
};

Deno.test({
  name: "promtool accepts rules and the example configuration, and their own tests pass",
  ignore: !TOOLS,
  fn: async () => {
    await promtool("check", "rules", "kafscale.rules.yaml", "kafscale-snapshots.rules.yaml");
    await promtool("check", "config", "prometheus.yaml");
    await promtool("test", "rules", "kafscale.test.yaml");
  },
});

/** Names of the metrics that an expression asks for. */
function metricsIn(expr: string): string[] {
  const names = [...expr.matchAll(/\b(kafscale_\w+|process_\w+|up)\b/g)].map(([, name]) => name!);
  return [...new Set(names)];
}

/** Labels that an expression groups by, or selects, without those of every scrape. */
function labelsIn(expr: string): string[] {
  const grouped = [...expr.matchAll(/\b(?:by|on|without) \(([^)]*)\)/g)];
  const selected = [...expr.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label!);
  const labels = [...grouped.flatMap(([, list]) => list!.split(/, */)), ...selected];
  return [...new Set(labels.filter((label) => !["", "le", "job", "instance"].includes(label)))];
}

const PANELS = DASHBOARDS.flatMap(({ id, rows }) =>
  rows.flatMap(({ panels }) =>
    panels.flatMap((panel) =>
      panel.queries.map((query) => ({
        where: `${id}: ${panel.title}`,
        expr: promql(query).replaceAll("$__rate_interval", "1m").replaceAll(
          /\$(job|instance)/g,
          ".*",
        ),
        legend: [...query.legend.matchAll(/{{(\w+)}}/g)].map(([, label]) => label!),
      }))
    )
  )
);

Deno.test("panels ask for metrics of the table, by labels that these have", () => {
  for (const { where, expr } of PANELS) {
    const labels = new Set<string>();
    for (const name of metricsIn(expr)) {
      const metric = METRICS.find((each) =>
        each.name === name.replace(/_(bucket|count|sum)$/, "") || each.name === name
      );
      assert(metric !== undefined, `${where} asks for ${name}`);
      for (const label of metric.labels) labels.add(label);
    }
    for (const label of labelsIn(expr)) assert(labels.has(label), `${where} asks for ${label}`);
  }
});

Deno.test({
  name: "every metric and label that a panel, an alert or a guide asks for exists and moves",
  ignore: !TOOLS,
  fn: async () => {
    const target = freePort();
    await using broker = await BrokerProcess.start({
      env: {
        KAFSCALE_METRICS_ADDR: `127.0.0.1:${target}`,
        KAFSCALE_STORAGE: new URL("moody_store.ts", import.meta.url).pathname,
        KAFSCALE_PLUGINS: `metrics,ops,${new URL("fragile_plugin.ts", import.meta.url).pathname}`,
        KAFSCALE_STORE_PRICES: "put=5,get=1,list=1,delete=1,storage=1000,in=1,out=1",
        KAFSCALE_OPS_TOKEN: TOKEN,
        KAFSCALE_MAX_CONNECTIONS: "12",
        KAFSCALE_S3_LATENCY_WARN_MS: "200",
        KAFSCALE_S3_LATENCY_CRIT_MS: "3000",
        KAFSCALE_S3_READ_REGION: "eu-west-1",
        KAFSCALE_GROUP_INITIAL_REBALANCE_DELAY_MS: "0",
        KAFSCALE_RACK: "a",
      },
    });
    await using prometheus = await Prometheus.start({ target, rules: [await impatientRules()] });
    await load(broker, {
      mood: (now) => Deno.writeTextFile(moodFile(broker.dataDir), now),
      expectAlert: async (alert, fires) => {
        const what = `${alert} ${fires ? "fires" : "is over"}`;
        await waitUntil(what, async () => {
          return (await prometheus.firing()).has(alert) === fires || undefined;
        });
      },
      scraped: async (up) => {
        const since = Date.now() / 1_000;
        await waitUntil("a scrape", async () => {
          const [last] = await prometheus.query(`timestamp(up) and up == ${up ? 1 : 0}`);
          return (last !== undefined && last.value > since) || undefined;
        });
      },
      moved: async (metric) => (await unmoved(prometheus, [metric])).length === 0,
    });
    await answered(prometheus);
    await allMoved(prometheus);
  },
});

/** Every query of a panel has an answer, whose legends are filled in. */
async function answered(prometheus: Prometheus): Promise<void> {
  const empty: string[] = [];
  for (const { where, expr, legend } of PANELS) {
    const series = await prometheus.query(expr);
    if (series.length === 0) empty.push(`${where}: ${expr}`);
    for (const { metric } of series) {
      for (const label of legend) assert(metric[label], `${where}: ${label} is empty`);
    }
  }
  assertEquals(empty, []);
}

/** Those that have not changed since the start. */
async function unmoved(prometheus: Prometheus, names: Iterable<string>): Promise<string[]> {
  const still: string[] = [];
  for (const name of names) {
    const change = `max_over_time(${name}[10m]) - min_over_time(${name}[10m])`;
    const series = await prometheus.query(change);
    assert(series.length > 0, `there is no ${name}`);
    if (!series.some(({ value }) => value > 0)) still.push(name);
  }
  return still;
}

/** The queries of KafScale's page about its ops API; Prometheus understands each. */
async function pageQueries(prometheus: Prometheus): Promise<string[]> {
  const lines = (await Deno.readTextFile(PAGE)).split("\n");
  const queries = lines.filter((line) => line !== "" && !line.startsWith("#"));
  for (const query of queries) await prometheus.query(query);
  // the operator has metrics of its own
  return queries.filter((query) => !query.startsWith("kafscale_operator_"));
}

/** Every metric that a panel, an alert or a guide asks for has changed, or soon does. */
async function allMoved(prometheus: Prometheus): Promise<void> {
  const alerts = await prometheus.rules();
  assert(alerts.length > 15);
  const asked = [
    ...PANELS.map(({ expr }) => expr),
    ...alerts.map(({ query }) => query),
    ...await pageQueries(prometheus),
    ...Object.entries(GUIDES).map(([name, [type]]) => type === "histogram" ? `${name}_sum` : name),
  ];
  const names = new Set(asked.flatMap(metricsIn).filter((name) => STILL[name] === undefined));
  let still = [...names];
  // lag is looked at every ten seconds
  for (let second = 0; second < 20 && still.length > 0; second++) {
    still = await unmoved(prometheus, still);
    if (still.length > 0) await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  assertEquals(still, []);
  for (const { name, query } of alerts) {
    for (const selector of query.matchAll(/\b(?:kafscale_\w+|process_\w+|up)\b(?:{[^}]*})?/g)) {
      const series = await prometheus.query(selector[0]);
      assert(series.length > 0, `${name} asks for ${selector[0]}, which is not there`);
    }
  }
}
