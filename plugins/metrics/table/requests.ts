/** Requests of clients, by API. */
import type { ApiStats } from "../../../core/plugin/mod.ts";
import { errorInfo } from "../../../core/protocol/errors.ts";
import { counter, gauge, histogram, type Metric, SECONDS } from "../metric.ts";
import type { Sources } from "../sources.ts";

/**
 * APIs of administration tools: all but those that producing, consuming and finding brokers need.
 * Groups' and transactions' own requests are consuming and producing.
 */
const CLIENT_APIS: ReadonlySet<number> = new Set([
  ...[0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 17, 18, 22, 24, 25, 26, 27, 28, 36],
  ...[68, 76, 78, 79, 80],
]);

/** The APIs that were asked at least once. */
function* used({ broker }: Sources): Iterable<ApiStats> {
  for (const api of broker.figures.apis) if (api.requests > 0) yield api;
}

function* admin(sources: Sources): Iterable<ApiStats> {
  for (const api of used(sources)) if (!CLIENT_APIS.has(api.apiKey)) yield api;
}

function byApi(
  apis: (sources: Sources) => Iterable<ApiStats>,
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (api: ApiStats) => number,
): Metric {
  return {
    name,
    type,
    help,
    labels: ["api"],
    read: (sources, out) => {
      for (const api of apis(sources)) out.add(value(api), { api: api.name });
    },
  };
}

const NOTHING: Pick<ApiStats, "requests"> = { requests: 0 };

function named({ broker }: Sources, name: string): Pick<ApiStats, "requests"> {
  return broker.figures.apis.find((api) => api.name === name) ?? NOTHING;
}

function produce({ broker }: Sources): ApiStats {
  return broker.figures.apis.find((api) => api.name === "Produce")!;
}

export const REQUEST_METRICS: readonly Metric[] = [
  gauge(
    "kafscale_produce_rps",
    "Produce requests a second, over the last minute.",
    ({ rates }) => rates.perSecond("produce"),
  ),
  gauge(
    "kafscale_fetch_rps",
    "Fetch requests a second, over the last minute.",
    ({ rates }) => rates.perSecond("fetch"),
  ),
  counter(
    "kafscale_produce_requests_total",
    "Produce requests.",
    (sources) => named(sources, "Produce").requests,
  ),
  counter(
    "kafscale_fetch_requests_total",
    "Fetch requests.",
    (sources) => named(sources, "Fetch").requests,
  ),
  histogram(
    "kafscale_produce_latency_ms",
    "Milliseconds from a produce request to its answer, the wait for the commit included.",
    (sources) => produce(sources).latencyMs,
  ),
  byApi(
    admin,
    "counter",
    "kafscale_admin_requests_total",
    "Requests of administration tools.",
    ({ requests }) => requests,
  ),
  byApi(
    admin,
    "counter",
    "kafscale_admin_request_errors_total",
    "Requests of administration tools that were answered with an error code, or not at all.",
    ({ errorResponses, failures }) => errorResponses + failures,
  ),
  byApi(
    admin,
    "gauge",
    "kafscale_admin_request_latency_ms_avg",
    "Mean milliseconds from the request of an administration tool to its answer, since the start.",
    ({ latencyMs }) => latencyMs.count === 0 ? 0 : latencyMs.sum / latencyMs.count,
  ),
  byApi(used, "counter", "kafscale_requests_total", "Requests.", ({ requests }) => requests),
  {
    name: "kafscale_request_errors_total",
    type: "counter",
    help: "Error codes in answers, by Kafka's name; an answer may hold one for each partition.",
    labels: ["api", "error"],
    read: (sources, out) => {
      for (const { name, errorCodes } of used(sources)) {
        for (const [code, count] of errorCodes) {
          out.add(count, { api: name, error: errorInfo(code).name });
        }
      }
    },
  },
  byApi(
    used,
    "counter",
    "kafscale_request_failures_total",
    "Requests that the broker failed on; it closed their connections. Each is a fault of its own.",
    ({ failures }) => failures,
  ),
  counter(
    "kafscale_requests_refused_total",
    "Requests that were malformed, or for an API or version that is not served.",
    ({ broker }) => broker.figures.server.requestsRefused,
  ),
  byApi(
    used,
    "counter",
    "kafscale_request_bytes_total",
    "Bytes of requests.",
    ({ requestBytes }) => requestBytes,
  ),
  byApi(
    used,
    "counter",
    "kafscale_response_bytes_total",
    "Bytes of answers.",
    ({ responseBytes }) => responseBytes,
  ),
  {
    name: "kafscale_request_duration_seconds",
    type: "histogram",
    help: "From a request to its answer; waiting for records (Fetch), for a commit (Produce) or " +
      "for a rebalance (JoinGroup, SyncGroup) included.",
    labels: ["api"],
    read: (sources, out) => {
      for (const { name, latencyMs } of used(sources)) {
        out.histogram(latencyMs, { api: name }, SECONDS);
      }
    },
  },
  gauge(
    "kafscale_fetch_sessions",
    "Incremental fetch sessions (KIP-227) that are open.",
    ({ broker }) => broker.figures.now().fetchSessions,
  ),
  gauge(
    "kafscale_fetch_session_partitions",
    "Partitions in all fetch sessions.",
    ({ broker }) => broker.figures.now().fetchSessionPartitions,
  ),
  counter(
    "kafscale_fetch_referrals_total",
    "Fetches of a partition that were sent to a broker of the reader's rack (KIP-392).",
    ({ broker }) => broker.figures.referrals.sent,
  ),
  counter(
    "kafscale_fetch_referrals_in_vain_total",
    "Readers that came back from there at the same offset, and are served here for a while.",
    ({ broker }) => broker.figures.referrals.kept,
  ),
  gauge(
    "kafscale_followed_partitions",
    "Partitions of other leaders that readers of this broker's rack read here.",
    ({ broker }) => broker.figures.now().followedPartitions,
  ),
  counter(
    "kafscale_followed_slots_total",
    "Objects of other leaders' write-ahead logs that were read for them.",
    ({ broker }) => broker.figures.following.slots,
  ),
  counter(
    "kafscale_followed_misses_total",
    "Looks for the next such object that found none yet.",
    ({ broker }) => broker.figures.following.misses,
  ),
];
