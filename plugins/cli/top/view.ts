/** What two looks at a cluster say of the time between them. */
import { quantileBetween } from "./prometheus.ts";
import type { Sample } from "./sample.ts";

/** Null: nobody tells. Rates are per second. */
export interface View {
  readonly brokers: number;
  readonly recordsIn: number;
  readonly bytesIn: number | null;
  readonly bytesOut: number | null;
  readonly requests: number | null;
  readonly connections: number | null;
  /** From a commit's first batch to its producers' answer. */
  readonly commitMs: { readonly p50: number | null; readonly p99: number | null };
  readonly store: {
    /** Of the broker that is worst off. */
    readonly health: string | null;
    readonly latencyMs: number | null;
    /** 0 to 1. */
    readonly errorRate: number | null;
  };
  readonly dollarsPerHour: number | null;
  readonly lag: number;
  /** The busiest first. */
  readonly topics: readonly TopicView[];
  /** The furthest behind first. */
  readonly groups: readonly GroupView[];
}

export interface TopicView {
  readonly topic: string;
  readonly partitions: number;
  readonly recordsIn: number;
  readonly bytesIn: number | null;
  readonly bytesOut: number | null;
  readonly dollarsPerHour: number | null;
}

export interface GroupView {
  readonly group: string;
  readonly state: string;
  readonly members: number;
  readonly lag: number;
  /** Above 0: it falls further behind. */
  readonly lagChange: number;
}

/** Of the store, from bad to good. */
const HEALTH_STATES = ["unavailable", "degraded", "healthy"];

export function viewOf(before: Sample, after: Sample): View {
  const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1000);
  const topics = topicViews(before, after, seconds);
  const groups = groupViews(before, after, seconds);
  const { metrics } = after;
  const rate = (name: string) => {
    const [old, now] = [before.metrics?.sum(name), metrics?.sum(name)];
    // a broker that came or went in between would show as a jump
    return old === undefined || now === undefined ? null : Math.max(0, now - old) / seconds;
  };
  const commitMs = (quantile: number) => {
    if (before.metrics === undefined || metrics === undefined) return null;
    const name = "kafscale_commit_duration_seconds";
    const value = quantileBetween(before.metrics, metrics, name, quantile);
    return value === undefined ? null : value * 1000;
  };
  return {
    brokers: after.brokers,
    recordsIn: sum(topics.map(({ recordsIn }) => recordsIn)),
    bytesIn: rate("kafscale_topic_produced_bytes_total"),
    bytesOut: rate("kafscale_topic_fetched_bytes_total"),
    requests: rate("kafscale_requests_total"),
    connections: metrics?.sum("kafscale_connections") ?? null,
    commitMs: { p50: commitMs(0.5), p99: commitMs(0.99) },
    store: {
      health:
        HEALTH_STATES.find((state) =>
          (metrics?.sum("kafscale_s3_health_state", { state }) ?? 0) > 0
        ) ?? null,
      latencyMs: metrics?.max("kafscale_s3_latency_ms_avg") ?? null,
      errorRate: metrics?.max("kafscale_s3_error_rate") ?? null,
    },
    dollarsPerHour: metrics?.sum("kafscale_cost_dollars_per_hour") ?? null,
    lag: sum(groups.map(({ lag }) => lag)),
    topics,
    groups,
  };
}

function topicViews(before: Sample, after: Sample, seconds: number): TopicView[] {
  const byTopic = (name: string) => {
    const [old, now] = [before.metrics, after.metrics].map((each) => each?.by(name, "topic"));
    return (topic: string) => {
      const [from, to] = [old?.get(topic), now?.get(topic)];
      return from === undefined || to === undefined ? null : Math.max(0, to - from) / seconds;
    };
  };
  const bytesIn = byTopic("kafscale_topic_produced_bytes_total");
  const bytesOut = byTopic("kafscale_topic_fetched_bytes_total");
  const cost = after.metrics?.by("kafscale_topic_cost_dollars_per_hour", "topic");
  return [...after.ends].map(([topic, ends]) => {
    const old = before.ends.get(topic);
    // a partition that is new has nothing to be compared with
    const grown = [...ends].map(([partition, end]) =>
      Math.max(0, end - (old?.get(partition) ?? end))
    );
    return {
      topic,
      partitions: ends.size,
      recordsIn: sum(grown) / seconds,
      bytesIn: bytesIn(topic),
      bytesOut: bytesOut(topic),
      dollarsPerHour: cost?.get(topic) ?? null,
    };
  }).sort((a, b) =>
    b.recordsIn - a.recordsIn || (b.bytesOut ?? 0) - (a.bytesOut ?? 0) || order(a.topic, b.topic)
  );
}

function groupViews(before: Sample, after: Sample, seconds: number): GroupView[] {
  const old = new Map(before.groups.map(({ group, lag }) => [group, lag]));
  return after.groups.map(({ group, state, members, lag }) => ({
    group,
    state,
    members: members.length,
    lag,
    lagChange: (lag - (old.get(group) ?? lag)) / seconds,
  })).sort((a, b) => b.lag - a.lag || order(a.group, b.group));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
