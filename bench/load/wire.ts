/**
 * The few requests that the load generator sends, encoded once. Versions are the newest before
 * flexible encoding, so that a frame is fixed bytes in which only the correlation id (and, for an
 * idempotent load, the sequences) is patched. Independent of core/protocol on purpose: a codec's
 * error shows here as an answer that cannot be read.
 */
import { crc32c, encodeUtf8, Reader, Writer } from "../../core/bytes/mod.ts";

export const PRODUCE_VERSION = 8;
export const FETCH_VERSION = 11;
const CREATE_TOPICS_VERSION = 4;
const DELETE_TOPICS_VERSION = 3;
const INIT_PRODUCER_ID_VERSION = 1;
const LIST_OFFSETS_VERSION = 5;

/** From a frame's first byte (its length) to the correlation id. */
const CORRELATION_AT = 8;
/** Positions in a record batch. */
const BATCH = { length: 8, crc: 17, attributes: 21, producerId: 43, sequence: 53, records: 61 };

function text(w: Writer, value: string): void {
  const bytes = encodeUtf8(value);
  w.int16(bytes.length);
  w.raw(bytes);
}

/** A frame with its length and request header (v1), correlation id 0. */
function frame(key: number, version: number, body: (w: Writer) => void): Uint8Array {
  const w = new Writer(4096);
  w.int32(0);
  w.int16(key);
  w.int16(version);
  w.int32(0);
  text(w, "load");
  body(w);
  const bytes = w.toBytes();
  setInt32(bytes, 0, bytes.length - 4);
  return bytes;
}

function setInt32(bytes: Uint8Array, at: number, value: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setInt32(at, value);
}

export function setCorrelation(bytes: Uint8Array, id: number): void {
  setInt32(bytes, CORRELATION_AT, id);
}

export type TopicConfigs = Readonly<Record<string, string>>;

export function createTopicRequest(
  name: string,
  partitions: number,
  configs: TopicConfigs = {},
): Uint8Array {
  return frame(19, CREATE_TOPICS_VERSION, (w) => {
    w.int32(1);
    text(w, name);
    w.int32(partitions);
    w.int16(1);
    w.int32(0);
    w.int32(Object.keys(configs).length);
    for (const [key, value] of Object.entries(configs)) {
      text(w, key);
      text(w, value);
    }
    w.int32(30_000);
    w.boolean(false);
  });
}

/** The error code of the one topic. */
export function readCreateTopic(r: Reader): number {
  r.take(12);
  r.utf8(r.int16());
  return r.int16();
}

/** The cheapest of questions: what it takes beyond the way is the broker's event loop. */
export function pingRequest(): Uint8Array {
  return frame(18, 0, () => {});
}

export function deleteTopicRequest(name: string): Uint8Array {
  return frame(20, DELETE_TOPICS_VERSION, (w) => {
    w.int32(1);
    text(w, name);
    w.int32(30_000);
  });
}

/** The error code of the one topic. */
export function readDeleteTopic(r: Reader): number {
  r.take(12);
  r.utf8(r.int16());
  return r.int16();
}

export function initProducerId(): Uint8Array {
  return frame(22, INIT_PRODUCER_ID_VERSION, (w) => {
    w.int16(-1);
    w.int32(60_000);
  });
}

export function readInitProducerId(r: Reader): { producerId: bigint; epoch: number } {
  // correlation id and throttle time
  r.take(8);
  const error = r.int16();
  if (error !== 0) throw new Error(`InitProducerId answered error ${error}`);
  return { producerId: r.bigint64(), epoch: r.int16() };
}

/** The newest (-1) or oldest (-2) offset of each partition. */
export function listOffsets(topic: string, partitions: number, timestamp: number): Uint8Array {
  return frame(2, LIST_OFFSETS_VERSION, (w) => {
    w.int32(-1);
    w.int8(0);
    w.int32(1);
    text(w, topic);
    w.int32(partitions);
    for (let partition = 0; partition < partitions; partition++) {
      w.int32(partition);
      w.int32(-1);
      w.int64(timestamp);
    }
  });
}

export function readListOffsets(r: Reader): number[] {
  const offsets: number[] = [];
  r.take(12);
  r.utf8(r.int16());
  for (let count = r.int32(); count > 0; count--) {
    const partition = r.int32();
    const error = r.int16();
    if (error !== 0) throw new Error(`ListOffsets answered error ${error}`);
    r.int64();
    offsets[partition] = r.int64();
    r.int32();
  }
  return offsets;
}

/** A record batch (magic 2, not compressed) of `count` records with `recordBytes` of value. */
export function recordBatch(count: number, recordBytes: number, timestamp: number): Uint8Array {
  const value = new Uint8Array(recordBytes);
  for (let at = 0; at < recordBytes; at++) value[at] = 32 + (at * 31) % 95;
  const w = new Writer(count * (recordBytes + 16) + BATCH.records);
  w.raw(new Uint8Array(BATCH.records));
  for (let index = 0; index < count; index++) {
    const record = new Writer(recordBytes + 32);
    record.int8(0);
    record.varlong(0);
    record.varint(index);
    record.varint(-1);
    record.varint(recordBytes);
    record.raw(value);
    record.varint(0);
    w.varint(record.length);
    w.raw(record.toBytes());
  }
  const bytes = w.toBytes();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setInt32(BATCH.length, bytes.length - 12);
  view.setInt32(12, -1);
  view.setInt8(16, 2);
  view.setInt32(23, count - 1);
  view.setBigInt64(27, BigInt(timestamp));
  view.setBigInt64(35, BigInt(timestamp));
  view.setBigInt64(BATCH.producerId, -1n);
  view.setInt16(BATCH.producerId + 8, -1);
  view.setInt32(BATCH.sequence, -1);
  view.setInt32(57, count);
  sealBatch(bytes, 0, bytes.length);
  return bytes;
}

function sealBatch(bytes: Uint8Array, start: number, end: number): void {
  setInt32(bytes, start + BATCH.crc, crc32c(bytes, start + BATCH.attributes, end));
}

/** A Produce frame with one batch for each of `partitions`. */
export class ProduceFrame {
  readonly bytes: Uint8Array;
  readonly #batches: { partition: number; start: number; end: number }[] = [];

  constructor(topic: string, partitions: readonly number[], batch: Uint8Array, acks: number) {
    this.bytes = frame(0, PRODUCE_VERSION, (w) => {
      w.int16(-1);
      w.int16(acks);
      w.int32(30_000);
      w.int32(1);
      text(w, topic);
      w.int32(partitions.length);
      for (const partition of partitions) {
        w.int32(partition);
        w.int32(batch.length);
        this.#batches.push({ partition, start: w.length, end: w.length + batch.length });
        w.raw(batch);
      }
    });
  }

  /** Gives every batch its producer's id and next sequence, and the checksum of it all. */
  stamp(producer: Producer, records: number): void {
    const { bytes } = this;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const { partition, start, end } of this.#batches) {
      const sequence = producer.sequences.get(partition) ?? 0;
      producer.sequences.set(partition, sequence + records);
      view.setBigInt64(start + BATCH.producerId, producer.producerId);
      view.setInt16(start + BATCH.producerId + 8, producer.epoch);
      view.setInt32(start + BATCH.sequence, sequence);
      sealBatch(bytes, start, end);
    }
  }
}

export interface Producer {
  readonly producerId: bigint;
  readonly epoch: number;
  /** Next sequence by partition. */
  readonly sequences: Map<number, number>;
}

/** Throws unless every partition was taken. */
export function checkProduced(r: Reader): void {
  r.int32();
  for (let topics = r.int32(); topics > 0; topics--) {
    r.utf8(r.int16());
    for (let count = r.int32(); count > 0; count--) {
      const partition = r.int32();
      const error = r.int16();
      if (error !== 0) throw new Error(`partition ${partition} answered error ${error}`);
      r.take(24);
      for (let errors = r.int32(); errors > 0; errors--) {
        r.int32();
        skipText(r);
      }
      skipText(r);
    }
  }
}

function skipText(r: Reader): void {
  const length = r.int16();
  if (length > 0) r.take(length);
}

export interface FetchFrom {
  readonly partition: number;
  readonly offset: number;
}

/** A Fetch outside of any session. */
export function fetchRequest(
  topic: string,
  from: readonly FetchFrom[],
  bytesMax: number,
  partitionBytesMax: number,
): Uint8Array {
  return frame(1, FETCH_VERSION, (w) => {
    w.int32(-1);
    w.int32(500);
    w.int32(1);
    w.int32(bytesMax);
    w.int8(0);
    w.int32(0);
    w.int32(-1);
    w.int32(1);
    text(w, topic);
    w.int32(from.length);
    for (const { partition, offset } of from) {
      w.int32(partition);
      w.int32(-1);
      w.int64(offset);
      w.int64(-1);
      w.int32(partitionBytesMax);
    }
    w.int32(0);
    w.int16(0);
  });
}

/** Calls `take` for each whole batch: its partition, first and next offset, and where it lies. */
export function readFetched(
  r: Reader,
  take: (partition: number, base: number, next: number, start: number, end: number) => void,
): void {
  r.int32();
  r.int32();
  const error = r.int16();
  if (error !== 0) throw new Error(`Fetch answered error ${error}`);
  r.int32();
  for (let topics = r.int32(); topics > 0; topics--) {
    r.utf8(r.int16());
    for (let count = r.int32(); count > 0; count--) {
      const partition = r.int32();
      const code = r.int16();
      if (code !== 0) throw new Error(`partition ${partition} answered error ${code}`);
      r.take(24);
      const aborted = r.int32();
      if (aborted > 0) r.take(aborted * 16);
      r.int32();
      const length = r.int32();
      if (length <= 0) continue;
      const start = r.take(length);
      eachBatch(
        r.view,
        start,
        start + length,
        (base, next, from, to) => take(partition, base, next, from, to),
      );
    }
  }
}

function eachBatch(
  view: DataView,
  start: number,
  end: number,
  take: (base: number, next: number, start: number, end: number) => void,
): void {
  let at = start;
  while (at + BATCH.records <= end) {
    const stop = at + 12 + view.getInt32(at + BATCH.length);
    // The last batch may be cut short by the size limits of the request.
    if (stop > end) return;
    const base = Number(view.getBigInt64(at));
    take(base, base + view.getInt32(at + 23) + 1, at, stop);
    at = stop;
  }
}

/** Whether the batch at `start` has the checksum that it states. */
export function batchIsWhole(bytes: Uint8Array, start: number, end: number): boolean {
  const stated = new DataView(bytes.buffer, bytes.byteOffset).getUint32(start + BATCH.crc);
  return crc32c(bytes, start + BATCH.attributes, end) === stated;
}
