/**
 * AlterPartitionReassignments (key 45), versions 0 to 1 (KIP-455).
 *
 *     AlterPartitionReassignments => timeout_ms allow_replication_factor_change
 *       [name [partition_index [replica]]]
 *
 * Brokers hold no copies, so there is nothing to move between them: the present leader alone as
 * replica is a success that changes nothing, any other set is INVALID_REPLICA_ASSIGNMENT. Null
 * replicas cancel, which is NO_REASSIGNMENT_IN_PROGRESS.
 */
import { ErrorCode } from "../protocol/errors.ts";
import {
  alterPartitionReassignments,
} from "../protocol/messages/45_alter_partition_reassignments.ts";
import { adminRefusal, type Refusal, refusal } from "./admin_request.ts";
import { handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

export const alterPartitionReassignmentsHandler = handler(
  alterPartitionReassignments,
  (rooms, _context, request) => {
    const denied = adminRefusal(rooms, ErrorCode.CLUSTER_AUTHORIZATION_FAILED);
    if (denied !== undefined) return denied;
    const responses = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, replicas }) => ({
        partitionIndex,
        ...outcome(rooms, name, partitionIndex, replicas),
      })),
    }));
    const { allowReplicationFactorChange } = request;
    return {
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      allowReplicationFactorChange,
      responses,
    };
  },
);

function outcome(
  rooms: Rooms,
  name: string,
  partition: number,
  replicas: readonly number[] | null,
): Refusal | { errorCode: 0; errorMessage: null } {
  const topic = rooms.topics.byName(name);
  if (topic === undefined || partition < 0 || partition >= topic.partitionCount) {
    return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "The partition does not exist.");
  }
  if (replicas === null) {
    return refusal(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, "No reassignment is in progress.");
  }
  const { leaderId } = rooms.cluster.leader(topic.id, partition);
  if (replicas.length === 1 && replicas[0] === leaderId) {
    return { errorCode: ErrorCode.NONE, errorMessage: null };
  }
  return refusal(
    ErrorCode.INVALID_REPLICA_ASSIGNMENT,
    `The object store holds the partition, and broker ${leaderId} leads it: its replicas cannot ` +
      "be placed by hand",
  );
}
