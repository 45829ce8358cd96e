/** The headers of the record batches of a partition, read by a raw Fetch v4. */
import { type RawReader, RawWriter } from "./bytes.ts";
import { RawConnection } from "./raw_connection.ts";

export interface StoredBatch {
  readonly baseOffset: number;
  readonly magic: number;
  /** CRC-32C of what the producer sent. */
  readonly crc: number;
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly codec: number;
  readonly producerId: bigint;
  readonly recordCount: number;
}

/** Error code, high watermark and the batches of one partition from an offset on. */
export interface Fetched {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly batches: readonly StoredBatch[];
}

/** The body of a Fetch v4 for one partition. */
export function fetchBody(topic: string, partition: number, offset: number, maxWaitMs = 0) {
  return new RawWriter()
    .int32(-1).int32(maxWaitMs).int32(1).int32(10_000_000).int8(0)
    .int32(1).string(topic)
    .int32(1).int32(partition).int64(BigInt(offset)).int32(10_000_000);
}

/** Reads the answer to fetchBody(). */
export function readFetch(answer: RawReader): Fetched {
  answer.int32();
  answer.int32();
  answer.string();
  answer.int32();
  answer.int32();
  const errorCode = answer.int16();
  const highWatermark = Number(answer.int64());
  answer.int64();
  for (let left = answer.int32(); left > 0; left--) answer.raw(16);
  const size = answer.int32();
  const batches: StoredBatch[] = [];
  const end = answer.offset + Math.max(0, size);
  while (end - answer.offset >= 61) batches.push(readBatch(answer));
  return { errorCode, highWatermark, batches };
}

function readBatch(answer: RawReader): StoredBatch {
  const baseOffset = Number(answer.int64());
  const length = answer.int32();
  const next = answer.offset + length;
  answer.int32();
  const magic = answer.int8();
  const crc = answer.int32();
  const codec = answer.int16() & 7;
  answer.raw(4 + 8 + 8);
  const producerId = answer.int64();
  answer.raw(2 + 4);
  const recordCount = answer.int32();
  answer.offset = Math.min(next, answer.buffer.length);
  return { baseOffset, magic, crc, codec, producerId, recordCount };
}

const NOT_LEADER_OR_FOLLOWER = 6;

/** The batches of a partition from its start; of several brokers, from the one that leads it. */
export async function storedBatches(
  bootstrap: string,
  topic: string,
  partition: number,
): Promise<readonly StoredBatch[]> {
  let errorCode = 0;
  for (const broker of bootstrap.split(",")) {
    using connection = await RawConnection.open(broker);
    const fetched = readFetch(await connection.request(1, 4, fetchBody(topic, partition, 0)));
    if (fetched.errorCode === 0) return fetched.batches;
    errorCode = fetched.errorCode;
    if (errorCode !== NOT_LEADER_OR_FOLLOWER) break;
  }
  throw new Error(`Fetch answered error ${errorCode}`);
}
