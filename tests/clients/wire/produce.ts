/** Record batches and Produce v3 requests, byte by byte. */
import { type RawReader, RawWriter } from "./bytes.ts";
import type { RawConnection } from "./raw_connection.ts";

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? value >>> 1 ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** CRC-32C. */
export function checksum(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255]! ^ value >>> 8;
  return (value ^ 0xffffffff) | 0;
}

export interface BatchOptions {
  readonly producerId?: bigint;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly attributes?: number;
  readonly timestamp?: bigint;
}

/** A v2 batch of values without keys. */
export function batch(values: readonly Uint8Array[], options: BatchOptions = {}): Uint8Array {
  const records = new RawWriter();
  for (const [index, value] of values.entries()) {
    const body = new RawWriter().int8(0).varint(0).varint(index).varint(-1);
    body.varint(value.length).raw(value).varint(0);
    records.varint(body.length).raw(body.bytes());
  }
  const time = options.timestamp ?? BigInt(Date.now());
  const checked = new RawWriter()
    .int16(options.attributes ?? 0).int32(values.length - 1).int64(time).int64(time)
    .int64(options.producerId ?? -1n).int16(options.producerEpoch ?? -1)
    .int32(options.baseSequence ?? -1).int32(values.length).raw(records.bytes());
  const crc = checksum(checked.bytes());
  return new RawWriter()
    .int64(0n).int32(4 + 1 + 4 + checked.length)
    .int32(-1).int8(2).int32(crc).raw(checked.bytes()).bytes();
}

/** A message of the formats before 0.11. */
export function oldMessage(magic: 0 | 1, value: Uint8Array): Uint8Array {
  const checked = new RawWriter().int8(magic).int8(0);
  if (magic === 1) checked.int64(BigInt(Date.now()));
  checked.int32(-1).int32(value.length).raw(value);
  // The CRC is the older CRC-32; what matters here is the magic byte behind it.
  const body = new RawWriter().int32(0).raw(checked.bytes());
  return new RawWriter().int64(0n).int32(body.length).raw(body.bytes()).bytes();
}

/** The body of a Produce v3 for one partition; null records are Kafka's null. */
export function produceBody(
  topic: string,
  partition: number,
  records: Uint8Array | null,
  acks = -1,
): RawWriter {
  const body = new RawWriter().string(null).int16(acks).int32(5000).int32(1).string(topic).int32(1);
  body.int32(partition).int32(records === null ? -1 : records.length);
  return records === null ? body : body.raw(records);
}

export interface Produced {
  readonly errorCode: number;
  readonly baseOffset: number;
}

/** Reads the answer to produceBody(). */
export function readProduce(answer: RawReader): Produced {
  answer.int32();
  answer.string();
  answer.int32();
  answer.int32();
  return { errorCode: answer.int16(), baseOffset: Number(answer.int64()) };
}

/** Sends records to a partition. */
export async function produce(
  connection: RawConnection,
  topic: string,
  partition: number,
  records: Uint8Array | null,
): Promise<Produced> {
  return readProduce(await connection.request(0, 3, produceBody(topic, partition, records)));
}

/** Creates a topic by CreateTopics v2; the error code. */
export async function createTopic(
  connection: RawConnection,
  topic: string,
  partitions: number,
): Promise<number> {
  const body = new RawWriter().int32(1).string(topic).int32(partitions).int16(1)
    .int32(0).int32(0).int32(10_000).int8(0);
  const answer = await connection.request(19, 2, body);
  answer.int32();
  answer.int32();
  answer.string();
  return answer.int16();
}
