/**
 * The bytes of a create journal; all numbers are little-endian. Compatibility-sensitive.
 *
 *     0     header slot 0 | 4096 header slot 1 | 8192 records, each at a multiple of 8
 *     header slot: magic u32 | CRC-32C of what follows u32 | version u32 | generation u32
 *     record:      magic u32 | CRC-32C of what follows u32 | kind u8 | 0 u8 | key bytes u16 |
 *                  body bytes u32 | generation u32 | 0 u32 | sequence f64 | key | body
 *
 * Generation g is written to slot g mod 2, so a torn header leaves the one before it, which counts
 * as long as no record of g can exist. Records count up to the first that is broken or of another
 * generation. A record is never rewritten; appending changes no byte before it.
 */
import { crc32c, lengthOf } from "../../../core/bytes/mod.ts";
import { decodeFileHeader, encodeFileHeader, FILE_HEADER_BYTES, viewOf } from "./file_header.ts";
import { recordMemory } from "./record_chunks.ts";

/** What a record says of its key; the last record of a key holds. */
export const RecordKind = {
  /** The object exists, with this body. */
  put: 1,
  /** The object is deleted: no file has its name, or one that is on its way out. */
  deleted: 2,
  /** Whatever file has the name is durable by itself, and so is its absence. */
  released: 3,
} as const;

export type RecordKindValue = typeof RecordKind[keyof typeof RecordKind];

export interface JournalRecord {
  readonly kind: RecordKindValue;
  /** Ascends over all journals, in the order of writing. */
  readonly sequence: number;
  readonly key: string;
  /** A view of the journal's bytes; empty unless `kind` is put. */
  readonly body: Uint8Array;
  /** Where it lies. */
  readonly start: number;
  readonly end: number;
}

export const RECORDS_START = 8192;
export const RECORD_HEAD_BYTES = 32;
const SLOT_BYTES = 4096;
const HEADER_MAGIC = 0x484a464b; // KFJH
const RECORD_MAGIC = 0x524a464b; // KFJR
const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

export interface HeaderSlot {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export function encodeHeader(generation: number): HeaderSlot {
  const bytes = encodeFileHeader(HEADER_MAGIC, generation);
  return { offset: (generation % 2) * SLOT_BYTES, bytes };
}

/** The highest generation of the two slots; undefined if neither is whole. */
export function readGeneration(journal: Uint8Array): number | undefined {
  const found = [0, SLOT_BYTES]
    .map((offset) => journal.subarray(offset, offset + FILE_HEADER_BYTES))
    .map((slot) => decodeFileHeader(slot, HEADER_MAGIC))
    .filter((generation) => generation !== undefined);
  return found.length === 0 ? undefined : Math.max(...found);
}

/** Bytes of the record of such a key (UTF-8 bytes) and body. */
export function recordBytes(keyBytes: number, bodyBytes: number): number {
  return Math.ceil((RECORD_HEAD_BYTES + keyBytes + bodyBytes) / 8) * 8;
}

/** A record that `stampRecord` completes; the body is copied. */
export function draftRecord(
  kind: RecordKindValue,
  key: string,
  body: readonly Uint8Array[],
): Uint8Array {
  const keyUtf8 = utf8.encode(key);
  const bodyBytes = lengthOf(body);
  const record = recordMemory(recordBytes(keyUtf8.length, bodyBytes));
  const view = viewOf(record);
  view.setUint32(0, RECORD_MAGIC, true);
  view.setUint8(8, kind);
  view.setUint16(10, keyUtf8.length, true);
  view.setUint32(12, bodyBytes, true);
  record.set(keyUtf8, RECORD_HEAD_BYTES);
  let at = RECORD_HEAD_BYTES + keyUtf8.length;
  for (const part of body) {
    record.set(part, at);
    at += part.length;
  }
  return record;
}

/** The body in a record that `draftRecord` made: what stamping leaves alone. */
export function bodyOf(record: Uint8Array): Uint8Array {
  const view = viewOf(record);
  const start = RECORD_HEAD_BYTES + view.getUint16(10, true);
  return record.subarray(start, start + view.getUint32(12, true));
}

export function stampRecord(record: Uint8Array, generation: number, sequence: number): void {
  const view = viewOf(record);
  view.setUint32(16, generation, true);
  view.setFloat64(24, sequence, true);
  view.setUint32(4, crc32c(record, 8), true);
}

export interface JournalContent {
  readonly records: readonly JournalRecord[];
  /** Where the next record goes. */
  readonly end: number;
}

/** The records of `generation`, up to the first one that is broken or of another. */
export function readRecords(journal: Uint8Array, generation: number): JournalContent {
  const records: JournalRecord[] = [];
  let at = RECORDS_START;
  for (;;) {
    const record = readRecord(journal, at, generation);
    if (record === undefined || record.sequence <= (records.at(-1)?.sequence ?? 0)) break;
    records.push(record);
    at = record.end;
  }
  return { records, end: at };
}

/** The record at `at`, if a whole one of `generation` is there. */
export function readRecord(
  bytes: Uint8Array,
  at: number,
  generation: number,
): JournalRecord | undefined {
  if (at + RECORD_HEAD_BYTES > bytes.length) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(at, true) !== RECORD_MAGIC) return undefined;
  const keyBytes = view.getUint16(at + 10, true);
  const bodyBytes = view.getUint32(at + 12, true);
  const end = at + recordBytes(keyBytes, bodyBytes);
  if (end > bytes.length || view.getUint32(at + 16, true) !== generation) return undefined;
  if (view.getUint32(at + 4, true) !== crc32c(bytes, at + 8, end)) return undefined;
  const keyStart = at + RECORD_HEAD_BYTES;
  return {
    kind: view.getUint8(at + 8) as RecordKindValue,
    sequence: view.getFloat64(at + 24, true),
    key: fromUtf8.decode(bytes.subarray(keyStart, keyStart + keyBytes)),
    body: bytes.subarray(keyStart + keyBytes, keyStart + keyBytes + bodyBytes),
    start: at,
    end,
  };
}

/** Where the bytes from `end` on stop being anything but zeros; `end` if they are all zeros. */
export function usedUntil(journal: Uint8Array, end: number): number {
  let at = journal.length;
  while (at > end && journal[at - 1] === 0) at--;
  return at;
}
