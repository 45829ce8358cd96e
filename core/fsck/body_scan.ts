/**
 * Walks record batches that come in pieces of any size, holding one header at a time: the body of a
 * segment or of a WAL slot.
 */
import { crc32c, MalformedError } from "../bytes/mod.ts";
import {
  BATCH_ATTRIBUTES_AT,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_OVERHEAD_BYTES,
  BatchHeader,
  readBatchHeader,
} from "../protocol/record_batch.ts";

export interface WalkedBatch {
  readonly header: BatchHeader;
  /** Of the batch, from the start of its object. */
  readonly position: number;
  readonly length: number;
  /** Whether it has the CRC-32C that it states; undefined where that was not asked for. */
  readonly intact: boolean | undefined;
}

export class BodyScan {
  readonly #head = new Uint8Array(BATCH_HEADER_BYTES);
  readonly #view = new DataView(this.#head.buffer);
  readonly #header = new BatchHeader();
  /** Bytes of the present batch taken so far. */
  #taken = 0;
  /** Of the present batch; known once its header is whole. */
  #length = 0;
  #crc = 0;
  #position: number;

  /** `visit` gets each batch at its end; the header is reused. `position`: of the first batch. */
  constructor(
    position: number,
    readonly checkCrc: boolean,
    readonly visit: (batch: WalkedBatch) => void,
  ) {
    this.#position = position;
  }

  /** Throws MalformedError where no batch can begin. */
  take(piece: Uint8Array): void {
    for (let at = 0; at < piece.length;) {
      at = this.#taken < BATCH_HEADER_BYTES ? this.#takeHead(piece, at) : this.#takeRest(piece, at);
      if (this.#taken < BATCH_HEADER_BYTES || this.#taken < this.#length) continue;
      this.visit({
        header: this.#header,
        position: this.#position,
        length: this.#length,
        intact: this.checkCrc ? this.#crc === this.#header.crc : undefined,
      });
      this.#position += this.#length;
      this.#taken = 0;
    }
  }

  /** Throws MalformedError when the bytes ended inside of a batch. */
  end(): void {
    if (this.#taken > 0) throw new MalformedError("it ends inside of a record batch");
  }

  #takeHead(piece: Uint8Array, at: number): number {
    const take = Math.min(piece.length - at, BATCH_HEADER_BYTES - this.#taken);
    this.#head.set(piece.subarray(at, at + take), this.#taken);
    this.#taken += take;
    if (this.#taken < BATCH_HEADER_BYTES) return at + take;
    readBatchHeader(this.#view, 0, this.#header);
    this.#length = BATCH_OVERHEAD_BYTES + this.#header.batchLength;
    if (this.#length < BATCH_HEADER_BYTES || this.#header.magic !== BATCH_MAGIC) {
      throw new MalformedError(`no record batch begins at ${this.#position}`);
    }
    if (this.checkCrc) this.#crc = crc32c(this.#head, BATCH_ATTRIBUTES_AT, BATCH_HEADER_BYTES);
    return at + take;
  }

  #takeRest(piece: Uint8Array, at: number): number {
    const end = Math.min(piece.length, at + this.#length - this.#taken);
    if (this.checkCrc) this.#crc = crc32c(piece, at, end, this.#crc);
    this.#taken += end - at;
    return end;
  }
}

/** Inclusive. */
export function lastOffsetOf(header: BatchHeader): number {
  return header.baseOffset + header.lastOffsetDelta;
}
