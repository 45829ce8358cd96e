/** Reproducible random input for the tests of this room and of bench/. */

/** A stream of 32-bit numbers (mulberry32). */
export function seededUint32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

export function seededBytes(seed: number, length: number): Uint8Array<ArrayBuffer> {
  const next = seededUint32(seed);
  return Uint8Array.from({ length }, next);
}
