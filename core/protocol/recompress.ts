/** What a topic's configs make of a batch: another compression, and a look at its keys. */
import { concat } from "../bytes/mod.ts";
import { compress, type CompressionLevels, decompress } from "./compression.ts";
import {
  BATCH_ATTRIBUTES_AT,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  BATCH_OVERHEAD_BYTES,
  Compression,
  type CompressionName,
  compressionOf,
  stampCrc,
} from "./record_batch.ts";

const CODEC_BITS = 7;

/**
 * The whole batch `batch` with its records in `codec`; `batch` itself where it is that already.
 * Records, offsets and sequences stay as they are. Throws MalformedError for broken records.
 */
export function recompressBatch(
  batch: Uint8Array,
  codec: CompressionName,
  levels: CompressionLevels,
): Uint8Array {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  const attributes = view.getInt16(BATCH_ATTRIBUTES_AT);
  const found = compressionOf(attributes) ?? "none";
  if (found === codec) return batch;
  const records = decompress(found, batch.subarray(BATCH_HEADER_BYTES));
  const bytes = concat([batch.subarray(0, BATCH_HEADER_BYTES), compress(codec, records, levels)]);
  const out = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  out.setInt32(BATCH_LENGTH_AT, bytes.length - BATCH_OVERHEAD_BYTES);
  out.setInt16(BATCH_ATTRIBUTES_AT, (attributes & ~CODEC_BITS) | Compression[codec]);
  stampCrc(bytes, out, 0, bytes.length);
  return bytes;
}
