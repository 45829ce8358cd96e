/** The process, its event loop, its connections and memory for requests; plugins. */
import { counter, gauge, histogram, type Metric, SECONDS } from "../metric.ts";

export const BROKER_METRICS: readonly Metric[] = [
  {
    name: "kafscale_broker_info",
    type: "gauge",
    help: "Always 1; the labels say who the broker is and which program it runs.",
    labels: ["broker_id", "cluster_id", "version", "rack"],
    read: ({ broker: { identity } }, out) =>
      out.add(1, {
        broker_id: identity.brokerId,
        cluster_id: identity.clusterId,
        version: identity.version,
        rack: identity.rack ?? "",
      }),
  },
  gauge(
    "kafscale_brokers",
    "Brokers of the cluster that are alive, as this one sees it.",
    ({ broker }) => broker.cluster().brokers.length,
  ),
  gauge(
    "kafscale_controller",
    "1 on the broker that assigns partitions; 0 on the others.",
    ({ broker }) => broker.cluster().controllerId === broker.identity.brokerId ? 1 : 0,
  ),
  gauge(
    "kafscale_broker_ready",
    "1 while the broker serves clients; 0 while it drains, loads groups, or has lost its chain.",
    ({ broker }) => broker.readiness().ready ? 1 : 0,
  ),
  gauge(
    "kafscale_broker_uptime_seconds",
    "Seconds since the broker began to start.",
    ({ broker }) => broker.uptimeMs() / 1_000,
  ),
  gauge(
    "kafscale_broker_cpu_percent",
    "Processor time that the process used over the last minute, in percent of one core.",
    ({ rates }) => 100 * rates.perSecond("cpuSeconds"),
  ),
  gauge(
    "kafscale_broker_mem_alloc_bytes",
    "Memory in use by objects and buffers, inside and outside of the JavaScript heap.",
    ({ memory }) => memory.heapUsed + memory.external,
  ),
  gauge(
    "kafscale_broker_mem_sys_bytes",
    "Memory that the process holds of the system: its resident set.",
    ({ memory }) => memory.rss,
  ),
  gauge(
    "kafscale_broker_heap_inuse_bytes",
    "Size of the JavaScript heap.",
    ({ memory }) => memory.heapTotal,
  ),
  counter(
    "process_cpu_seconds_total",
    "Processor time that the process used, user and system.",
    ({ cpuSeconds }) => cpuSeconds,
  ),
  gauge(
    "process_resident_memory_bytes",
    "Resident set of the process.",
    ({ memory }) => memory.rss,
  ),
  gauge(
    "process_start_time_seconds",
    "Unix time at which the broker began to start.",
    ({ broker }) => broker.identity.startedAtMs / 1_000,
  ),
  histogram(
    "kafscale_event_loop_delay_seconds",
    "How late the event loop runs a timer, ten times a second: whatever holds the thread up.",
    ({ broker }) => broker.figures.loopDelayMs,
    SECONDS,
  ),
  gauge(
    "kafscale_connections",
    "Client connections that are open.",
    ({ broker }) => broker.figures.now().connections,
  ),
  counter(
    "kafscale_connections_accepted_total",
    "Client connections that were accepted.",
    ({ broker }) => broker.figures.server.connectionsAccepted,
  ),
  counter(
    "kafscale_connections_refused_total",
    "Client connections that were closed at once, because there were too many.",
    ({ broker }) => broker.figures.server.connectionsRefused,
  ),
  counter(
    "kafscale_connection_accept_errors_total",
    "Connections that the system could not hand over; out of file descriptors, mostly.",
    ({ broker }) => broker.figures.server.acceptErrors,
  ),
  {
    name: "kafscale_buffer_bytes",
    type: "gauge",
    help: "Memory held for `requests` that were read, `responses` that were fetched and not yet " +
      "sent, and record batches that are `uncommitted`.",
    labels: ["buffer"],
    read: ({ broker }, out) => {
      const now = broker.figures.now();
      out.add(now.requestBytes, { buffer: "requests" });
      out.add(now.fetchBytes, { buffer: "responses" });
      out.add(now.uncommittedBytes, { buffer: "uncommitted" });
    },
  },
  {
    name: "kafscale_buffer_limit_bytes",
    type: "gauge",
    help: "Bound of `kafscale_buffer_bytes`: at it clients wait.",
    labels: ["buffer"],
    read: ({ broker }, out) => {
      const now = broker.figures.now();
      out.add(now.requestBytesMax, { buffer: "requests" });
      out.add(now.fetchBytesMax, { buffer: "responses" });
      out.add(now.uncommittedBytesMax, { buffer: "uncommitted" });
    },
  },
  {
    name: "kafscale_plugin_up",
    type: "gauge",
    help: "1 while the plugin runs; 0 while it waits to be started again after a fault.",
    labels: ["plugin"],
    read: ({ plugins }, out) => {
      for (const { name, state } of plugins) out.add(state === "running" ? 1 : 0, { plugin: name });
    },
  },
  {
    name: "kafscale_plugin_restarts_total",
    type: "counter",
    help: "How often the plugin was started again after a fault.",
    labels: ["plugin"],
    read: ({ plugins }, out) => {
      for (const { name, restarts } of plugins) out.add(restarts, { plugin: name });
    },
  },
];
