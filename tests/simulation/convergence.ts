/** Once the faults have ended a cluster must rest: every partition led, by whom it should. */
import { assignmentOf, COORDINATORS, sameChain } from "../../core/metadata/assignments.ts";
import { liveBrokerOf } from "../../core/metadata/brokers.ts";
import {
  ASSIGNMENTS_PREFIX,
  LIVE_BROKERS_PREFIX,
  LIVE_TOPICS_PREFIX,
} from "../../core/metadata/keys.ts";
import { topicOf } from "../../core/metadata/topic_view.ts";
import type { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";

/** What keeps the cluster of `brokers` from being at rest, as metadata has it; empty: nothing. */
export function unsettled(metadata: MemoryMetadata, brokers: number): string[] {
  const live = metadata.list(LIVE_BROKERS_PREFIX).entries.map(liveBrokerOf);
  const left: string[] = [];
  if (live.length !== brokers) left.push(`${live.length} of ${brokers} brokers are registered`);
  const topics = metadata.list(LIVE_TOPICS_PREFIX).entries.map(topicOf);
  const records = new Map(
    metadata.list(ASSIGNMENTS_PREFIX).entries.map(assignmentOf).map((each) => [each.topicId, each]),
  );
  const loads = new Map(live.map(({ brokerId }) => [brokerId, 0]));
  for (const { topicId } of records.values()) {
    if (topicId === COORDINATORS || topics.some(({ id }) => id === topicId)) continue;
    left.push(`the deleted topic ${topicId} has a record still`);
  }
  const wanted = [...topics, { id: COORDINATORS, partitionCount: 1 }];
  for (const { id, partitionCount } of wanted) {
    const partitions = records.get(id)?.partitions ?? [];
    if (partitions.length < partitionCount) left.push(`${id} is not assigned`);
    for (const [partition, { owner, target, sources }] of partitions.entries()) {
      const where = `${id}/${partition}`;
      const leads = live.some(({ brokerId, epoch }) =>
        sameChain(owner, { brokerId, brokerEpoch: epoch })
      );
      if (!leads) left.push(`${where} is led by nobody who lives`);
      else if (owner?.brokerId !== target) left.push(`${where} is led by another than ${target}`);
      if (sources.length > 0) left.push(`${where} may still lie in other chains`);
      if (id !== COORDINATORS) loads.set(target, (loads.get(target) ?? 0) + 1);
    }
  }
  const counts = [...loads.values()];
  if (Math.max(...counts) - Math.min(...counts) > 1) left.push(`unbalanced: ${counts.join(", ")}`);
  return left;
}
