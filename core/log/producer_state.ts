/**
 * Idempotence (I6): what is known of each producer on one partition, and the verdict on its next
 * batch. Follows Apache Kafka's ProducerStateManager (KIP-98, KIP-185, KIP-360).
 */
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import type { ProducerBatch, ProducerEntry } from "../storage/manifest.ts";
import type { BatchRow } from "../storage/wal/format.ts";
import type { ProducerStateView } from "./partition.ts";

/** A retry is recognised among this many newest batches (a client has at most five in flight). */
const BATCHES_KEPT = 5;
export const SEQUENCE_MODULUS = 2 ** 31;

/** A batch that is known already, and what its answer depends on. */
export interface KnownBatch<Pending> extends ProducerBatch {
  /** The uncommitted commit that holds it; undefined once it is known to be durable. */
  readonly pending: Pending | undefined;
}

interface Producer<Pending> {
  producerId: number;
  producerEpoch: number;
  coordinatorEpoch: number;
  lastTimestampMs: number;
  transactionStartOffset: number;
  batches: KnownBatch<Pending>[];
}

export type Verdict<Pending> =
  | {
    readonly kind: "accept";
    /** It follows the producer's last batch; false: nothing is known that it could follow. */
    readonly follows: boolean;
  }
  | { readonly kind: "duplicate"; readonly batch: KnownBatch<Pending> }
  | {
    readonly kind: "refuse";
    readonly errorCode: ErrorCodeValue;
    readonly message: string;
  };

/** The sequence `by` behind `sequence`; sequences wrap from 2^31-1 to 0. */
export function addSequence(sequence: number, by: number): number {
  return (sequence + by) % SEQUENCE_MODULUS;
}

/**
 * The producers of one partition. `Pending` stands for the commit that a batch waits in; it is
 * undefined in the copy that follows the manifest.
 */
export class ProducerStates<Pending = never> {
  readonly #producers = new Map<number, Producer<Pending>>();

  constructor(entries: readonly ProducerEntry[] = []) {
    for (const entry of entries) {
      const batches = entry.batches.map((batch) => ({ ...batch, pending: undefined }));
      this.#producers.set(entry.producerId, { ...entry, batches });
    }
  }

  get size(): number {
    return this.#producers.size;
  }

  /** The verdict on a batch of an idempotent producer; changes nothing. */
  check(
    producerId: number,
    producerEpoch: number,
    baseSequence: number,
    lastOffsetDelta: number,
  ): Verdict<Pending> {
    const known = this.#producers.get(producerId);
    if (known === undefined) return ACCEPT_ANY;
    const newest = known.batches.at(-1);
    if (producerEpoch < known.producerEpoch) {
      return {
        kind: "refuse",
        errorCode: ErrorCode.INVALID_PRODUCER_EPOCH,
        message: "the producer epoch is older than the newest one on this partition",
      };
    }
    if (producerEpoch > known.producerEpoch) {
      if (baseSequence === 0) return ACCEPT;
      return newest === undefined ? ACCEPT_ANY : OUT_OF_ORDER;
    }
    const lastSequence = addSequence(baseSequence, lastOffsetDelta);
    for (const batch of known.batches) {
      if (batch.firstSequence === baseSequence && batch.lastSequence === lastSequence) {
        return { kind: "duplicate", batch };
      }
    }
    // All its records are gone (retention, DeleteRecords): any sequence may come next.
    if (newest === undefined) return ACCEPT_ANY;
    return addSequence(newest.lastSequence, 1) === baseSequence ? ACCEPT : OUT_OF_ORDER;
  }

  /**
   * Books an accepted batch that waits in `pending`, or one that is replayed. `atMs` is our own
   * wall time of the append: a client's timestamps may be decades old and must not expire its
   * state.
   */
  apply(row: BatchRow, pending: Pending | undefined, atMs: number): void {
    if (row.producerId < 0) return;
    let producer = this.#producers.get(row.producerId);
    if (producer === undefined) {
      producer = {
        producerId: row.producerId,
        producerEpoch: row.producerEpoch,
        coordinatorEpoch: -1,
        lastTimestampMs: atMs,
        transactionStartOffset: -1,
        batches: [],
      };
      this.#producers.set(row.producerId, producer);
    }
    if (row.producerEpoch !== producer.producerEpoch) {
      producer.producerEpoch = row.producerEpoch;
      producer.batches = [];
    }
    producer.lastTimestampMs = Math.max(producer.lastTimestampMs, atMs);
    if (row.baseSequence < 0) return;
    producer.batches.push({
      firstSequence: row.baseSequence,
      lastSequence: addSequence(row.baseSequence, row.lastOffsetDelta),
      baseOffset: row.baseOffset,
      lastOffset: row.baseOffset + row.lastOffsetDelta,
      pending,
    });
    if (producer.batches.length > BATCHES_KEPT) producer.batches.shift();
    // Insertion order is recency order, so that `expire` and the limit see the oldest first.
    this.#producers.delete(row.producerId);
    this.#producers.set(row.producerId, producer);
  }

  /** Forgets producers without a batch since `beforeMs`, and the oldest above `limit` (I9). */
  expire(beforeMs: number, limit: number): void {
    for (const [producerId, producer] of this.#producers) {
      const open = producer.transactionStartOffset >= 0;
      const excess = this.#producers.size > limit;
      if (!open && (excess || producer.lastTimestampMs < beforeMs)) {
        this.#producers.delete(producerId);
      } else if (!excess) break;
    }
  }

  entries(): ProducerEntry[] {
    return Array.from(this.#producers.values(), (producer) => ({
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      coordinatorEpoch: producer.coordinatorEpoch,
      lastTimestampMs: producer.lastTimestampMs,
      transactionStartOffset: producer.transactionStartOffset,
      batches: producer.batches.map(({ firstSequence, lastSequence, baseOffset, lastOffset }) => ({
        firstSequence,
        lastSequence,
        baseOffset,
        lastOffset,
      })),
    }));
  }

  views(): ProducerStateView[] {
    return Array.from(this.#producers.values(), (producer) => ({
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      lastSequence: producer.batches.at(-1)?.lastSequence ?? -1,
      lastTimestampMs: producer.lastTimestampMs,
      coordinatorEpoch: producer.coordinatorEpoch,
      currentTxnStartOffset: producer.transactionStartOffset,
    }));
  }
}

const ACCEPT = { kind: "accept", follows: true } as const;
const ACCEPT_ANY = { kind: "accept", follows: false } as const;

export const OUT_OF_ORDER = {
  kind: "refuse",
  errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
  message: "the batch's sequence doesn't follow the producer's last one on this partition",
} as const;
