/**
 * Record batches (v2) as a client makes and reads them; written apart from the broker's own code.
 */
import { crc32c, MalformedError, Reader, Writer } from "../../core/bytes/mod.ts";

export interface BatchOptions {
  readonly values: readonly string[];
  readonly timestampMs: number;
  /** -1 throughout: not idempotent. */
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
}

export interface ReadRecord {
  readonly offset: number;
  readonly value: string;
  /** Of its batch. */
  readonly leaderEpoch: number;
}

const HEADER_BYTES = 61;
const ATTRIBUTES_AT = 21;
const encoder = new TextEncoder();

export function buildBatch(o: BatchOptions): Uint8Array {
  const records = new Writer();
  o.values.forEach((value, delta) => {
    const bytes = encoder.encode(value);
    const record = new Writer();
    record.int8(0);
    record.varlong(0);
    record.varint(delta);
    record.varint(-1);
    record.varint(bytes.length);
    record.raw(bytes);
    record.varint(0);
    const whole = record.toBytes();
    records.varint(whole.length);
    records.raw(whole);
  });
  const body = records.toBytes();
  const out = new Writer(HEADER_BYTES + body.length);
  out.int64(0);
  out.int32(HEADER_BYTES - 12 + body.length);
  out.int32(-1);
  out.int8(2);
  out.uint32(0);
  out.int16(0);
  out.int32(o.values.length - 1);
  out.int64(o.timestampMs);
  out.int64(o.timestampMs);
  out.int64(o.producerId ?? -1);
  out.int16(o.producerEpoch ?? -1);
  out.int32(o.baseSequence ?? -1);
  out.int32(o.values.length);
  out.raw(body);
  const bytes = out.toBytes().slice();
  new DataView(bytes.buffer).setUint32(17, crc32c(bytes, ATTRIBUTES_AT));
  return bytes;
}

/**
 * All records of the whole batches in `bytes`; a cut batch at the end is left out, as by clients.
 */
export function readBatches(bytes: Uint8Array): ReadRecord[] {
  const found: ReadRecord[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const head = new Reader(bytes, at);
    const baseOffset = head.int64();
    const end = at + 12 + head.int32();
    if (end > bytes.length) break;
    const leaderEpoch = head.int32();
    if (head.int8() !== 2) throw new MalformedError("a batch with another magic");
    if (head.uint32() !== crc32c(bytes, at + ATTRIBUTES_AT, end)) {
      throw new MalformedError("a batch whose CRC is wrong");
    }
    head.int16();
    const lastOffsetDelta = head.int32();
    head.take(8 + 8 + 8 + 2 + 4);
    const count = head.int32();
    if (lastOffsetDelta !== count - 1) throw new MalformedError("a batch with holes");
    const records = new Reader(bytes, head.offset, end);
    for (let n = 0; n < count; n++) {
      const length = records.varint();
      const next = records.offset + length;
      records.int8();
      records.varlong();
      const delta = records.varint();
      const keyBytes = records.varint();
      if (keyBytes > 0) records.take(keyBytes);
      const value = records.utf8(records.varint());
      found.push({ offset: baseOffset + delta, value, leaderEpoch });
      records.offset = next;
    }
    at = end;
  }
  return found;
}
