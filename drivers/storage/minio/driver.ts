/**
 * `minio`: objects in a bucket of a MinIO, or of another store that takes the keys of a user. The
 * MinIO library lists and deletes in batches; objects travel over the wire directly.
 */
import { Client } from "minio";
import type { ObjectStore } from "../../../core/storage/object_store.ts";
import { settingName } from "../s3_wire/bucket_settings.ts";
import {
  type BucketCalls,
  BucketStore,
  type KeyRefusal,
  type ListPage,
} from "../s3_wire/bucket_store.ts";
import { PAGE_KEYS } from "../s3_wire/settings.ts";
import { Wire } from "../s3_wire/wire.ts";
import { libraryError, settingError } from "./errors.ts";
import { MINIO_ADVICE, type MinioStoreOptions, REGION_DEFAULT } from "./settings.ts";
import { WireTransport } from "./transport.ts";

export { MINIO_ADVICE, type MinioStoreOptions } from "./settings.ts";

/** Asks the bucket nothing yet; throws one sentence where it cannot be asked. */
export function openMinioStore(options: MinioStoreOptions): ObjectStore {
  const { bucket, keys, settings } = options;
  const named = (name: string) => settingName(settings, name);
  if (options.endpoint === undefined) throw settingError(named("ENDPOINT"), "must be set");
  if (keys === undefined) throw settingError(named("ACCESS_KEY"), "must be set");
  const url = new URL(options.endpoint);
  if (url.pathname !== "/") {
    throw settingError(named("ENDPOINT"), "must not have a path with storage minio");
  }
  const tls = url.protocol === "https:";
  const endPoint = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? (tls ? 443 : 80) : Number(url.port);
  const region = options.region ?? REGION_DEFAULT;
  const { pathStyle } = options;
  const wire = new Wire({
    ...options,
    server: { hostname: pathStyle ? endPoint : `${bucket}.${endPoint}`, port, tls },
    region,
    credentials: () => Promise.resolve(keys),
  });
  const clientFor = (what: string, signal: AbortSignal | undefined) =>
    new Client({
      endPoint,
      port,
      useSSL: tls,
      region,
      pathStyle,
      // no keys: the wire signs. No type of it: it is no whole `http`
      transport: new WireTransport(wire, what, signal) as never,
      retryOptions: { disableRetry: true },
    });
  return new BucketStore({
    wire,
    calls: new LibraryCalls(clientFor, bucket),
    pathPrefix: pathStyle ? `/${bucket}/` : "/",
    kmsKey: options.kmsKey,
    advice: MINIO_ADVICE,
  });
}

class LibraryCalls implements BucketCalls {
  constructor(
    readonly clientFor: (what: string, signal: AbortSignal | undefined) => Client,
    readonly bucket: string,
  ) {}

  async list(
    { prefix, startAfter, next }: {
      prefix: string;
      startAfter: string | undefined;
      next: string | undefined;
    },
    signal: AbortSignal | undefined,
  ): Promise<ListPage> {
    const what = `list ${prefix}`;
    const page = await this.clientFor(what, signal)
      .listObjectsV2Query(this.bucket, prefix, next ?? "", "", PAGE_KEYS, startAfter ?? "")
      .catch((error) => {
        throw libraryError(error, what);
      });
    return {
      objects: page.objects.map(({ name, size }) => ({ key: name!, size })),
      next: page.isTruncated ? page.nextContinuationToken : undefined,
    };
  }

  async delete(
    keys: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<readonly KeyRefusal[]> {
    const what = `delete ${keys.length} objects`;
    const refused = await this.clientFor(what, signal).removeObjects(this.bucket, [...keys])
      .catch((error) => {
        throw libraryError(error, what);
      });
    return refused.filter((each) => each !== undefined && each !== null).map((each) => {
      // its types and what it returns differ
      const { Key, Code } = each.Error ?? each as { Key?: unknown; Code?: unknown };
      return { key: String(Key ?? ""), code: String(Code ?? "") };
    });
  }
}
