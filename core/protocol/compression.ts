/** The codecs of record batches: what follows the batch header, as one block. */
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { MalformedError } from "../bytes/mod.ts";
import { DECOMPRESSED_BATCH_BYTES_MAX } from "../config/limits.ts";
import { decompressLz4 } from "./lz4.ts";
import type { CompressionName } from "./record_batch.ts";
import { decompressSnappy } from "./snappy.ts";

/**
 * The records that `input` holds. Throws MalformedError when it is broken, or when they are more
 * than `bytesMax`. Without compression the result is `input` itself.
 */
export function decompress(
  codec: CompressionName,
  input: Uint8Array,
  bytesMax = DECOMPRESSED_BATCH_BYTES_MAX,
): Uint8Array {
  switch (codec) {
    case "none":
      return input;
    case "snappy":
      return decompressSnappy(input, bytesMax);
    case "lz4":
      return decompressLz4(input, bytesMax);
    case "gzip":
      return zlib(() => gunzipSync(input, { maxOutputLength: bytesMax }));
    case "zstd":
      return zlib(() => zstdDecompressSync(input, { maxOutputLength: bytesMax }));
  }
}

/** zlib fails with errors of its own, for broken input and for the limit alike. */
function zlib(run: () => Uint8Array): Uint8Array {
  try {
    const result = run();
    return new Uint8Array(result.buffer, result.byteOffset, result.byteLength);
  } catch {
    throw new MalformedError("compressed records are broken, or above the limit when decompressed");
  }
}

/** Codecs that the broker can write; the others are only read. */
export type WritableCompression = "none" | "gzip" | "zstd";

export function compress(codec: WritableCompression, records: Uint8Array): Uint8Array {
  switch (codec) {
    case "none":
      return records;
    case "gzip":
      return gzipSync(records);
    case "zstd":
      return zstdCompressSync(records);
  }
}
