import { MalformedError } from "../bytes/mod.ts";

const CAPACITY_MIN = 4096;

/** The output of a decompressor: grows as it is written, and not beyond its limit. */
export class BoundedOutput {
  #bytes: Uint8Array;
  length = 0;

  /** `expected` is a hint from the peer, which alone allocates 16 times `inputBytes` at most. */
  constructor(readonly bytesMax: number, expected: number, inputBytes: number) {
    if (expected > bytesMax) throw new MalformedError("decompressed batch is above the limit");
    const trusted = Math.max(CAPACITY_MIN, inputBytes * 16);
    this.#bytes = new Uint8Array(Math.min(bytesMax, Math.max(expected, CAPACITY_MIN), trusted));
  }

  #reserve(length: number): number {
    const start = this.length;
    const end = start + length;
    if (end > this.bytesMax) throw new MalformedError("decompressed batch is above the limit");
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(this.bytesMax, Math.max(end, this.#bytes.length * 2)));
      grown.set(this.#bytes.subarray(0, start));
      this.#bytes = grown;
    }
    this.length = end;
    return start;
  }

  /** Appends `source[start, start + length)`. */
  literal(source: Uint8Array, start: number, length: number): void {
    const at = this.#reserve(length);
    this.#bytes.set(source.subarray(start, start + length), at);
  }

  /** Repeats `length` bytes from `distance` back; the two ranges may overlap. */
  match(distance: number, length: number): void {
    if (distance <= 0 || distance > this.length) {
      throw new MalformedError("compressed batch refers to bytes before its start");
    }
    const at = this.#reserve(length);
    const bytes = this.#bytes;
    if (distance >= length) {
      bytes.copyWithin(at, at - distance, at - distance + length);
      return;
    }
    for (let index = at; index < at + length; index++) bytes[index] = bytes[index - distance]!;
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}
