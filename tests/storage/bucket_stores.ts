/** Both drivers on one real MinIO, a bucket of its own for every store. */
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { openMinioStore } from "../../drivers/storage/minio/driver.ts";
import { openS3Store } from "../../drivers/storage/s3/driver.ts";
import type { BucketSettings } from "../../drivers/storage/s3_wire/bucket_settings.ts";
import type { FaultyStore } from "../conformance/object_store.ts";
import type { Fault } from "../services/fault_program.ts";
import { FaultProxy } from "../services/fault_proxy.ts";
import type { Minio } from "../services/minio.ts";
import type { S3Account } from "../services/signed_request.ts";

export const runtime = systemRuntime(systemLog("error", false));

/** How a driver opens a store; the same options serve both. */
export type OpenBucket = (
  options: BucketSettings & { readonly runtime: typeof runtime },
) => Promise<ObjectStore>;

export const DRIVERS: Readonly<Record<"s3" | "minio", OpenBucket>> = {
  s3: openS3Store,
  minio: (options) => Promise.resolve(openMinioStore(options)),
};

/** Settings of a bucket on a MinIO. */
export function bucketOn(
  server: S3Account,
  bucket: string,
): BucketSettings & { readonly runtime: typeof runtime } {
  return {
    runtime,
    bucket,
    region: undefined,
    endpoint: server.endpoint,
    pathStyle: true,
    keys: {
      accessKeyId: server.accessKey,
      secretAccessKey: server.secretKey,
      sessionToken: undefined,
    },
    kmsKey: undefined,
    concurrency: 64,
    connectTimeoutMs: 5_000,
    timeoutMs: 10_000,
    settings: "KAFSCALE_S3_",
  };
}

/** For the conformance suite: an empty bucket each time. */
export function emptyBucketOn(minio: Minio, driver: keyof typeof DRIVERS) {
  const open = DRIVERS[driver];
  return async () => {
    const options = bucketOn(minio, await minio.bucket());
    return {
      store: await open(options),
      openOther: async (which: "again" | "wrong credentials" | "missing bucket") => {
        if (which === "missing bucket") return await open({ ...options, bucket: "no-such-bucket" });
        if (which === "again") return await open(options);
        const keys = { ...options.keys!, secretAccessKey: "not the secret" };
        return await open({ ...options, keys });
      },
    };
  };
}

/** What a call may take that the proxy leaves without an answer. */
const FAULTY_TIMEOUT_MS = 1_500;

/** For the conformance suite: an empty bucket each time, behind a proxy that hurts requests. */
export function faultyBucketOn(minio: Minio, driver: keyof typeof DRIVERS) {
  return async (): Promise<FaultyStore> => {
    const proxy = new FaultProxy({ port: minio.port, seed: driver });
    const options = bucketOn({ ...minio, endpoint: proxy.endpoint }, await minio.bucket());
    const times = { timeoutMs: FAULTY_TIMEOUT_MS, connectTimeoutMs: FAULTY_TIMEOUT_MS };
    const quiet = { ...runtime, log: { ...runtime.log, warn: () => {} } };
    const strike = (fault: Fault) => () => {
      const rule = proxy.add({ fault });
      return () => rule.remove();
    };
    return {
      store: await DRIVERS[driver]({ ...options, ...times, runtime: quiet }),
      timeoutMs: FAULTY_TIMEOUT_MS,
      faults: {
        "slow-down": strike({ kind: "refuse", code: "SlowDown" }),
        "no-answer": strike({ kind: "blackhole" }),
        "answer-lost": strike({ kind: "loseReply" }),
        "skewed-clock": skewClock,
      },
      dispose: () => proxy.close(),
    };
  };
}

/** The libraries sign by the ambient clock. */
export function skewClock(offMs: number): () => void {
  const { now } = Date;
  Date.now = () => now() + offMs;
  return () => void (Date.now = now);
}

/** What a MinIO on a plain disk cannot keep; AWS can. */
export const NOT_ON_DISK = {
  "long-key-parts":
    "MinIO keeps objects in folders of their names: a part of a key has up to 255 bytes",
};
