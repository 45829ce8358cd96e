/** The object store, commits, the write-ahead log, segments and the cache. */
import type { Dashboard } from "./dashboard.ts";
import { quantiles, query, RATE } from "./queries.ts";

export const STORAGE: Dashboard = {
  id: "kafscale-storage",
  title: "KafScale storage",
  about: "The object store, commits, the write-ahead log, segments and the cache.",
  rows: [
    {
      title: "Object store",
      panels: [
        {
          title: "Health",
          about: "1 for the state that the store is in. While it is unavailable produces, and " +
            "fetches that need it, are refused.",
          unit: "short",
          queries: [query("max by (state) (kafscale_s3_health_state{@})", "{{state}}")],
        },
        {
          title: "Mean latency",
          about: "Of calls that ended well, over the window of the store's health.",
          unit: "ms",
          queries: [query("kafscale_s3_latency_ms_avg{@}", "{{instance}}")],
        },
        {
          title: "Error rate",
          about: "Share of calls that failed or were throttled, over the same window.",
          unit: "percentunit",
          queries: [query("kafscale_s3_error_rate{@}", "{{instance}}")],
        },
        {
          title: "Calls",
          about: "By operation and outcome. `throttled` is the store asking for less.",
          unit: "ops",
          queries: [
            query(
              `sum by (operation, outcome) (rate(kafscale_store_calls_total{@}${RATE}))`,
              "{{operation}} {{outcome}}",
            ),
          ],
        },
        {
          title: "Call time, 99 of 100",
          about: "By operation.",
          unit: "s",
          queries: [
            query(
              "histogram_quantile(0.99, sum by (operation, le) " +
                `(rate(kafscale_store_call_duration_seconds_bucket{@}${RATE})))`,
              "{{operation}}",
            ),
          ],
        },
        {
          title: "Uploads and downloads, 95 of 100",
          about: "KafScale's own histograms.",
          unit: "ms",
          queries: ["upload", "download"].map((way) =>
            query(
              "histogram_quantile(0.95, sum by (le) " +
                `(rate(kafscale_s3_${way}_duration_ms_bucket{@}${RATE})))`,
              way,
            )
          ),
        },
        {
          title: "Bytes moved",
          about: "By operation.",
          unit: "Bps",
          queries: [
            query(
              `sum by (operation) (rate(kafscale_store_bytes_total{@}${RATE}))`,
              "{{operation}}",
            ),
          ],
        },
        {
          title: "Calls in flight, and retries",
          about: "Calls that wait for the store, and calls that were made again.",
          unit: "short",
          queries: [
            query("sum by (operation) (kafscale_store_calls_in_flight{@})", "{{operation}}"),
            query(
              `sum by (operation) (rate(kafscale_store_retries_total{@}${RATE}))`,
              "{{operation}} retries/s",
            ),
          ],
        },
        {
          title: "Time in the present state",
          about: "How long the store has been as it is.",
          unit: "s",
          queries: [query("kafscale_s3_state_duration_seconds{@}", "{{instance}}")],
        },
      ],
    },
    {
      title: "Read replica",
      panels: [
        {
          title: "Reads and fallbacks",
          about:
            "Reads that a replica may answer, and those that the primary answered in its place.",
          unit: "ops",
          queries: [
            query(
              `sum by (region) (rate(kafscale_s3_replica_reads_total{@}${RATE}))`,
              "{{region}}",
            ),
            query(
              `sum by (region) (rate(kafscale_s3_replica_fallback_total{@}${RATE}))`,
              "{{region}} fallbacks",
            ),
            query(
              `sum by (region) (rate(kafscale_s3_replica_failures_total{@}${RATE}))`,
              "{{region}} failures",
            ),
          ],
        },
        {
          title: "Misses",
          about: "Share of reads for which the replica did not have the object yet.",
          unit: "percentunit",
          queries: [query("max by (region) (kafscale_s3_replica_miss_ratio{@})", "{{region}}")],
        },
        {
          title: "Read latency",
          about: "Whoever answers. High values are reads across regions.",
          unit: "ms",
          queries: quantiles("kafscale_s3_read_latency_ms"),
        },
      ],
    },
    {
      title: "Commits",
      panels: [
        {
          title: "Commits",
          about: "Each is one write to the store, whatever the number of partitions.",
          unit: "ops",
          queries: [
            query(`sum(rate(kafscale_commits_total{@}${RATE}))`, "commits"),
            query(`sum(rate(kafscale_commit_retries_total{@}${RATE}))`, "retries"),
          ],
        },
        {
          title: "Batches in a commit",
          about: "The more, the cheaper each.",
          unit: "short",
          queries: [
            query(
              `sum(rate(kafscale_commit_batches_total{@}${RATE})) / ` +
                `sum(rate(kafscale_commits_total{@}${RATE}))`,
              "batches",
            ),
          ],
        },
        {
          title: "Commit size",
          about: "Bytes of one commit.",
          unit: "bytes",
          queries: quantiles("kafscale_commit_size_bytes"),
        },
        {
          title: "Time to commit",
          about: "From a commit's first batch until its producers are answered.",
          unit: "s",
          queries: quantiles("kafscale_commit_duration_seconds"),
        },
        {
          title: "Upload",
          about: "The store's part of it, retries included.",
          unit: "s",
          queries: quantiles("kafscale_commit_upload_seconds"),
        },
        {
          title: "Spacing",
          about: "Between two commits: KAFSCALE_FLUSH_INTERVAL_MS but for full and saved ones.",
          unit: "s",
          queries: quantiles("kafscale_commit_spacing_seconds"),
        },
        {
          title: "Queue",
          about: "Commits under way, and produce requests that are held back.",
          unit: "short",
          queries: [
            query("sum(kafscale_commits_in_flight{@})", "in flight"),
            query("sum(kafscale_commits_queued{@})", "queued"),
            query("sum(kafscale_produce_waiting{@})", "requests held back"),
          ],
        },
      ],
    },
    {
      title: "Log and cache",
      panels: [
        {
          title: "Write-ahead log",
          about: "Its bytes, and those of it that are in no segment yet.",
          unit: "bytes",
          queries: [
            query("sum(kafscale_wal_bytes{@})", "write-ahead log"),
            query("sum(kafscale_compaction_debt_bytes{@})", "to be rewritten"),
          ],
        },
        {
          title: "Objects",
          about: "Of the write-ahead log, and segments of the partitions in use.",
          unit: "short",
          queries: [
            query("sum(kafscale_wal_objects{@})", "write-ahead log"),
            query("sum(kafscale_segments{@})", "segments"),
          ],
        },
        {
          title: "Rewriting",
          about: "Of the write-ahead log into segments.",
          unit: "Bps",
          queries: [query(`sum(rate(kafscale_rewritten_bytes_total{@}${RATE}))`, "rewritten")],
        },
        {
          title: "Segments written, work that failed",
          about: "What fails is tried again; the broker's log says why it failed.",
          unit: "ops",
          queries: [
            query(`sum(rate(kafscale_rewritten_segments_total{@}${RATE}))`, "segments"),
            query(`sum(rate(kafscale_background_failures_total{@}${RATE}))`, "failures"),
          ],
        },
        {
          title: "Stored bytes by topic",
          about: "The ten largest topics, of the partitions in use.",
          unit: "bytes",
          kind: "stack",
          queries: [
            query("topk(10, sum by (topic) (kafscale_topic_stored_bytes{@}))", "{{topic}}"),
          ],
        },
        {
          title: "Cache hits",
          about: "Share of reads that the cache answered over the last minute.",
          unit: "percentunit",
          queries: [query("kafscale_cache_hit_ratio{@}", "{{instance}}")],
        },
        {
          title: "Cache",
          about: "Memory in it, what readers hold of it, and its bound.",
          unit: "bytes",
          queries: [
            query("kafscale_cache_bytes{@}", "{{instance}} held"),
            query("kafscale_cache_leased_bytes{@}", "{{instance}} in use by readers"),
            query("kafscale_cache_limit_bytes{@}", "{{instance}} bound"),
          ],
        },
        {
          title: "Cache reads",
          about: "Hits, misses, and what was loaded for them.",
          unit: "ops",
          queries: [
            query(`sum(rate(kafscale_cache_hits_total{@}${RATE}))`, "hits"),
            query(`sum(rate(kafscale_cache_misses_total{@}${RATE}))`, "misses"),
          ],
        },
        {
          title: "Loaded into the cache",
          about: "Bytes that were read from the store.",
          unit: "Bps",
          queries: [query(`sum(rate(kafscale_cache_loaded_bytes_total{@}${RATE}))`, "loaded")],
        },
      ],
    },
  ],
};
