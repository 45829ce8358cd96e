/**
 * The envelope of every metadata value. To change a record's meaning, add fields to its message; to
 * change the envelope, raise VERSION, write the new and keep reading the former.
 *
 *     ┌────────┬──────┬────────────┬──────────┬───────────────┐
 *     │ "KSM"  │ u8:1 │ u8: record │ protobuf │ u32 CRC-32C   │
 *     │ magic  │ vers.│ kind       │ message  │ of all before │
 *     └────────┴──────┴────────────┴──────────┴───────────────┘
 */
import { crc32c, MalformedError, Writer } from "../bytes/mod.ts";
import { MetadataError } from "./metadata_store.ts";
import { decodeMessage, encodeMessage, type MessageOf, type MessageSchema } from "./protobuf.ts";

const MAGIC = [0x4b, 0x53, 0x4d];
const VERSION = 1;
const HEAD_BYTES = 5;
const TAIL_BYTES = 4;

/** A message with the kind byte that tells it from other records; kinds are never used again. */
export interface RecordType<S extends MessageSchema = MessageSchema> {
  readonly kind: number;
  readonly schema: S;
}

export function seal<S extends MessageSchema>(
  type: RecordType<S>,
  value: Partial<MessageOf<S>>,
): Uint8Array {
  const body = encodeMessage(type.schema, value);
  const writer = new Writer(HEAD_BYTES + body.length + TAIL_BYTES);
  for (const byte of MAGIC) writer.int8(byte);
  writer.int8(VERSION);
  writer.int8(type.kind);
  writer.raw(body);
  const sealed = writer.toBytes();
  const whole = new Uint8Array(sealed.length + TAIL_BYTES);
  whole.set(sealed);
  new DataView(whole.buffer).setUint32(sealed.length, crc32c(sealed));
  return whole;
}

/**
 * The record in `bytes`, the value of `key`. Throws a fatal MetadataError naming the key when the
 * bytes are damaged, of another kind, or of a newer envelope.
 */
export function unseal<S extends MessageSchema>(
  type: RecordType<S>,
  key: string,
  bytes: Uint8Array,
): MessageOf<S> {
  try {
    checkEnvelope(type, bytes);
    return decodeMessage(type.schema, bytes.subarray(HEAD_BYTES, bytes.length - TAIL_BYTES));
  } catch (cause) {
    if (!(cause instanceof MalformedError)) throw cause;
    const name = type.schema.name;
    throw new MetadataError("fatal", `metadata key ${key} holds no ${name}: ${cause.message}`, {
      cause,
    });
  }
}

function checkEnvelope(type: RecordType, bytes: Uint8Array): void {
  if (bytes.length < HEAD_BYTES + TAIL_BYTES || MAGIC.some((byte, at) => bytes[at] !== byte)) {
    throw new MalformedError("wrong magic");
  }
  if (bytes[3] !== VERSION) throw new MalformedError("written by a newer version");
  const body = bytes.length - TAIL_BYTES;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(body) !== crc32c(bytes, 0, body)) {
    throw new MalformedError("checksum does not match");
  }
  if (bytes[4] !== type.kind) throw new MalformedError("another kind of record");
}
