/**
 * Replica assignments that people write by hand, in CreateTopics and CreatePartitions: checked as
 * Kafka does, and no more than that. Where records are kept does not depend on them, and a
 * partition is led by whom the cluster chooses.
 */
import type { ClusterView } from "./rooms.ts";

/** What is wrong with one partition's replicas, or undefined. */
export function replicasFault(
  cluster: ClusterView,
  brokerIds: readonly number[],
): string | undefined {
  if (brokerIds.length === 0) return "an assignment has an empty list of replicas";
  const known = new Set(cluster.brokers().map(({ nodeId }) => nodeId));
  const stranger = brokerIds.find((id) => !known.has(id));
  if (stranger !== undefined) {
    return `an assignment names broker ${stranger}, and no such broker is registered`;
  }
  return new Set(brokerIds).size === brokerIds.length
    ? undefined
    : "an assignment names a broker more than once";
}
