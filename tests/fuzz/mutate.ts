/** Mutations of valid input; a seed switches some of them off altogether (swarm testing). */
import type { Prng } from "../simulation/prng.ts";

type Mutation = (bytes: Uint8Array, prng: Prng) => Uint8Array;

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0xfe];

const MUTATIONS: readonly Mutation[] = [
  function flipBit(bytes, prng) {
    const at = prng.below(bytes.length);
    return bytes.with(at, bytes[at]! ^ (1 << prng.below(8)));
  },
  function setByte(bytes, prng) {
    return bytes.with(prng.below(bytes.length), prng.pick(INTERESTING));
  },
  function setWord(bytes, prng) {
    const changed = bytes.slice();
    const at = prng.below(bytes.length);
    const value = prng.pick([0x7fffffff, -1, -2, -(2 ** 31), 0x00ffffff, bytes.length]);
    for (let byte = 0; byte < 4 && at + byte < changed.length; byte++) {
      changed[at + byte] = value >>> (24 - 8 * byte);
    }
    return changed;
  },
  function cut(bytes, prng) {
    return bytes.slice(0, prng.below(bytes.length));
  },
  function drop(bytes, prng) {
    const at = prng.below(bytes.length);
    const count = 1 + prng.below(4);
    return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + count)]);
  },
  function repeat(bytes, prng) {
    const at = prng.below(bytes.length);
    const end = Math.min(bytes.length, at + 1 + prng.below(16));
    return Uint8Array.from([...bytes.subarray(0, end), ...bytes.subarray(at)]);
  },
];

/** Makes a function that applies a few of the mutations that this seed has switched on. */
export function mutator(prng: Prng): (bytes: Uint8Array) => Uint8Array {
  const on = MUTATIONS.filter(() => prng.chance(0.6));
  return (bytes) => {
    let changed = bytes;
    for (let left = prng.below(4); left > 0; left--) {
      if (on.length > 0 && changed.length > 0) changed = prng.pick(on)(changed, prng);
    }
    return changed;
  };
}
