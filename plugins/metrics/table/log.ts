/** Commits, the write-ahead log, segments, and the cache in front of the store. */
import { counter, gauge, histogram, type Metric, SECONDS } from "../metric.ts";

export const LOG_METRICS: readonly Metric[] = [
  counter(
    "kafscale_commits_total",
    "Commits: objects of the write-ahead log that hold what all producers sent meanwhile.",
    ({ broker }) => broker.figures.chain.commits,
  ),
  counter(
    "kafscale_commit_batches_total",
    "Record batches that were committed.",
    ({ broker }) => broker.figures.chain.committedRows,
  ),
  counter(
    "kafscale_commit_retries_total",
    "Uploads of commits that were tried again.",
    ({ broker }) => broker.figures.chain.retries,
  ),
  histogram(
    "kafscale_commit_size_bytes",
    "Size of commits.",
    ({ broker }) => broker.figures.chain.commitBytes,
  ),
  histogram(
    "kafscale_commit_spacing_seconds",
    "Time between the sending of one commit and that of the next; idle time included.",
    ({ broker }) => broker.figures.chain.spacingMs,
    SECONDS,
  ),
  histogram(
    "kafscale_commit_upload_seconds",
    "From sending a commit until the store has it for certain, retries included.",
    ({ broker }) => broker.figures.chain.uploadMs,
    SECONDS,
  ),
  histogram(
    "kafscale_commit_duration_seconds",
    "From a commit's first record batch until its producers are answered.",
    ({ broker }) => broker.figures.chain.commitMs,
    SECONDS,
  ),
  gauge(
    "kafscale_commits_queued",
    "Commits that are full and wait for an upload to end.",
    ({ broker }) => broker.figures.now().commitsQueued,
  ),
  gauge(
    "kafscale_commits_in_flight",
    "Commits that were sent and are not yet acknowledged.",
    ({ broker }) => broker.figures.now().commitsInFlight,
  ),
  gauge(
    "kafscale_produce_waiting",
    "Produce requests that wait because too much is uncommitted: back-pressure.",
    ({ broker }) => broker.figures.now().produceWaiting,
  ),
  gauge(
    "kafscale_wal_objects",
    "Objects of the write-ahead log that exist.",
    ({ broker }) => broker.figures.now().walObjects,
  ),
  gauge(
    "kafscale_wal_bytes",
    "Bytes of these objects.",
    ({ broker }) => broker.figures.now().walBytes,
  ),
  gauge(
    "kafscale_compaction_debt_bytes",
    "Record batches in the write-ahead log that are in no segment yet: what is still to be " +
      "rewritten.",
    ({ logs }) => logs.unrewrittenBytes,
  ),
  counter(
    "kafscale_rewritten_segments_total",
    "Segments that were written out of the write-ahead log.",
    ({ broker }) => broker.figures.housekeeping.rewrites,
  ),
  counter(
    "kafscale_rewritten_bytes_total",
    "Bytes of the write-ahead log that were rewritten into segments.",
    ({ broker }) => broker.figures.housekeeping.rewrittenBytes,
  ),
  counter(
    "kafscale_background_failures_total",
    "Rounds of rewriting, retention or clean-up that failed, and are tried again.",
    ({ broker }) => broker.figures.housekeeping.failures,
  ),
  gauge(
    "kafscale_segments",
    "Segments of the partitions that were used since the start.",
    ({ logs }) => logs.segments,
  ),
  gauge("kafscale_segment_bytes", "Bytes of these segments.", ({ logs }) => logs.segmentBytes),
  gauge(
    "kafscale_cache_hit_ratio",
    "Share of reads that the cache answered over the last minute; since the start where there " +
      "were none.",
    ({ broker, rates }) => {
      const reads = rates.grown("cacheReads");
      if (reads > 0) return rates.grown("cacheHits") / reads;
      const { hits, misses } = broker.figures.cache;
      return hits + misses === 0 ? 0 : hits / (hits + misses);
    },
  ),
  counter(
    "kafscale_cache_hits_total",
    "Reads of blocks and commits that the cache answered.",
    ({ broker }) => broker.figures.cache.hits,
  ),
  counter(
    "kafscale_cache_misses_total",
    "Reads that had to wait for the store.",
    ({ broker }) => broker.figures.cache.misses,
  ),
  counter(
    "kafscale_cache_loaded_bytes_total",
    "Bytes that were read from the store into the cache.",
    ({ broker }) => broker.figures.cache.loadedBytes,
  ),
  gauge(
    "kafscale_cache_bytes",
    "Memory in the cache, what readers hold included.",
    ({ broker }) => broker.figures.cache.bytes,
  ),
  gauge(
    "kafscale_cache_leased_bytes",
    "Of that, what readers hold.",
    ({ broker }) => broker.figures.cache.leasedBytes,
  ),
  gauge(
    "kafscale_cache_limit_bytes",
    "Bound of the cache: KAFSCALE_CACHE_BYTES.",
    ({ broker }) => broker.config.cacheBytes as number,
  ),
];
