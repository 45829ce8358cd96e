/** One look at a cluster: offsets and groups over Kafka's protocol, metrics over HTTP. */
import type { Admin } from "@platformatic/kafka";
import { type GroupLag, groupLags } from "../groups/lag.ts";
import { LATEST, listOffsets, type Offsets, partitionsOf } from "../groups/offsets.ts";
import { Metrics } from "./prometheus.ts";

/** A broker that answers no slower than this is left out. */
const METRICS_TIMEOUT_MS = 1500;

export interface Sample {
  readonly atMs: number;
  readonly brokers: number;
  /** Log end offsets of every partition. */
  readonly ends: Offsets;
  readonly groups: readonly GroupLag[];
  /** Undefined where no broker tells. */
  readonly metrics: Metrics | undefined;
}

/** Where metrics are: the URLs given, or each broker's host at a port. */
export type MetricsAt =
  | { readonly urls: readonly string[] }
  | { readonly port: number };

export async function takeSample(admin: Admin, at: MetricsAt): Promise<Sample> {
  const cluster = await admin.metadata({ topics: [], autocreateTopics: false });
  const hosts = [...cluster.brokers.values()].map(({ host }) => host);
  const urls = "urls" in at
    ? at.urls
    : [...new Set(hosts)].map((host) => metricsUrl(host, at.port));
  const metrics = scrape(urls);
  const topics = await admin.listTopics();
  const partitions = await partitionsOf(admin, topics);
  const ends = await listOffsets(admin, partitions, LATEST);
  const groups = await groupLags(admin, [...(await admin.listGroups()).keys()]);
  return {
    atMs: performance.now(),
    brokers: hosts.length,
    ends,
    groups,
    metrics: await metrics,
  };
}

function metricsUrl(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}/metrics`;
}

async function scrape(urls: readonly string[]): Promise<Metrics | undefined> {
  const texts = await Promise.all(urls.map(async (url) => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(METRICS_TIMEOUT_MS) });
      const text = await response.text();
      return response.ok ? text : undefined;
    } catch {
      return undefined;
    }
  }));
  const answered = texts.filter((text) => text !== undefined);
  return answered.length === 0 ? undefined : new Metrics(answered);
}
