import { FIRST_LEADERS_WAIT_MS, LEADERS_LOOK_MS, LEADERS_WAIT_MS } from "../config/limits.ts";
import type { TopicInfo } from "../metadata/topics.ts";
import { sleep } from "../runtime/sleep.ts";
import type { Rooms } from "./rooms.ts";

type Needed = Pick<Rooms, "cluster" | "runtime" | "topics">;

/**
 * Waits until partitions that were just made are led, for a while at most: many clients don't take
 * a topic without leaders for one that will soon have them.
 */
export async function awaitLeaders(
  { cluster, runtime }: Pick<Needed, "cluster" | "runtime">,
  topics: readonly (TopicInfo | undefined)[],
): Promise<void> {
  if (!cluster.shared) return;
  const isLed = ({ id }: TopicInfo, partition: number) =>
    cluster.placement(id, partition).ownerId >= 0;
  await awaitPartitions(runtime, topics, LEADERS_WAIT_MS, isLed);
}

/**
 * Before topics are described: waits, shortly, for the first leaders of those that somebody makes
 * at the moment. Kafka's topics never appear without leaders, and some clients keep what they saw
 * for seconds. Partitions that have lost their leader are not waited for.
 */
export async function awaitFirstLeaders(
  { cluster, runtime, topics }: Needed,
  described: Iterable<TopicInfo | undefined>,
): Promise<void> {
  if (!cluster.shared) return;
  const isDescribable = ({ id }: TopicInfo, partition: number) =>
    !cluster.isNew(id, partition) || cluster.leader(id, partition).leaderId >= 0 ||
    topics.byId(id) === undefined;
  await awaitPartitions(runtime, described, FIRST_LEADERS_WAIT_MS, isDescribable);
}

async function awaitPartitions(
  { clock, timers }: Rooms["runtime"],
  topics: Iterable<TopicInfo | undefined>,
  waitMs: number,
  isThere: (topic: TopicInfo, partition: number) => boolean,
): Promise<void> {
  const endMs = clock.monotonicMs() + waitMs;
  for (const topic of topics) {
    for (let partition = 0; partition < (topic?.partitionCount ?? 0); partition++) {
      while (!isThere(topic!, partition)) {
        if (clock.monotonicMs() >= endMs) return;
        await sleep(timers, LEADERS_LOOK_MS);
      }
    }
  }
}
