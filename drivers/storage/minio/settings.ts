import type { Runtime } from "../../../core/runtime/mod.ts";
import type { StoreAdvice } from "../../../core/storage/object_store.ts";
import type { BucketSettings } from "../s3_wire/bucket_settings.ts";

export interface MinioStoreOptions extends BucketSettings {
  readonly runtime: Runtime;
}

/** A store nearby, whose requests cost nothing: often and soon (DESIGN 5 and 9). */
export const MINIO_ADVICE: StoreAdvice = {
  flushIntervalMs: 5,
  parallelUploads: 4,
  commitBytes: 4 * 1024 * 1024,
  rangeBytes: 256 * 1024,
  readAheadBytes: 4 * 1024 * 1024,
};

/** MinIO's, unless it was told otherwise. */
export const REGION_DEFAULT = "us-east-1";
