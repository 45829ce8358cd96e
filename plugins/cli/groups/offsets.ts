/** What groups have committed, and what there is to read: offsets as numbers, by partition. */
import type { Admin } from "@platformatic/kafka";
import { askCoordinator } from "../client.ts";
import { CliError } from "../command.ts";

/** By topic, then partition. */
export type Offsets = ReadonlyMap<string, ReadonlyMap<number, number>>;

/** ListOffsets' names for the ends of a log. */
export const EARLIEST = -2;
export const LATEST = -1;

/** Partition numbers by topic; a topic that is missing is an error. */
export async function partitionsOf(
  admin: Admin,
  topics: readonly string[],
): Promise<Map<string, number[]>> {
  if (topics.length === 0) return new Map();
  const metadata = await admin.metadata({ topics: [...topics], autocreateTopics: false });
  return new Map(topics.map((name) => {
    const topic = metadata.topics.get(name);
    if (topic === undefined) throw new CliError(`there is no topic ${name}; see topics list`);
    return [name, topic.partitions.map((_, partition) => partition)];
  }));
}

/**
 * The first offset at or after `timestampMs`, or an end of the log (EARLIEST, LATEST); -1 where no
 * record is that young.
 */
export async function listOffsets(
  admin: Admin,
  partitions: ReadonlyMap<string, readonly number[]>,
  timestampMs: number,
): Promise<Offsets> {
  if (partitions.size === 0) return new Map();
  const timestamp = BigInt(timestampMs);
  const topics = [...partitions].map(([name, indexes]) => ({
    name,
    partitions: indexes.map((partitionIndex) => ({ partitionIndex, timestamp })),
  }));
  const listed = await admin.listOffsets({ topics });
  return new Map(listed.map(({ name, partitions }) => [
    name,
    new Map(partitions.map((each) => [each.partitionIndex, Number(each.offset)])),
  ]));
}

/** By group; a group without commits has an empty map. */
export async function committedOffsets(
  admin: Admin,
  groups: readonly string[],
): Promise<Map<string, Offsets>> {
  if (groups.length === 0) return new Map();
  const listed = await askCoordinator(() =>
    admin.listConsumerGroupOffsets({ groups: [...groups] })
  );
  return new Map(listed.map(({ groupId, topics }) => [
    groupId,
    new Map(topics.map(({ name, partitions }) => [
      name,
      new Map(
        partitions.filter(({ committedOffset }) => committedOffset >= 0n)
          .map((each) => [each.partitionIndex, Number(each.committedOffset)]),
      ),
    ])),
  ]));
}
