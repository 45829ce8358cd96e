/**
 * The bytes of a volume; all numbers are little-endian. Compatibility-sensitive.
 *
 *     0     header: magic u32 | CRC-32C of what follows u32 | version u32 | volume u32
 *     4096  records, each at a multiple of 4096:
 *           magic u32 | CRC-32C of what follows, up to the key's end u32 | state u8 | 0 u8 |
 *           key bytes u16 | body bytes u32 | CRC-32C of the body u32 | volume u32 | key | body
 *
 * `volume` is random, so no body can hold what passes for a record. A record is written and synced
 * before the next one is begun, so only the last can be torn. Of a record that is there nothing
 * changes but its state, and the checksum with it, within one sector.
 */
import { crc32c } from "../../../core/bytes/mod.ts";
import { decodeFileHeader, encodeFileHeader, viewOf } from "./file_header.ts";

export const VolumeState = {
  /** The object exists. */
  object: 1,
  /** It does not any more. */
  deleted: 2,
  /** No object: nothing is written behind it, and all that lies before it is whole. */
  end: 3,
} as const;

export type VolumeStateValue = typeof VolumeState[keyof typeof VolumeState];

export const VOLUME_BLOCK_BYTES = 4096;
export const VOLUME_HEAD_BYTES = 24;
const HEADER_MAGIC = 0x4856464b; // KFVH
const RECORD_MAGIC = 0x5256464b; // KFVR
const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

/** A record but for its body. */
export interface VolumeHead {
  readonly state: VolumeStateValue;
  readonly key: string;
  readonly bodyBytes: number;
  readonly bodyCrc: number;
}

export function encodeVolumeHeader(volume: number): Uint8Array {
  return encodeFileHeader(HEADER_MAGIC, volume);
}

/** The volume's number; undefined where there is no whole header. */
export function decodeVolumeHeader(bytes: Uint8Array): number | undefined {
  return decodeFileHeader(bytes, HEADER_MAGIC);
}

/** The head with its key; the body follows. */
export function encodeVolumeHead(volume: number, head: VolumeHead): Uint8Array {
  const key = utf8.encode(head.key);
  const bytes = new Uint8Array(VOLUME_HEAD_BYTES + key.length);
  const view = viewOf(bytes);
  view.setUint32(0, RECORD_MAGIC, true);
  view.setUint8(8, head.state);
  view.setUint16(10, key.length, true);
  view.setUint32(12, head.bodyBytes, true);
  view.setUint32(16, head.bodyCrc, true);
  view.setUint32(20, volume, true);
  bytes.set(key, VOLUME_HEAD_BYTES);
  view.setUint32(4, crc32c(bytes, 8), true);
  return bytes;
}

/** Of a record of that volume, if `bytes` begins with a whole head of one. */
export function decodeVolumeHead(
  bytes: Uint8Array,
  volume: number,
): VolumeHead & { readonly headBytes: number } | undefined {
  if (bytes.length < VOLUME_HEAD_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== RECORD_MAGIC || view.getUint32(20, true) !== volume) {
    return undefined;
  }
  const headBytes = VOLUME_HEAD_BYTES + view.getUint16(10, true);
  if (headBytes > bytes.length || view.getUint32(4, true) !== crc32c(bytes, 8, headBytes)) {
    return undefined;
  }
  return {
    state: view.getUint8(8) as VolumeStateValue,
    key: fromUtf8.decode(bytes.subarray(VOLUME_HEAD_BYTES, headBytes)),
    bodyBytes: view.getUint32(12, true),
    bodyCrc: view.getUint32(16, true),
    headBytes,
  };
}

/** The first place for a record at or behind `at`. */
export function nextRecordStart(at: number): number {
  return Math.ceil(at / VOLUME_BLOCK_BYTES) * VOLUME_BLOCK_BYTES;
}
