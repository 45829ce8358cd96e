/**
 * Batches of idempotent producers that were refused before their partition was asked: the store was
 * unavailable, the partition could not be loaded, memory was full for too long. Their producers
 * send them again; but a batch that was pipelined behind one may be served first, and a partition
 * that knows nothing of a producer takes any sequence from it (its state may have expired). The
 * note of what was refused keeps such a batch out until the refused one has come (I2, I6).
 *
 * A partition that knows the producer needs no note: its own sequences say as much.
 */
import {
  BATCH_BASE_SEQUENCE_AT,
  BATCH_HEADER_BYTES,
  BATCH_PRODUCER_EPOCH_AT,
  BATCH_PRODUCER_ID_AT,
} from "../protocol/record_batch.ts";
import type { Clock } from "../runtime/runtime.ts";
import { SEQUENCE_MODULUS } from "./producer_state.ts";

interface Refused {
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly notedMs: number;
}

interface SequencedBatch {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

/** Beyond Kafka's default delivery.timeout.ms of two minutes a producer has given its batch up. */
const KEEP_MS = 300_000;

export class RefusedSequences {
  /** By partition and producer id, the longest noted first. */
  readonly #refused = new Map<string, Refused>();

  /** `max`: at it the longest noted go first (I9). */
  constructor(readonly clock: Clock, readonly max: number) {}

  get size(): number {
    return this.#refused.size;
  }

  /** Notes the batch in `records`, if it has a sequence and no earlier one is noted. */
  note(topicId: string, partition: number, records: Uint8Array | null): void {
    if (records === null || records.length < BATCH_HEADER_BYTES) return;
    const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
    const producerId = Number(view.getBigInt64(BATCH_PRODUCER_ID_AT));
    const baseSequence = view.getInt32(BATCH_BASE_SEQUENCE_AT);
    if (producerId < 0 || baseSequence < 0) return;
    const producerEpoch = view.getInt16(BATCH_PRODUCER_EPOCH_AT);
    const notedMs = this.clock.monotonicMs();
    this.#forget(notedMs - KEEP_MS);
    const key = keyOf(topicId, partition, producerId);
    const known = this.#refused.get(key);
    // One that is sent again, after its first way to another broker was lost, may come behind those
    // that were sent later: the first of them all counts.
    if (known !== undefined && known.producerEpoch > producerEpoch) return;
    if (known?.producerEpoch === producerEpoch && !isBefore(baseSequence, known.baseSequence)) {
      return;
    }
    this.#refused.delete(key);
    this.#refused.set(key, { producerEpoch, baseSequence, notedMs });
  }

  /**
   * Whether a batch that its partition takes may go in; what goes in ends the note. `follows`: it
   * does so on the producer's last batch there, so no note counts.
   */
  admits(topicId: string, partition: number, batch: SequencedBatch, follows: boolean): boolean {
    if (this.#refused.size === 0) return true;
    this.#forget(this.clock.monotonicMs() - KEEP_MS);
    const key = keyOf(topicId, partition, batch.producerId);
    const known = this.#refused.get(key);
    if (known === undefined) return true;
    const first = known.producerEpoch !== batch.producerEpoch ||
      !isBefore(known.baseSequence, batch.baseSequence);
    if (!follows && !first) return false;
    this.#refused.delete(key);
    return true;
  }

  #forget(beforeMs: number): void {
    for (const [key, { notedMs }] of this.#refused) {
      if (notedMs >= beforeMs && this.#refused.size <= this.max) return;
      this.#refused.delete(key);
    }
  }
}

/** Sequences wrap; what is less than half of them all ahead comes later. */
function isBefore(a: number, b: number): boolean {
  const ahead = (b - a + SEQUENCE_MODULUS) % SEQUENCE_MODULUS;
  return ahead > 0 && ahead < SEQUENCE_MODULUS / 2;
}

function keyOf(topicId: string, partition: number, producerId: number): string {
  return `${topicId}/${partition}/${producerId}`;
}
