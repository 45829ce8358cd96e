/**
 * A metadata snapshot, the same for every driver, so that one store's snapshot restores into
 * another. Big-endian; to change it, raise VERSION, keep reading the former one.
 *
 *     file  = "KSMS" u16:version u16:0  chunk*  end
 *     chunk = u32:payload bytes (> 0)  u32:CRC-32C of the payload  payload
 *     payload = entry*      entry = u32:key bytes  u32:value bytes  key  value
 *     end   = u32:0  u32:number of entries
 *
 * Revisions are not kept: a restore writes everything anew at a revision of the target store.
 */
import { concat, crc32c, encodeUtf8, MalformedError, Reader, Writer } from "../bytes/mod.ts";
import { MetadataError } from "./metadata_store.ts";

const MAGIC = 0x4b534d53;
const VERSION = 1;
const CHUNK_BYTES = 256 * 1024;
/** One chunk holds at least one entry, and an entry at most one value of the largest size. */
const CHUNK_BYTES_MAX = 64 * 1024 * 1024;

export interface SnapshotEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

/** Encodes `entries` in chunks of about 256 KiB. */
export function* encodeSnapshot(entries: Iterable<SnapshotEntry>): Generator<Uint8Array> {
  const head = new Writer(8);
  head.uint32(MAGIC);
  head.uint16(VERSION);
  head.uint16(0);
  yield head.toBytes();
  let count = 0;
  let payload = new Writer(CHUNK_BYTES);
  for (const { key, value } of entries) {
    const name = encodeUtf8(key);
    payload.uint32(name.length);
    payload.uint32(value.length);
    payload.raw(name);
    payload.raw(value);
    count++;
    if (payload.length < CHUNK_BYTES) continue;
    yield chunk(payload.toBytes());
    payload = new Writer(CHUNK_BYTES);
  }
  if (payload.length > 0) yield chunk(payload.toBytes());
  const end = new Writer(8);
  end.uint32(0);
  end.uint32(count);
  yield end.toBytes();
}

function chunk(payload: Uint8Array): Uint8Array {
  const writer = new Writer(8 + payload.length);
  writer.uint32(payload.length);
  writer.uint32(crc32c(payload));
  writer.raw(payload);
  return writer.toBytes();
}

/** All entries of a snapshot; throws a fatal MetadataError unless it is whole and intact. */
export async function decodeSnapshot(from: AsyncIterable<Uint8Array>): Promise<SnapshotEntry[]> {
  const parts: Uint8Array[] = [];
  for await (const part of from) parts.push(part);
  try {
    return decodeWhole(new Reader(concat(parts)));
  } catch (cause) {
    if (!(cause instanceof MalformedError)) throw cause;
    throw new MetadataError("fatal", `not a usable metadata snapshot: ${cause.message}`, { cause });
  }
}

function decodeWhole(reader: Reader): SnapshotEntry[] {
  if (reader.uint32() !== MAGIC) throw new MalformedError("wrong magic");
  if (reader.uint16() !== VERSION) throw new MalformedError("unknown version");
  reader.uint16();
  const entries: SnapshotEntry[] = [];
  for (;;) {
    const length = reader.uint32();
    const check = reader.uint32();
    if (length === 0) {
      if (check !== entries.length) throw new MalformedError("entries are missing");
      if (reader.remaining > 0) throw new MalformedError("bytes follow the end");
      return entries;
    }
    if (length > CHUNK_BYTES_MAX) throw new MalformedError("chunk is too large");
    const start = reader.take(length);
    if (crc32c(reader.bytes, start, start + length) !== check) {
      throw new MalformedError("checksum does not match");
    }
    const payload = new Reader(reader.bytes, start, start + length);
    while (payload.remaining > 0) {
      const keyBytes = payload.uint32();
      const valueBytes = payload.uint32();
      entries.push({ key: payload.utf8(keyBytes), value: payload.copy(valueBytes) });
    }
  }
}
