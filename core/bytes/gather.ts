import { MalformedError } from "./reader.ts";

const TWO_32 = 2 ** 32;

/** Random access to a gather list as if it were one array that starts at position `base`. */
export class Gather {
  readonly #starts: number[] = [];
  readonly end: number;

  constructor(readonly parts: readonly Uint8Array[], readonly base = 0) {
    let at = base;
    for (const part of parts) {
      this.#starts.push(at);
      at += part.length;
    }
    this.end = at;
  }

  #partOf(at: number): number {
    if (at < this.base || at >= this.end) throw new MalformedError("position outside of the bytes");
    let index = this.#starts.length - 1;
    while (this.#starts[index]! > at) index--;
    return index;
  }

  uint8(at: number): number {
    const index = this.#partOf(at);
    return this.parts[index]![at - this.#starts[index]!]!;
  }

  int32(at: number): number {
    const index = this.#partOf(at);
    const part = this.parts[index]!;
    const offset = at - this.#starts[index]!;
    if (offset + 4 <= part.length) {
      return (part[offset]! << 24) | (part[offset + 1]! << 16) | (part[offset + 2]! << 8) |
        part[offset + 3]!;
    }
    return (this.uint8(at) << 24) | (this.uint8(at + 1) << 16) | (this.uint8(at + 2) << 8) |
      this.uint8(at + 3);
  }

  int64(at: number): number {
    return this.int32(at) * TWO_32 + (this.int32(at + 4) >>> 0);
  }

  /** Views of `[start, end)`, without a copy. */
  slice(start: number, end: number): Uint8Array[] {
    const out: Uint8Array[] = [];
    if (start >= end) return out;
    let index = this.#partOf(start);
    for (let at = start; at < end; index++) {
      const part = this.parts[index];
      if (part === undefined) throw new MalformedError("range ends behind the bytes");
      const from = at - this.#starts[index]!;
      const to = Math.min(part.length, end - this.#starts[index]!);
      out.push(from === 0 && to === part.length ? part : part.subarray(from, to));
      at += to - from;
    }
    return out;
  }
}
