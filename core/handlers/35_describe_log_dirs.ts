/**
 * DescribeLogDirs (key 35), versions 1 to 4 (KIP-113).
 *
 *     DescribeLogDirs => [topic [partition]]          null: all
 *
 * The object store counts as the one log directory. A partition that nobody used since the start is
 * loaded for this, and left out where the store does not answer. Total and usable bytes (KIP-827)
 * are -1, unknown: an object store has no such numbers.
 */
import type { TopicInfo } from "../metadata/topics.ts";
import type { LooseResponseOf, RequestOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { describeLogDirs } from "../protocol/messages/35_describe_log_dirs.ts";
import { boundedMap } from "./bounded_map.ts";
import { handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type Result = NonNullable<LooseResponseOf<typeof describeLogDirs>["results"]>[number];
type Partition = NonNullable<NonNullable<Result["topics"]>[number]["partitions"]>[number];

/** Partitions that are loaded at the same time. */
const LOADS_PARALLEL = 16;

export const describeLogDirsHandler = handler(describeLogDirs, async (rooms, _context, request) => {
  const wanted = partitionsOf(rooms, request.topics);
  const sized = await boundedMap(wanted, LOADS_PARALLEL, async ({ topic, partition }) => {
    const log = await rooms.logs.open(topic.id, partition);
    return typeof log === "number" ? undefined : { name: topic.name, log };
  });
  const byTopic = new Map<string, Partition[]>();
  for (const found of sized) {
    if (found === undefined) continue;
    const { name, log } = found;
    let partitions = byTopic.get(name);
    if (partitions === undefined) byTopic.set(name, partitions = []);
    partitions.push({
      partitionIndex: log.partition,
      partitionSize: log.sizeBytes,
      offsetLag: 0,
      isFutureKey: false,
    });
  }
  return {
    errorCode: ErrorCode.NONE,
    results: [{
      errorCode: ErrorCode.NONE,
      logDir: logDirectory(rooms),
      topics: Array.from(byTopic, ([name, partitions]) => ({ name, partitions })),
      totalBytes: -1,
      usableBytes: -1,
    }],
  };
});

/** The partitions asked for that exist; all where `asked` is null. */
function partitionsOf(
  rooms: Rooms,
  asked: RequestOf<typeof describeLogDirs>["topics"],
): { topic: TopicInfo; partition: number }[] {
  if (asked === null) {
    return Array.from(rooms.topics.all()).flatMap((topic) =>
      Array.from({ length: topic.partitionCount }, (_, partition) => ({ topic, partition }))
    );
  }
  return asked.flatMap(({ topic: name, partitions }) => {
    const topic = rooms.topics.byName(name);
    if (topic === undefined) return [];
    return partitions
      .filter((partition) => partition >= 0 && partition < topic.partitionCount)
      .map((partition) => ({ topic, partition }));
  });
}

function logDirectory({ config }: Rooms): string {
  return config.storage === "file" ? config.dataDir : `${config.storage}:${config.namespace}`;
}
