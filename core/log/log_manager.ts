import type { ErrorCodeValue } from "../protocol/errors.ts";
import type { PartitionLog } from "./partition.ts";

/** All partitions that this broker leads; each is loaded from its manifest on first use. */
export interface LogManager {
  /**
   * The partition, or the error code to answer (UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER,
   * KAFKA_STORAGE_ERROR). Synchronous once loaded, so that the hot path never yields.
   */
  open(
    topicId: string,
    partition: number,
  ): PartitionLog | ErrorCodeValue | Promise<PartitionLog | ErrorCodeValue>;
  /**
   * 0 when uncommitted bytes are below their limit; else a wait for it, of `timeoutMs` at most,
   * which ends in 0 or the code to answer (I9: back-pressure first, REQUEST_TIMED_OUT at last).
   */
  room(timeoutMs: number): ErrorCodeValue | Promise<ErrorCodeValue>;
  /** Not 0 while every append is refused: KAFKA_STORAGE_ERROR, the store is unavailable. */
  readonly refusal: ErrorCodeValue;
  /** A batch was refused before its partition saw it; later ones of its producer must wait (I6). */
  noteRefused(topicId: string, partition: number, records: Uint8Array | null): void;
}
