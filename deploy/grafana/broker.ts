/** Clients, topics and the process. */
import type { Dashboard, Panel } from "./dashboard.ts";
import { number, quantiles, query, RATE } from "./queries.ts";

const REQUESTS: readonly Panel[] = [
  {
    title: "Requests by API",
    about: "How much clients ask for.",
    unit: "reqps",
    queries: [query(`sum by (api) (rate(kafscale_requests_total{@}${RATE}))`, "{{api}}")],
  },
  {
    title: "Error codes in answers",
    about: "By API and code. Codes such as MEMBER_ID_REQUIRED or OFFSET_OUT_OF_RANGE are part of " +
      "normal work; storage errors and time-outs are not.",
    unit: "ops",
    queries: [
      query(
        `sum by (api, error) (rate(kafscale_request_errors_total{@}${RATE}))`,
        "{{api}} {{error}}",
      ),
    ],
  },
  {
    title: "Refused and failed requests",
    about:
      "Malformed or unsupported requests, and requests that the broker failed on. The latter " +
      "are faults of the broker: its log has a stack.",
    unit: "ops",
    queries: [
      query(`sum(rate(kafscale_requests_refused_total{@}${RATE}))`, "refused"),
      query(`sum by (api) (rate(kafscale_request_failures_total{@}${RATE}))`, "failed {{api}}"),
    ],
  },
  {
    title: "Produce latency",
    about: "From a request to its answer: the commit's time, mostly.",
    unit: "s",
    queries: quantiles("kafscale_request_duration_seconds", ',api="Produce"'),
  },
  {
    title: "Produce latency (milliseconds)",
    about: "The same from KafScale's own histogram, on which the alert goes.",
    unit: "ms",
    queries: quantiles("kafscale_produce_latency_ms"),
  },
  {
    title: "Fetch latency",
    about: "Waiting for new records included (fetch.max.wait.ms), so 0.5 s is what an idle " +
      "consumer looks like.",
    unit: "s",
    queries: quantiles("kafscale_request_duration_seconds", ',api="Fetch"'),
  },
  {
    title: "Bytes",
    about: "Of requests and of answers, headers included.",
    unit: "Bps",
    queries: [
      query(`sum(rate(kafscale_request_bytes_total{@}${RATE}))`, "in"),
      query(`sum(rate(kafscale_response_bytes_total{@}${RATE}))`, "out"),
    ],
  },
  {
    title: "Administration requests",
    about: "Requests of tools, and those of them that were answered with an error.",
    unit: "ops",
    queries: [
      query(`sum by (api) (rate(kafscale_admin_requests_total{@}${RATE}))`, "{{api}}"),
      query(
        `sum by (api) (rate(kafscale_admin_request_errors_total{@}${RATE}))`,
        "{{api}} errors",
      ),
    ],
  },
  {
    title: "Administration latency",
    about: "Mean since the start, by API.",
    unit: "ms",
    queries: [query("max by (api) (kafscale_admin_request_latency_ms_avg{@})", "{{api}}")],
  },
];

const TOPICS: readonly Panel[] = [
  {
    title: "Records produced",
    about: "The ten busiest topics.",
    unit: "ops",
    queries: [
      query(
        `topk(10, sum by (topic) (rate(kafscale_topic_produced_records_total{@}${RATE})))`,
        "{{topic}}",
      ),
    ],
  },
  {
    title: "Bytes produced",
    about: "The ten busiest topics.",
    unit: "Bps",
    queries: [
      query(
        `topk(10, sum by (topic) (rate(kafscale_topic_produced_bytes_total{@}${RATE})))`,
        "{{topic}}",
      ),
    ],
  },
  {
    title: "Bytes fetched",
    about: "The ten busiest topics.",
    unit: "Bps",
    queries: [
      query(
        `topk(10, sum by (topic) (rate(kafscale_topic_fetched_bytes_total{@}${RATE})))`,
        "{{topic}}",
      ),
    ],
  },
];

const PROCESS: readonly Panel[] = [
  {
    title: "Processor",
    about: "One core is 100 %; the broker works on one, with helpers.",
    unit: "percent",
    queries: [
      query("kafscale_broker_cpu_percent{@}", "{{instance}} last minute"),
      query(`100 * rate(process_cpu_seconds_total{@}${RATE})`, "{{instance}}"),
    ],
  },
  {
    title: "Memory",
    about: "What the process holds, and what of it is in use.",
    unit: "bytes",
    queries: [
      query("kafscale_broker_mem_sys_bytes{@}", "{{instance}} resident"),
      query("kafscale_broker_mem_alloc_bytes{@}", "{{instance}} in use"),
      query("kafscale_broker_heap_inuse_bytes{@}", "{{instance}} heap"),
    ],
  },
  {
    title: "Event-loop delay",
    about: "How late timers run: everything waits this long. Above 0.25 s clients notice.",
    unit: "s",
    queries: quantiles("kafscale_event_loop_delay_seconds"),
  },
  {
    title: "Connections",
    about: "Open, and accepted or refused in a second.",
    unit: "short",
    queries: [
      query("kafscale_connections{@}", "{{instance}} open"),
      query(`rate(kafscale_connections_accepted_total{@}${RATE})`, "{{instance}} accepted/s"),
      query(`rate(kafscale_connections_refused_total{@}${RATE})`, "{{instance}} refused/s"),
      query(
        `rate(kafscale_connection_accept_errors_total{@}${RATE})`,
        "{{instance}} accept errors/s",
      ),
    ],
  },
  {
    title: "Buffers",
    about: "Share of its bound that each buffer is filled to; at 100 % clients wait.",
    unit: "percentunit",
    queries: [
      query(
        "max by (buffer) (kafscale_buffer_bytes{@} / kafscale_buffer_limit_bytes{@})",
        "{{buffer}}",
      ),
    ],
  },
  {
    title: "Fetch sessions",
    about: "Incremental fetch sessions, and the partitions in them.",
    unit: "short",
    queries: [
      query("sum(kafscale_fetch_sessions{@})", "sessions"),
      query("sum(kafscale_fetch_session_partitions{@})", "partitions"),
    ],
  },
  {
    title: "Plugins",
    about: "1 while they run, and how often they were started again.",
    unit: "short",
    queries: [
      query("min by (plugin) (kafscale_plugin_up{@})", "{{plugin}}"),
      query("sum by (plugin) (kafscale_plugin_restarts_total{@})", "{{plugin}} restarts"),
    ],
  },
];

export const BROKER: Dashboard = {
  id: "kafscale-broker",
  title: "KafScale broker",
  about: "Clients, topics and the process.",
  rows: [
    {
      title: "Overview",
      panels: [
        number("Brokers ready", "short", "sum(kafscale_broker_ready{@})", "Serving clients now."),
        number(
          "Store healthy",
          "percentunit",
          'min(kafscale_s3_health_state{@,state="healthy"})',
          "100 % while every broker's object store is healthy.",
        ),
        number(
          "Produce requests",
          "reqps",
          "sum(kafscale_produce_rps{@})",
          "Over the last minute.",
        ),
        number("Fetch requests", "reqps", "sum(kafscale_fetch_rps{@})", "Over the last minute."),
        number(
          "Topics",
          "short",
          "max(kafscale_topics{@})",
          "In the whole cluster.",
        ),
        number(
          "Youngest broker",
          "s",
          "min(kafscale_broker_uptime_seconds{@})",
          "A small number says that a broker was started a moment ago.",
        ),
      ],
    },
    { title: "Requests", panels: REQUESTS },
    { title: "Topics", panels: TOPICS },
    { title: "Process", panels: PROCESS },
  ],
};
