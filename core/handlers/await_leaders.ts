import { LEADERS_LOOK_MS, LEADERS_WAIT_MS } from "../config/limits.ts";
import type { TopicInfo } from "../metadata/topics.ts";
import { sleep } from "../runtime/sleep.ts";
import type { Rooms } from "./rooms.ts";

/**
 * Waits until partitions that were just made are led, for a while at most: many clients don't take
 * a topic without leaders for one that will soon have them.
 */
export async function awaitLeaders(
  { cluster, runtime }: Pick<Rooms, "cluster" | "runtime">,
  topics: readonly (TopicInfo | undefined)[],
): Promise<void> {
  if (!cluster.shared) return;
  const endMs = runtime.clock.monotonicMs() + LEADERS_WAIT_MS;
  for (const topic of topics) {
    for (let partition = 0; partition < (topic?.partitionCount ?? 0); partition++) {
      while (cluster.placement(topic!.id, partition).ownerId < 0) {
        if (runtime.clock.monotonicMs() >= endMs) return;
        await sleep(runtime.timers, LEADERS_LOOK_MS);
      }
    }
  }
}
