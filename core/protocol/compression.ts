/** The codecs of record batches: what follows the batch header, as one block. */
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { MalformedError } from "../bytes/mod.ts";
import { DECOMPRESSED_BATCH_BYTES_MAX } from "../config/limits.ts";
import { compressLz4, decompressLz4 } from "./lz4.ts";
import type { CompressionName } from "./record_batch.ts";
import { compressSnappy, decompressSnappy } from "./snappy.ts";

/** The library's default. */
const ZSTD_LEVEL = 3;

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

/** How hard to compress; what is left out is the codec's own default. */
export interface CompressionLevels {
  /** -1 to 9. */
  readonly gzip?: number;
  /** -131,072 to 22. */
  readonly zstd?: number;
}

/** The block that `decompress` turns back into `records`. */
export function compress(
  codec: CompressionName,
  records: Uint8Array,
  levels: CompressionLevels = {},
): Uint8Array {
  switch (codec) {
    case "none":
      return records;
    case "snappy":
      return compressSnappy(records);
    case "lz4":
      return compressLz4(records);
    case "gzip":
      return gzipSync(records, { level: levels.gzip ?? constants.Z_DEFAULT_COMPRESSION });
    case "zstd": {
      const level = levels.zstd ?? ZSTD_LEVEL;
      return zstdCompressSync(records, { params: { [constants.ZSTD_c_compressionLevel]: level } });
    }
  }
}
