/**
 * Writing and reading the few wire types that the raw tests need; independent of core on purpose.
 */

/** A growing big-endian writer. */
export class RawWriter {
  readonly #parts: number[] = [];

  int8(value: number): this {
    this.#parts.push(value & 255);
    return this;
  }

  int16(value: number): this {
    return this.int8(value >> 8).int8(value);
  }

  int32(value: number): this {
    return this.int16(value >> 16).int16(value);
  }

  int64(value: bigint): this {
    return this.int32(Number(BigInt.asIntN(32, value >> 32n))).int32(
      Number(BigInt.asIntN(32, value)),
    );
  }

  /** INT16 length and UTF-8; null is -1. */
  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const bytes = new TextEncoder().encode(value);
    return this.int16(bytes.length).raw(bytes);
  }

  /** Unsigned varint. */
  uvarint(value: number): this {
    while (value > 127) {
      this.int8(value & 127 | 128);
      value >>>= 7;
    }
    return this.int8(value);
  }

  /** Zigzag varint. */
  varint(value: number): this {
    return this.uvarint((value << 1) ^ (value >> 31));
  }

  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.#parts.push(byte);
    return this;
  }

  get length(): number {
    return this.#parts.length;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#parts);
  }
}

/** A big-endian reader. */
export class RawReader {
  offset = 0;
  readonly #view: DataView;

  constructor(readonly buffer: Uint8Array) {
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }

  get left(): number {
    return this.buffer.length - this.offset;
  }

  int8(): number {
    return this.#view.getInt8(this.#skip(1));
  }

  int16(): number {
    return this.#view.getInt16(this.#skip(2));
  }

  int32(): number {
    return this.#view.getInt32(this.#skip(4));
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#skip(8));
  }

  string(): string | null {
    const length = this.int16();
    return length < 0 ? null : new TextDecoder().decode(this.raw(length));
  }

  raw(length: number): Uint8Array {
    const start = this.#skip(length);
    return this.buffer.subarray(start, start + length);
  }

  #skip(length: number): number {
    const start = this.offset;
    if (length < 0 || start + length > this.buffer.length) throw new RangeError("answer too short");
    this.offset += length;
    return start;
  }
}
