/** Every metric of the broker, in the order in which they are shown and documented. */
import type { Metric } from "../metric.ts";
import { BROKER_METRICS } from "./broker.ts";
import { COST_METRICS } from "./cost.ts";
import { GROUP_METRICS } from "./groups.ts";
import { LOG_METRICS } from "./log.ts";
import { REQUEST_METRICS } from "./requests.ts";
import { SNAPSHOT_METRICS } from "./snapshots.ts";
import { STORE_METRICS } from "./store.ts";
import { TOPIC_METRICS } from "./topics.ts";

export interface Section {
  readonly title: string;
  readonly metrics: readonly Metric[];
}

export const SECTIONS: readonly Section[] = [
  { title: "Requests", metrics: REQUEST_METRICS },
  { title: "Topics", metrics: TOPIC_METRICS },
  { title: "Consumer groups", metrics: GROUP_METRICS },
  { title: "Commits, log and cache", metrics: LOG_METRICS },
  { title: "Object store", metrics: STORE_METRICS },
  { title: "Cost", metrics: COST_METRICS },
  { title: "Metadata snapshots", metrics: SNAPSHOT_METRICS },
  { title: "Process", metrics: BROKER_METRICS },
];

export const METRICS: readonly Metric[] = SECTIONS.flatMap(({ metrics }) => metrics);
