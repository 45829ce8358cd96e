/**
 * Memory for the records of create journals, which live until a checkpoint: cut from chunks that
 * are never used again, so all of a chunk goes with its last record. Alone they would lie scattered
 * in the C heap, which keeps what lies between them.
 */

/** glibc gives back what is larger than 128 KiB, as the start task sets it. */
const CHUNK_BYTES = 512 * 1024;
/** Larger ones would leave too much of a chunk unused, and are given back alone. */
const CUT_BYTES_MAX = CHUNK_BYTES / 4;

let chunk = new Uint8Array(0);
let used = 0;

/** So many bytes, all zero, for a record. */
export function recordMemory(bytes: number): Uint8Array {
  if (bytes > CUT_BYTES_MAX) return new Uint8Array(bytes);
  if (used + bytes > chunk.length) {
    chunk = new Uint8Array(CHUNK_BYTES);
    used = 0;
  }
  return chunk.subarray(used, used += bytes);
}
