/** docs/metrics.md out of the metric table. */
import type { Metric } from "../../plugins/metrics/metric.ts";
import { SECTIONS } from "../../plugins/metrics/table/mod.ts";

const HEAD =
  `<!-- Generated from plugins/metrics/table/ by \`deno task generate\`; edits are lost. -->

# Metrics

A broker serves them in Prometheus' text format at \`GET /metrics\` of \`KAFSCALE_METRICS_ADDR\`
(\`:9093\` unless set). Names, meanings and labels of KafScale are kept, so that dashboards and
alerts for it go on working; [deploy/](../deploy/README.md) has some that use all of this.

<!-- doc-test: needs a broker -->
<!-- doc-test: prints kafscale_s3_health_state{state="healthy"} 1 -->

\`\`\`sh
curl -s http://127.0.0.1:9093/metrics | grep kafscale_s3_health_state
\`\`\`

Numbers are counted as the broker works and read when somebody scrapes; nothing is collected on the
way of a request. Counters count since the broker started. Rates and shares "over the last minute"
are worked out by the broker; for any other window use \`rate()\` on the counter beside them.

Topics have series of their own in the order in which they were first used, up to
\`KAFSCALE_METRICS_TOPICS_MAX\`; the others share \`topic="(other)"\`. Groups likewise, up to
\`KAFSCALE_METRICS_GROUPS_MAX\`; groups beyond it count in \`kafscale_consumer_lag\` and
\`kafscale_consumer_lag_max\` only.

Costs are estimates: the requests and bytes of this broker, at the prices of
\`KAFSCALE_STORE_PRICES\`. They are what a bill would show for them, without what other brokers and
tools do in the bucket. With the drivers for a directory or memory nothing costs anything unless
prices are set.

Of the names that other KafScale brokers have, one is missing: \`kafscale_broker_goroutines\`. There
are none here; what it was watched for, \`kafscale_event_loop_delay_seconds\` shows. Metrics that
start with \`kafscale_operator_\` are the operator's.
`;

function row({ name, type, labels, help }: Metric): string {
  const shown = labels.map((label) => `\`${label}\``).join(", ");
  return `| \`${name}\` | ${type} | ${shown} | ${help.replaceAll("|", "\\|")} |`;
}

export function metricsPage(): string {
  const sections = SECTIONS.map(({ title, metrics }) => `
## ${title}

| metric | type | labels | what it says |
| --- | --- | --- | --- |
${metrics.map(row).join("\n")}
`);
  return HEAD + sections.join("");
}
