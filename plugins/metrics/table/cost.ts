/** What the object store would bill for what this broker does, at the prices of the settings. */
import { COST_KINDS } from "../cost.ts";
import type { Metric } from "../metric.ts";

const KINDS = "requests (`put`, `get`, `list`, `delete`), `storage`, and bytes `in` and `out`";

export const COST_METRICS: readonly Metric[] = [
  {
    name: "kafscale_cost_dollars_per_hour",
    type: "gauge",
    help: `Estimated dollars an hour over the last five minutes, for ${KINDS}.`,
    labels: ["kind"],
    read: ({ cost }, out) => {
      for (const kind of COST_KINDS) out.add(cost.perHour(kind), { kind });
    },
  },
  {
    name: "kafscale_cost_dollars_total",
    type: "counter",
    help: "The same since the start.",
    labels: ["kind"],
    read: ({ cost }, out) => {
      for (const kind of COST_KINDS) out.add(cost.kinds[kind], { kind });
    },
  },
  {
    name: "kafscale_topic_cost_dollars_per_hour",
    type: "gauge",
    help:
      "The topic's share of `kafscale_cost_dollars_per_hour`: its own requests and bytes, and " +
      "its share of the write-ahead log's by bytes.",
    labels: ["topic"],
    read: ({ cost }, out) => {
      for (const topic of cost.topics.keys()) out.add(cost.topicPerHour(topic), { topic });
    },
  },
  {
    name: "kafscale_topic_cost_dollars_total",
    type: "counter",
    help: "The same since the start.",
    labels: ["topic"],
    read: ({ cost }, out) => {
      for (const [topic, dollars] of cost.topics) out.add(dollars, { topic });
    },
  },
];
