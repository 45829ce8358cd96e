/** The object store: its health, the calls on it, and the replica that reads may go to. */
import type { Distribution, OperationFigures, ReplicaFigures } from "../../../core/plugin/mod.ts";
import { counter, gauge, histogram, type Metric, SECONDS } from "../metric.ts";
import type { Sources } from "../sources.ts";

const STATES = ["healthy", "degraded", "unavailable"] as const;

/** Operations of the store's contract by the name that labels have. */
const OPERATIONS = {
  put_if_absent: "putIfAbsent",
  put: "put",
  get: "get",
  list: "list",
  delete: "delete",
} as const;

const OUTCOMES = ["ok", "throttled", "retry", "fatal", "aborted"] as const;

function byOperation(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (operation: OperationFigures) => number,
): Metric {
  return {
    name,
    type,
    help,
    labels: ["operation"],
    read: ({ broker }, out) => {
      for (const [operation, key] of Object.entries(OPERATIONS)) {
        out.add(value(broker.store.figures[key]), { operation });
      }
    },
  };
}

function uploads({ broker }: Sources): Distribution {
  const { putIfAbsent, put } = broker.store.figures;
  const [one, other] = [putIfAbsent.latency, put.latency];
  return {
    bounds: one.bounds,
    counts: Array.from(one.counts, (count, at) => count + other.counts[at]!),
    count: one.count + other.count,
    sum: one.sum + other.sum,
    max: Math.max(one.max, other.max),
  };
}

/** Samples only where reads may go to a replica. */
function ofReplica(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (replica: ReplicaFigures) => number,
): Metric {
  return {
    name,
    type,
    help: `${help} With a read replica only.`,
    labels: ["region"],
    read: ({ broker }, out) => {
      const { replica } = broker.store;
      if (replica !== undefined) out.add(value(replica), { region: replicaRegion(broker.config) });
    },
  };
}

function replicaRegion(config: Readonly<Record<string, unknown>>): string {
  return String(config.s3ReadRegion ?? "unknown");
}

const HEALTH: readonly Metric[] = [
  {
    name: "kafscale_s3_health_state",
    type: "gauge",
    help: "1 for the state that the object store is in, whichever driver it has; 0 for the others.",
    labels: ["state"],
    read: ({ broker }, out) => {
      const { state } = broker.store.health();
      for (const each of STATES) out.add(each === state ? 1 : 0, { state: each });
    },
  },
  gauge(
    "kafscale_s3_state_duration_seconds",
    "How long it has been in that state.",
    ({ broker }) => broker.store.health().forMs / 1_000,
  ),
  gauge(
    "kafscale_s3_latency_ms_avg",
    "Mean milliseconds of the calls that ended well, over the window of the store's health.",
    ({ broker }) => broker.store.health().latencyMsAvg,
  ),
  gauge(
    "kafscale_s3_error_rate",
    "Share of calls that failed or were throttled, over the window of the store's health; 0 to 1.",
    ({ broker }) => broker.store.health().errorRate,
  ),
  {
    name: "kafscale_s3_state_changes_total",
    type: "counter",
    help: "How often the store's health went into the state.",
    labels: ["state"],
    read: ({ broker }, out) => {
      const { entered } = broker.store.health();
      for (const state of STATES) out.add(entered[state], { state });
    },
  },
  counter(
    "kafscale_s3_probes_total",
    "Probes of a store that was not well.",
    ({ broker }) => broker.store.health().probes,
  ),
];

export const STORE_METRICS: readonly Metric[] = [
  ...HEALTH,
  histogram("kafscale_s3_upload_duration_ms", "Milliseconds of writes that ended well.", uploads),
  histogram(
    "kafscale_s3_download_duration_ms",
    "Milliseconds of reads that ended well.",
    ({ broker }) => broker.store.figures.get.latency,
  ),
  {
    name: "kafscale_store_calls_total",
    type: "counter",
    help: "Calls on the object store by how they ended: `ok`, `throttled`, `retry` (a passing " +
      "fault), `fatal`, or `aborted` by the broker.",
    labels: ["operation", "outcome"],
    read: ({ broker }, out) => {
      for (const [operation, key] of Object.entries(OPERATIONS)) {
        const figures = broker.store.figures[key];
        for (const outcome of OUTCOMES) out.add(figures[outcome], { operation, outcome });
      }
    },
  },
  byOperation(
    "counter",
    "kafscale_store_retries_total",
    "Calls that were made again after a failure.",
    ({ retries }) => retries,
  ),
  byOperation(
    "counter",
    "kafscale_store_bytes_total",
    "Bytes sent or received by calls that ended well.",
    ({ bytes }) => bytes,
  ),
  byOperation(
    "counter",
    "kafscale_store_keys_total",
    "Keys that were listed or deleted.",
    ({ keys }) => keys,
  ),
  byOperation(
    "gauge",
    "kafscale_store_calls_in_flight",
    "Calls that wait for the store.",
    ({ inFlight }) => inFlight,
  ),
  {
    name: "kafscale_store_call_duration_seconds",
    type: "histogram",
    help: "Time of calls that ended well; of a listing, its longest wait for a page.",
    labels: ["operation"],
    read: ({ broker }, out) => {
      for (const [operation, key] of Object.entries(OPERATIONS)) {
        out.histogram(broker.store.figures[key].latency, { operation }, SECONDS);
      }
    },
  },
  histogram(
    "kafscale_s3_read_latency_ms",
    "Milliseconds of reads, whether a replica answered or the primary.",
    ({ broker: { store } }) => store.replica?.latency ?? store.figures.get.latency,
  ),
  ofReplica(
    "counter",
    "kafscale_s3_replica_reads_total",
    "Reads that a replica may answer.",
    ({ reads }) => reads,
  ),
  ofReplica(
    "counter",
    "kafscale_s3_replica_fallback_total",
    "Reads that the primary answered in the replica's place.",
    ({ fallbacks }) => fallbacks,
  ),
  ofReplica(
    "counter",
    "kafscale_s3_replica_failures_total",
    "Reads that the replica failed, or took too long for.",
    ({ failures }) => failures,
  ),
  ofReplica(
    "gauge",
    "kafscale_s3_replica_miss_ratio",
    "Share of these reads for which the replica did not have the object yet, since the start.",
    ({ reads, misses }) => reads === 0 ? 0 : misses / reads,
  ),
];
