/**
 * The search that LZ4 and Snappy share: greedy matches of at least four bytes by a hash of the next
 * four, in one block of at most 64 KiB. Fast rather than small: the broker compresses only where a
 * topic's compression.type asks for it.
 */

const HASH_BITS = 13;
const HASH_FACTOR = 0x9e3779b1;
const MATCH_MIN = 4;

/** LZ4 wants its last match to start 12 bytes before the block's end, and end 5 before it. */
const LAST_MATCH_START = 12;
const LAST_LITERALS = 5;

/** After this many misses in a row (a power of two), the search goes in larger steps. */
const MISSES_PER_STEP_BITS = 6;

/** Literals `[from, to)`, then `length` bytes from `distance` back. */
export type OnMatch = (from: number, to: number, distance: number, length: number) => void;

/** One for all: compressing is synchronous. Positions are relative to the block, plus one. */
const table = new Uint32Array(1 << HASH_BITS);

/** Reports the matches of `bytes[start, end)`; returns where the literals behind the last begin. */
export function findMatches(
  bytes: Uint8Array,
  start: number,
  end: number,
  onMatch: OnMatch,
): number {
  table.fill(0);
  const lastStart = end - LAST_MATCH_START;
  const lastEnd = end - LAST_LITERALS;
  let literals = start;
  let misses = 0;
  for (let at = start; at <= lastStart;) {
    const slot = Math.imul(four(bytes, at), HASH_FACTOR) >>> (32 - HASH_BITS);
    const candidate = table[slot]! + start - 1;
    table[slot] = at - start + 1;
    if (candidate < start || four(bytes, candidate) !== four(bytes, at)) {
      at += 1 + (misses++ >>> MISSES_PER_STEP_BITS);
      continue;
    }
    let length = MATCH_MIN;
    while (at + length < lastEnd && bytes[candidate + length] === bytes[at + length]) length++;
    onMatch(literals, at, at - candidate, length);
    at += length;
    literals = at;
    misses = 0;
  }
  return literals;
}

function four(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
