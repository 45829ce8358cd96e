/**
 * FindCoordinator (key 10), versions 0 to 6.
 *
 *     FindCoordinator v0-3 => key key_type
 *     FindCoordinator v4+  => key_type [key]
 *
 * Groups (key type 0) are spread over the live brokers by shard. Transactions (1) have no
 * coordinator yet: TRANSACTIONAL_ID_AUTHORIZATION_FAILED. Share groups (2, KIP-932) and unknown
 * types: INVALID_REQUEST.
 */
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { findCoordinator } from "../protocol/messages/10_find_coordinator.ts";
import { handler } from "./handler.ts";
import type { ClusterView } from "./rooms.ts";

const GROUP = 0;
const TRANSACTION = 1;
const BATCHED_SINCE = 4;

interface Coordinator {
  readonly errorCode: ErrorCodeValue;
  readonly errorMessage: string | null;
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export const findCoordinatorHandler = handler(findCoordinator, (rooms, context, request) => {
  const find = (key: string) => coordinator(rooms.cluster, request.keyType, key);
  if (context.apiVersion < BATCHED_SINCE) return find(request.key);
  return { coordinators: request.coordinatorKeys.map((key) => ({ key, ...find(key) })) };
});

function coordinator(cluster: ClusterView, keyType: number, key: string): Coordinator {
  if (keyType === TRANSACTION) {
    return nobody(
      // Fatal in every client: a retriable code would make initTransactions() hang.
      ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
      "transactions are not available on this broker",
    );
  }
  if (keyType !== GROUP) {
    return nobody(
      ErrorCode.INVALID_REQUEST,
      `coordinators of key type ${keyType} are not supported`,
    );
  }
  const coordinatorId = cluster.coordinator(key);
  const broker = cluster.brokers().find(({ nodeId }) => nodeId === coordinatorId);
  if (broker === undefined) {
    return nobody(ErrorCode.COORDINATOR_NOT_AVAILABLE, "no broker coordinates the group just now");
  }
  const { nodeId, host, port } = broker;
  return { errorCode: ErrorCode.NONE, errorMessage: null, nodeId, host, port };
}

function nobody(errorCode: ErrorCodeValue, errorMessage: string): Coordinator {
  return { errorCode, errorMessage, nodeId: -1, host: "", port: -1 };
}
