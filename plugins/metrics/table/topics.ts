/** Topics: what clients write and read. */
import { gauge, type Metric } from "../metric.ts";
import type { TopicSeries } from "../topic_series.ts";

function byTopic(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (series: TopicSeries) => number,
): Metric {
  return {
    name,
    type,
    help,
    labels: ["topic"],
    read: ({ topics }, out) => {
      for (const [topic, series] of topics.series) out.add(value(series), { topic });
    },
  };
}

export const TOPIC_METRICS: readonly Metric[] = [
  gauge("kafscale_topics", "Topics.", ({ broker }) => broker.figures.now().topics),
  gauge(
    "kafscale_partitions",
    "Partitions of all topics.",
    ({ broker }) => broker.figures.now().partitions,
  ),
  gauge(
    "kafscale_partitions_loaded",
    "Partitions that were used since the start; the others cost nothing.",
    ({ logs }) => logs.partitionsLoaded,
  ),
  gauge(
    "kafscale_partitions_led",
    "Partitions that this broker leads.",
    ({ broker }) => broker.figures.leadership().led,
  ),
  gauge(
    "kafscale_partitions_offline",
    "Partitions that no broker leads: nobody can write to them or read from them.",
    ({ broker }) => broker.figures.leadership().offline,
  ),
  byTopic(
    "counter",
    "kafscale_topic_produced_records_total",
    "Records that were produced and committed.",
    ({ producedRecords }) => producedRecords,
  ),
  byTopic(
    "counter",
    "kafscale_topic_produced_bytes_total",
    "Bytes of record batches that were produced and committed, as they are stored.",
    ({ producedBytes }) => producedBytes,
  ),
  byTopic(
    "counter",
    "kafscale_topic_fetched_bytes_total",
    "Bytes of record batches that consumers were given.",
    ({ fetchedBytes }) => fetchedBytes,
  ),
  byTopic(
    "gauge",
    "kafscale_topic_stored_bytes",
    "Bytes of record batches that are stored, of partitions that were used since the start.",
    ({ storedBytes }) => storedBytes,
  ),
];
