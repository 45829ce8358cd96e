/**
 * AlterPartitionReassignments (key 45), versions 0 to 1 (KIP-455).
 *
 *     AlterPartitionReassignments => timeout_ms allow_replication_factor_change
 *       [name [partition_index [replica]]]
 *
 * Brokers hold no copies: a partition's one replica is the broker that leads it, and that is what
 * moves. The broker stays preferred from then on, as the first of Kafka's replicas does. More than
 * one replica, or a broker that cannot lead, is INVALID_REPLICA_ASSIGNMENT. Null replicas cancel a
 * move that is not over: the present leader keeps the partition. Done is answered when the move is
 * stored; ListPartitionReassignments tells whether it is over.
 */
import type { TopicInfo } from "../metadata/topics.ts";
import { MetadataError } from "../metadata/metadata_store.ts";
import type { RequestOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import {
  alterPartitionReassignments,
} from "../protocol/messages/45_alter_partition_reassignments.ts";
import { adminRefusal, type Refusal, refusal, replicasFault } from "./admin_request.ts";
import { handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type TopicRequest = RequestOf<typeof alterPartitionReassignments>["topics"][number];
type PartitionRequest = TopicRequest["partitions"][number];

const DONE = { errorCode: ErrorCode.NONE, errorMessage: null } as const;

export const alterPartitionReassignmentsHandler = handler(
  alterPartitionReassignments,
  async (rooms, _context, request) => {
    const denied = adminRefusal(rooms, ErrorCode.CLUSTER_AUTHORIZATION_FAILED);
    if (denied !== undefined) return denied;
    const { allowReplicationFactorChange } = request;
    return {
      ...DONE,
      allowReplicationFactorChange,
      responses: await Promise.all(request.topics.map((topic) => alterTopic(rooms, topic))),
    };
  },
);

async function alterTopic(rooms: Rooms, { name, partitions }: TopicRequest) {
  const topic = rooms.topics.byName(name);
  const wanted = new Map<number, number | null>();
  const faults = partitions.map((partition) => {
    const fault = moveFault(rooms, topic, partition);
    if (fault === undefined) wanted.set(partition.partitionIndex, partition.replicas?.[0] ?? null);
    return fault;
  });
  const stored = wanted.size > 0 ? await prefer(rooms, topic!, wanted) : DONE;
  return {
    name,
    partitions: partitions.map(({ partitionIndex }, at) => ({
      partitionIndex,
      ...faults[at] ?? stored,
    })),
  };
}

async function prefer(
  rooms: Rooms,
  topic: TopicInfo,
  wanted: ReadonlyMap<number, number | null>,
): Promise<Refusal | typeof DONE> {
  try {
    await rooms.cluster.prefer(topic.id, wanted);
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    return refusal(ErrorCode.REQUEST_TIMED_OUT, `the move is not stored: ${error.message}`);
  }
  const moves = Object.fromEntries(wanted);
  rooms.runtime.log.info("partitions shall be led elsewhere", { topic: topic.name, moves });
  return DONE;
}

/** Why the partition cannot be moved so, or its move not cancelled. */
function moveFault(
  rooms: Rooms,
  topic: TopicInfo | undefined,
  { partitionIndex, replicas }: PartitionRequest,
): Refusal | undefined {
  if (topic === undefined || partitionIndex < 0 || partitionIndex >= topic.partitionCount) {
    return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "The partition does not exist.");
  }
  if (replicas === null) {
    return rooms.cluster.placement(topic.id, partitionIndex).movingTo === undefined
      ? refusal(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, "No reassignment is in progress.")
      : undefined;
  }
  const fault = replicasFault(rooms, replicas);
  if (fault !== undefined) return fault;
  const text = replicas.length > 1
    ? "The object store holds the partition, and brokers hold no copies: name one replica, the " +
      "broker that shall lead it."
    : rooms.cluster.canLead(replicas[0]!)
    ? undefined
    : `Broker ${replicas[0]} is draining, and leads nothing more.`;
  return text === undefined ? undefined : refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, text);
}
