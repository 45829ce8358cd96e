import type { Runtime } from "../../../core/runtime/mod.ts";
import type { StoreAdvice } from "../../../core/storage/object_store.ts";
import type { BucketSettings } from "../s3_wire/bucket_settings.ts";

export interface S3StoreOptions extends BucketSettings {
  readonly runtime: Runtime;
}

/** Requests cost money, and take 20 to 200 ms: few and large ones (DESIGN 5). */
export const S3_ADVICE: StoreAdvice = {
  flushIntervalMs: 250,
  parallelUploads: 4,
  commitBytes: 8 * 1024 * 1024,
  rangeBytes: 1024 * 1024,
  readAheadBytes: 4 * 1024 * 1024,
};

/** Where neither a setting nor AWS's own configuration names a region. */
export const REGION_DEFAULT = "us-east-1";
