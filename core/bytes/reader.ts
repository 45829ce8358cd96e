/** Bytes from a peer or a store that are not what their format says. */
export class MalformedError extends Error {
  override name = "MalformedError";
}

const TWO_32 = 2 ** 32;
const utf8 = new TextDecoder("utf-8", { fatal: true });
/** Up to here a loop is several times as fast as a call of the decoder. */
const SHORT = 16;

/**
 * A cursor over bytes in network order. One object per connection is enough: `reset` aims it at the
 * next frame. Every read checks its bounds and throws `MalformedError`; nothing is allocated from a
 * length that the remaining bytes cannot hold.
 */
export class Reader {
  bytes!: Uint8Array;
  view!: DataView;
  offset = 0;
  end = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.reset(bytes, start, end);
  }

  reset(bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (this.bytes === undefined || this.bytes !== bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.offset = start;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  /** Moves past `length` bytes and returns where they start. */
  take(length: number): number {
    const start = this.offset;
    if (length < 0 || length > this.end - start) {
      throw new MalformedError("message ends before its fields do");
    }
    this.offset = start + length;
    return start;
  }

  int8(): number {
    return this.view.getInt8(this.take(1));
  }

  uint8(): number {
    return this.view.getUint8(this.take(1));
  }

  boolean(): boolean {
    return this.uint8() !== 0;
  }

  int16(): number {
    return this.view.getInt16(this.take(2));
  }

  uint16(): number {
    return this.view.getUint16(this.take(2));
  }

  int32(): number {
    return this.view.getInt32(this.take(4));
  }

  uint32(): number {
    return this.view.getUint32(this.take(4));
  }

  /**
   * An int64 as a number; beyond ±2^53 the low bits are lost, so ids of that size use `bigint64`.
   */
  int64(): number {
    const at = this.take(8);
    return this.view.getInt32(at) * TWO_32 + this.view.getUint32(at + 4);
  }

  bigint64(): bigint {
    return this.view.getBigInt64(this.take(8));
  }

  float64(): number {
    return this.view.getFloat64(this.take(8));
  }

  /** Unsigned LEB128 of at most 32 bits. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.uint8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value >= TWO_32) break;
        return value;
      }
    }
    throw new MalformedError("varint is longer than 32 bits");
  }

  /** Zig-zag LEB128 of at most 32 bits. */
  varint(): number {
    const raw = this.uvarint();
    return (raw >>> 1) ^ -(raw & 1);
  }

  /** Zig-zag LEB128 of at most 64 bits, as a number. */
  varlong(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.uint8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n)));
    }
    throw new MalformedError("varlong is longer than 64 bits");
  }

  /** `length` bytes as UTF-8. */
  utf8(length: number): string {
    const start = this.take(length);
    const plain = length <= SHORT ? shortAscii(this.bytes, start, start + length) : undefined;
    if (plain !== undefined) return plain;
    try {
      return utf8.decode(this.bytes.subarray(start, start + length));
    } catch {
      throw new MalformedError("string is not UTF-8");
    }
  }

  /** A copy of the next `length` bytes, which outlives the frame. */
  copy(length: number): Uint8Array {
    const start = this.take(length);
    return this.bytes.slice(start, start + length);
  }

  /** The next `length` bytes without a copy; valid as long as the underlying buffer. */
  view8(length: number): Uint8Array {
    const start = this.take(length);
    return this.bytes.subarray(start, start + length);
  }
}

/** Undefined where a byte is more than a character by itself. */
function shortAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = "";
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}
