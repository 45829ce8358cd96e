import { invariant } from "../runtime/assert.ts";

const TWO_32 = 2 ** 32;
const utf8 = new TextEncoder();

/**
 * A growing buffer in network order whose result is a gather list: `external` splices in bytes of
 * others (record batches) without copying them.
 */
export class Writer {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #offset = 0;
  /** Where the part that is not yet in `#parts` begins. */
  #partStart = 0;
  #parts: Uint8Array[] = [];
  #partBytes = 0;

  constructor(capacity = 512) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far, spliced ones included. */
  get length(): number {
    return this.#partBytes + this.#offset - this.#partStart;
  }

  /** Room for `length` bytes; may replace the view, so call it before touching `#view`. */
  #reserve(length: number): number {
    const at = this.#offset;
    if (at + length > this.#bytes.length) this.#grow(length);
    const start = this.#offset;
    this.#offset = start + length;
    return start;
  }

  #grow(length: number): void {
    const pending = this.#bytes.subarray(this.#partStart, this.#offset);
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, pending.length + length));
    grown.set(pending);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
    this.#offset = pending.length;
    this.#partStart = 0;
  }

  #closePart(): void {
    if (this.#offset === this.#partStart) return;
    this.#parts.push(this.#bytes.subarray(this.#partStart, this.#offset));
    this.#partBytes += this.#offset - this.#partStart;
    this.#partStart = this.#offset;
  }

  int8(value: number): void {
    const at = this.#reserve(1);
    this.#view.setInt8(at, value);
  }

  boolean(value: boolean): void {
    const at = this.#reserve(1);
    this.#view.setInt8(at, value ? 1 : 0);
  }

  int16(value: number): void {
    const at = this.#reserve(2);
    this.#view.setInt16(at, value);
  }

  uint16(value: number): void {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value);
  }

  int32(value: number): void {
    const at = this.#reserve(4);
    this.#view.setInt32(at, value);
  }

  uint32(value: number): void {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
  }

  int64(value: number): void {
    const at = this.#reserve(8);
    const high = Math.floor(value / TWO_32);
    this.#view.setInt32(at, high);
    this.#view.setUint32(at + 4, value - high * TWO_32);
  }

  bigint64(value: bigint): void {
    const at = this.#reserve(8);
    this.#view.setBigInt64(at, value);
  }

  float64(value: number): void {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value);
  }

  uvarint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.int8((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    this.int8(rest);
  }

  varint(value: number): void {
    this.uvarint(((value << 1) ^ (value >> 31)) >>> 0);
  }

  varlong(value: number): void {
    let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
    while (rest >= 0x80n) {
      this.int8(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.int8(Number(rest));
  }

  /** Copies `bytes` in. */
  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Splices `bytes` in without a copy; they must not change until the result is sent. */
  external(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#closePart();
    this.#parts.push(bytes);
    this.#partBytes += bytes.length;
  }

  /** The gather list of everything written; the writer is spent afterwards. */
  finish(): Uint8Array[] {
    this.#closePart();
    invariant(this.#partStart === this.#offset, "an open part is left in the writer");
    return this.#parts;
  }

  /** Everything as one array. */
  toBytes(): Uint8Array {
    return concat(this.finish());
  }
}

/** The UTF-8 bytes of `text`. */
export function encodeUtf8(text: string): Uint8Array {
  return utf8.encode(text);
}

/** Bytes of a gather list. */
export function lengthOf(parts: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return bytes;
}

/** One array out of a gather list; sized first, written once. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
