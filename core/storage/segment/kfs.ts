/**
 * `.kfs` segments, byte for byte as existing KafScale readers expect them (big-endian):
 *
 * ```
 *  0        4         6       8             16            20          28   32
 *  ┌────────┬─────────┬───────┬─────────────┬─────────────┬───────────┬────┬───────────────┐
 *  │ "KAFS" │ u16 = 1 │ u16 0 │ base offset │ i32 records │created ms │ 0  │ body: batches │
 *  └────────┴─────────┴───────┴─────────────┴─────────────┴───────────┴────┴───────────────┘
 *  footer:  u32 CRC-32C of the body · i64 last offset (inclusive) · "END!"      (16 bytes)
 * ```
 * The format is compatibility-sensitive: tests/storage/segment_format_test.ts pins its bytes. A new
 * layout takes a new version number, and readers go on reading version 1.
 */
import { crc32c, lengthOf, MalformedError, Reader, Writer } from "../../bytes/mod.ts";
import { invariant } from "../../runtime/assert.ts";

export const SEGMENT_HEADER_BYTES = 32;
export const SEGMENT_FOOTER_BYTES = 16;
export const SEGMENT_VERSION = 1;

/** Positions in an index are int32. */
export const SEGMENT_BYTES_MAX = 2 ** 31 - 1;

const MAGIC = 0x4b414653;
const END_MAGIC = 0x454e4421;

/** CRC-32C takes some 0.7 ms a MiB, so a body is summed up in steps of this size. */
const CRC_STEP_BYTES = 128 * 1024;

/** What a segment's header tells. */
export interface SegmentHeader {
  readonly baseOffset: number;
  readonly recordCount: number;
  /** Unix time. */
  readonly createdMs: number;
}

export interface SegmentHead extends SegmentHeader {
  /** Inclusive. */
  readonly lastOffset: number;
}

/**
 * The gather list of a whole segment; `body` is spliced in without a copy. `bodyCrc` is the CRC-32C
 * of the body where the caller has it (see `segmentBodyCrc`).
 */
export function encodeSegment(
  body: readonly Uint8Array[],
  head: SegmentHead,
  bodyCrc: number = crcOf(body),
): Uint8Array[] {
  invariant(head.lastOffset >= head.baseOffset, "a segment ends before it starts");
  const header = new Writer(SEGMENT_HEADER_BYTES);
  header.uint32(MAGIC);
  header.uint16(SEGMENT_VERSION);
  header.uint16(0);
  header.int64(head.baseOffset);
  header.int32(head.recordCount);
  header.int64(head.createdMs);
  header.uint32(0);
  const footer = new Writer(SEGMENT_FOOTER_BYTES);
  footer.uint32(bodyCrc);
  footer.int64(head.lastOffset);
  footer.uint32(END_MAGIC);
  const parts = [...header.finish(), ...body, ...footer.finish()];
  const bytes = lengthOf(parts);
  invariant(bytes <= SEGMENT_BYTES_MAX, "a segment is longer than its index can address");
  return parts;
}

function crcOf(parts: readonly Uint8Array[]): number {
  let crc = 0;
  for (const part of parts) crc = crc32c(part, 0, part.length, crc);
  return crc;
}

/** The CRC-32C of a body, computed a little at a time: `pause` gives others their turn. */
export async function segmentBodyCrc(
  body: readonly Uint8Array[],
  pause: () => Promise<void>,
): Promise<number> {
  let crc = 0;
  let step = 0;
  for (const part of body) {
    for (let at = 0; at < part.length;) {
      const end = Math.min(part.length, at + CRC_STEP_BYTES - step);
      crc = crc32c(part, at, end, crc);
      step += end - at;
      at = end;
      if (step < CRC_STEP_BYTES) continue;
      step = 0;
      await pause();
    }
  }
  return crc;
}

/** Reads and verifies a whole segment; its body is `bytes[32, length - 16)`. */
export function decodeSegment(bytes: Uint8Array): SegmentHead {
  const footerAt = bytes.length - SEGMENT_FOOTER_BYTES;
  if (footerAt < SEGMENT_HEADER_BYTES) throw new MalformedError("segment is too short");
  const { head, bodyCrc } = decodeSegmentEnds(
    bytes.subarray(0, SEGMENT_HEADER_BYTES),
    bytes.subarray(footerAt),
  );
  if (crc32c(bytes, SEGMENT_HEADER_BYTES, footerAt) !== bodyCrc) {
    throw new MalformedError("segment body does not match its CRC");
  }
  return head;
}

/** Verifies header and footer alone, for readers that don't fetch the body. */
export function decodeSegmentEnds(
  header: Uint8Array,
  footer: Uint8Array,
): { head: SegmentHead; bodyCrc: number } {
  const { baseOffset, recordCount, createdMs } = decodeSegmentHeader(header);
  const end = new Reader(footer);
  const bodyCrc = end.uint32();
  const lastOffset = end.int64();
  if (end.uint32() !== END_MAGIC) throw new MalformedError("segment does not end with END!");
  if (lastOffset < baseOffset) throw new MalformedError("segment has impossible offsets");
  return { head: { baseOffset, lastOffset, recordCount, createdMs }, bodyCrc };
}

/** Verifies the first 32 bytes alone. */
export function decodeSegmentHeader(header: Uint8Array): SegmentHeader {
  const start = new Reader(header);
  if (start.uint32() !== MAGIC) throw new MalformedError("segment does not start with KAFS");
  const version = start.uint16();
  if (version !== SEGMENT_VERSION) {
    throw new MalformedError(`segment has version ${version}, which is not known here`);
  }
  start.uint16();
  const baseOffset = start.int64();
  const recordCount = start.int32();
  const createdMs = start.int64();
  if (baseOffset < 0 || recordCount < 0) {
    throw new MalformedError("segment has impossible offsets");
  }
  return { baseOffset, recordCount, createdMs };
}
