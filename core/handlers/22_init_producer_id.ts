/**
 * InitProducerId (key 22), versions 0 to 5.
 *
 *     InitProducerId => transactional_id transaction_timeout_ms producer_id producer_epoch
 *
 * Idempotent producers only: each call gets a producer id of its own with epoch 0, also when the
 * client names the one that it had (KIP-360: an idempotent producer that lost its place starts over
 * with a new id). An id without an epoch, or the reverse, is INVALID_REQUEST. Transactions are not
 * built yet: a transactional id is TRANSACTIONAL_ID_AUTHORIZATION_FAILED, which both Java's client
 * and librdkafka take as final (librdkafka tries again on INVALID_REQUEST); an empty one is
 * INVALID_REQUEST. Without metadata: COORDINATOR_LOAD_IN_PROGRESS, which is retried.
 */
import { MetadataError } from "../metadata/metadata_store.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { initProducerId } from "../protocol/messages/22_init_producer_id.ts";
import { handler } from "./handler.ts";

export const initProducerIdHandler = handler(initProducerId, async (rooms, context, request) => {
  const { log } = rooms.runtime;
  if (!isPair(request.producerId, request.producerEpoch) || request.transactionalId === "") {
    return failed(ErrorCode.INVALID_REQUEST);
  }
  if (request.transactionalId !== null) {
    log.warn("a transactional producer was refused: this version has no transactions", {
      transactionalId: request.transactionalId,
      clientId: context.clientId,
      remoteAddress: context.remoteAddress,
    });
    return failed(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  }
  try {
    const producerId = await rooms.producerIds.next();
    return { errorCode: ErrorCode.NONE, producerId, producerEpoch: 0 };
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    log.warn("no producer id could be reserved, because metadata is not available", { error });
    return failed(
      error.outcome === "retry"
        ? ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        : ErrorCode.KAFKA_STORAGE_ERROR,
    );
  }
});

/** Both there, or both -1. */
function isPair(producerId: number, producerEpoch: number): boolean {
  if (producerId === -1 || producerEpoch === -1) return producerId === producerEpoch;
  return producerId >= 0 && producerEpoch >= 0;
}

function failed(errorCode: number) {
  return { errorCode, producerId: -1, producerEpoch: -1 };
}
