/**
 * DescribeLogDirs (key 35), versions 1 to 4 (KIP-113).
 *
 *     DescribeLogDirs => [topic [partition]]          null: all
 *
 * The object store counts as the one log directory. Sizes are those of partitions in use since the
 * start; others are not looked up for this and left out. Total and usable bytes (KIP-827) are -1,
 * unknown: an object store has no such numbers.
 */
import type { LooseResponseOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { describeLogDirs } from "../protocol/messages/35_describe_log_dirs.ts";
import { handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type Result = NonNullable<LooseResponseOf<typeof describeLogDirs>["results"]>[number];
type Partition = NonNullable<NonNullable<Result["topics"]>[number]["partitions"]>[number];

export const describeLogDirsHandler = handler(describeLogDirs, (rooms, _context, request) => {
  const wanted = request.topics === null
    ? undefined
    : new Map(request.topics.map(({ topic, partitions }) => [topic, new Set(partitions)]));
  const byTopic = new Map<string, Partition[]>();
  for (const { topic, partition, sizeBytes } of rooms.logs.sizes()) {
    if (wanted !== undefined && !wanted.get(topic)?.has(partition)) continue;
    let partitions = byTopic.get(topic);
    if (partitions === undefined) byTopic.set(topic, partitions = []);
    partitions.push({
      partitionIndex: partition,
      partitionSize: sizeBytes,
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

function logDirectory({ config }: Rooms): string {
  return config.storage === "file" ? config.dataDir : `${config.storage}:${config.namespace}`;
}
