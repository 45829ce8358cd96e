/**
 * DescribeProducers (key 61), version 0.
 *
 *     DescribeProducers => [topic [partition]]
 *
 * The producers that have state in a partition (KIP-664), for finding hanging transactions.
 */
import type { LooseResponseOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { describeProducers } from "../protocol/messages/61_describe_producers.ts";
import { handler } from "./handler.ts";
import { openByName } from "./partition_access.ts";
import type { Rooms } from "./rooms.ts";

type TopicResponse = NonNullable<LooseResponseOf<typeof describeProducers>["topics"]>[number];
type PartitionResponse = NonNullable<TopicResponse["partitions"]>[number];

export const describeProducersHandler = handler(
  describeProducers,
  async (rooms, _context, request) => {
    const topics: TopicResponse[] = [];
    for (const { name, partitionIndexes } of request.topics) {
      const partitions: PartitionResponse[] = [];
      for (const index of partitionIndexes) partitions.push(await describe(rooms, name, index));
      topics.push({ name, partitions });
    }
    return { topics };
  },
);

async function describe(
  rooms: Rooms,
  topic: string,
  partitionIndex: number,
): Promise<PartitionResponse> {
  const log = await openByName(rooms, topic, partitionIndex);
  if (typeof log === "number") return { partitionIndex, errorCode: log };
  const activeProducers = log.producers().map((producer) => ({
    producerId: producer.producerId,
    producerEpoch: producer.producerEpoch,
    lastSequence: producer.lastSequence,
    lastTimestamp: producer.lastTimestampMs,
    coordinatorEpoch: producer.coordinatorEpoch,
    currentTxnStartOffset: producer.currentTxnStartOffset,
  }));
  return { partitionIndex, errorCode: ErrorCode.NONE, activeProducers };
}
