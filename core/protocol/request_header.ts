import { MalformedError, type Reader } from "../bytes/mod.ts";

/** Tagged fields of one header; Kafka defines none yet. */
const HEADER_TAGS_MAX = 64;

/**
 * Reads request headers (KIP-482: `api_key api_version correlation_id client_id`, from version 2
 * on with tagged fields) into itself: one per connection, nothing allocated while the client id
 * stays the same.
 */
export class RequestHeader {
  apiKey = 0;
  apiVersion = 0;
  correlationId = 0;
  clientId: string | null = null;
  #idBytes: Uint8Array = new Uint8Array(0);

  /** The part that all header versions share; tells which version the rest has. */
  readStart(reader: Reader): void {
    this.apiKey = reader.int16();
    this.apiVersion = reader.int16();
    this.correlationId = reader.int32();
  }

  readRest(reader: Reader, flexible: boolean): void {
    const length = reader.int16();
    if (length < -1) throw new MalformedError("client id has a negative length");
    if (length === -1) this.clientId = null;
    else this.#readClientId(reader, length);
    if (flexible) skipTags(reader);
  }

  #readClientId(reader: Reader, length: number): void {
    const start = reader.take(length);
    if (this.clientId !== null && sameBytes(this.#idBytes, reader.bytes, start, length)) return;
    reader.offset = start;
    this.clientId = reader.utf8(length);
    this.#idBytes = reader.bytes.slice(start, start + length);
  }
}

function sameBytes(known: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let at = 0; at < length; at++) if (known[at] !== bytes[start + at]) return false;
  return true;
}

function skipTags(reader: Reader): void {
  const count = reader.uvarint();
  if (count > HEADER_TAGS_MAX) throw new MalformedError("header has too many tagged fields");
  for (let index = 0; index < count; index++) {
    reader.uvarint();
    reader.take(reader.uvarint());
  }
}
