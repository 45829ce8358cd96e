/** Topics and partitions as plugins see them. */
import { boundedMap } from "../handlers/bounded_map.ts";
import type { ClusterView } from "../handlers/rooms.ts";
import type { Logs } from "../log/logs.ts";
import { PartitionLogState } from "../log/partition_log.ts";
import type { TrafficByTopic } from "../log/topic_traffic.ts";
import type { TopicInfo, TopicRegistry } from "../metadata/topics.ts";
import type { CallsByDirectory, DirectoryCalls } from "../storage/calls_by_directory.ts";
import type {
  Leadership,
  LogTotals,
  PartitionLogView,
  PartitionView,
  TopicFigures,
  TopicView,
} from "./broker_view.ts";

const LOADS_PARALLEL = 16;

export function topicView(info: TopicInfo): TopicView {
  return {
    name: info.name,
    topicId: info.id,
    partitionCount: info.partitionCount,
    configs: Object.fromEntries(info.configs),
    directory: info.directory,
  };
}

/** See BrokerView.partitions. */
export async function partitionViews(
  logs: Logs,
  cluster: ClusterView,
  topic: TopicView,
  from: number,
  to: number,
): Promise<PartitionView[]> {
  const count = Math.max(0, Math.min(to, topic.partitionCount) - from);
  const partitions = Array.from({ length: count }, (_, index) => from + index);
  return await boundedMap(partitions, LOADS_PARALLEL, async (partition) => {
    const log = await logs.state(topic.topicId, partition);
    const { leaderId, leaderEpoch } = cluster.leader(topic.topicId, partition);
    const shown = log instanceof PartitionLogState ? logView(log) : null;
    return { partition, leader: leaderId, leaderEpoch, log: shown };
  });
}

function logView(log: PartitionLogState): PartitionLogView {
  return {
    logStartOffset: log.logStartOffset,
    highWatermark: log.highWatermark,
    lastStableOffset: log.lastStableOffset,
    logEndOffset: log.logEndOffset,
    segments: log.checkpoint.segments.length,
    segmentBytes: log.segmentBytes,
    walBytes: log.tail.bytes,
    producers: log.producerStates.size,
  };
}

/** See Figures.leadership. */
export function leadership(topics: TopicRegistry, cluster: ClusterView): Leadership {
  let led = 0;
  let offline = 0;
  for (const { id, partitionCount } of topics.all()) {
    for (let partition = 0; partition < partitionCount; partition++) {
      const { leaderId } = cluster.leader(id, partition);
      if (leaderId === cluster.brokerId) led++;
      else if (leaderId < 0) offline++;
    }
  }
  return { led, offline };
}

const NO_CALLS: DirectoryCalls = { puts: 0, gets: 0, lists: 0, deletes: 0 };

/** See Figures.topics. */
export function* topicFigures(
  topics: TopicRegistry,
  traffic: TrafficByTopic,
  calls: CallsByDirectory,
): Iterable<TopicFigures> {
  for (const [topicId, of] of traffic.entries()) {
    const info = topics.byId(topicId);
    if (info === undefined) continue;
    const { name, directory } = info;
    yield { topicId, name, traffic: of, calls: calls.find(directory) ?? NO_CALLS };
  }
}

/** Requests for the write-ahead logs. */
export function walCalls(calls: CallsByDirectory): DirectoryCalls {
  return calls.find(".wal") ?? NO_CALLS;
}

export function logTotals(logs: Logs): LogTotals {
  let partitionsLoaded = 0;
  let segments = 0;
  let segmentBytes = 0;
  let unrewrittenBytes = logs.recovered.bytes;
  const storedBytes = new Map<string, number>();
  for (const log of logs.loaded()) {
    partitionsLoaded++;
    segments += log.checkpoint.segments.length;
    segmentBytes += log.segmentBytes;
    unrewrittenBytes += log.tail.bytes;
    storedBytes.set(log.topicId, (storedBytes.get(log.topicId) ?? 0) + log.sizeBytes);
  }
  return { partitionsLoaded, segments, segmentBytes, unrewrittenBytes, storedBytes };
}
