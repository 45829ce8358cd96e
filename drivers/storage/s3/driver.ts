/**
 * `s3`: objects in a bucket of AWS S3 or of what speaks its protocol. The AWS SDK finds endpoint,
 * region and credentials, lists, and deletes in batches; objects travel over the wire directly.
 */
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import { type ObjectStore, StoreError } from "../../../core/storage/object_store.ts";
import { RefusedError } from "../s3_wire/answers.ts";
import { settingName } from "../s3_wire/bucket_settings.ts";
import {
  type BucketCalls,
  BucketStore,
  type KeyRefusal,
  type ListPage,
} from "../s3_wire/bucket_store.ts";
import { PAGE_KEYS } from "../s3_wire/settings.ts";
import { type CredentialSource, Wire } from "../s3_wire/wire.ts";
import { credentialError, sdkError } from "./errors.ts";
import { SdkHandler, type SdkRequest } from "./sdk_handler.ts";
import { REGION_DEFAULT, S3_ADVICE, type S3StoreOptions } from "./settings.ts";

export { S3_ADVICE, type S3StoreOptions } from "./settings.ts";

/** Asks the bucket nothing yet; rejects with one sentence where it cannot be asked. */
export async function openS3Store(options: S3StoreOptions): Promise<ObjectStore> {
  const { client, wire, target } = await connect(options);
  return new BucketStore({
    wire,
    calls: new SdkCalls(client, wire, options.bucket),
    pathPrefix: target.pathPrefix,
    kmsKey: options.kmsKey,
    advice: S3_ADVICE,
  });
}

/** The SDK's client of a bucket, and the wire that it sends on; closing that is the caller's. */
export async function connect(
  options: S3StoreOptions,
): Promise<{ readonly client: S3Client; readonly wire: Wire; readonly target: Target }> {
  const region = options.region ?? await configuredRegion() ?? REGION_DEFAULT;
  const base = clientConfig(options, region);
  const target = await findTarget(options, base);
  const client = new S3Client(base);
  const wire = new Wire({
    ...options,
    server: target.server,
    region: target.region,
    credentials: credentialSource(client),
  });
  // the client made its own wire's handler; its signing is what is needed of it
  client.config.requestHandler = new SdkHandler(wire);
  return { client, wire, target };
}

/** What AWS_REGION or the profile says. */
async function configuredRegion(): Promise<string | undefined> {
  return await new S3Client({}).config.region().catch(() => undefined);
}

function clientConfig(options: S3StoreOptions, region: string): S3ClientConfig {
  return {
    region,
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.keys === undefined ? {} : { credentials: withoutUndefined(options.keys) }),
    forcePathStyle: options.pathStyle,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    maxAttempts: 1,
  };
}

function withoutUndefined({ accessKeyId, secretAccessKey, sessionToken }: {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | undefined;
}) {
  return sessionToken === undefined
    ? { accessKeyId, secretAccessKey }
    : { accessKeyId, secretAccessKey, sessionToken };
}

export interface Target {
  readonly server: { readonly hostname: string; readonly port: number; readonly tls: boolean };
  readonly region: string;
  readonly pathPrefix: string;
}

/**
 * Where the SDK would send a request for an object, and for which region it would sign it: it knows
 * profiles, partitions, FIPS and dual-stack endpoints, access points. Nothing is sent.
 */
async function findTarget(options: S3StoreOptions, base: S3ClientConfig): Promise<Target> {
  let seen: SdkRequest | undefined;
  const probe = new S3Client({
    ...base,
    credentials: { accessKeyId: "probe", secretAccessKey: "probe" },
    requestHandler: {
      handle: (request: SdkRequest) => {
        seen = request;
        return Promise.reject(new Error("only looking"));
      },
    },
  });
  const what = `open the bucket ${options.bucket}`;
  const setting = settingName(options.settings, "BUCKET");
  await probe.send(new GetObjectCommand({ Bucket: options.bucket, Key: "k" })).catch((error) => {
    if (seen !== undefined) return;
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreError("fatal", `${what}: correct ${setting} (${why})`);
  });
  const { protocol, hostname, port, path, headers } = seen!;
  const scope = /Credential=probe\/\d+\/([^/]+)\/s3\/aws4_request/.exec(
    headers["authorization"] ?? "",
  );
  if (scope === null) {
    throw new StoreError(
      "fatal",
      `${what}: directory buckets and multi-region access points lack what a log needs (listings ` +
        `in order, one order of writes); set ${setting} to a general purpose bucket`,
    );
  }
  const tls = protocol === "https:";
  return {
    server: { hostname: hostname.replace(/^\[|\]$/g, ""), port: port ?? (tls ? 443 : 80), tls },
    region: scope[1]!,
    pathPrefix: path.slice(0, -1),
  };
}

function credentialSource(client: S3Client): CredentialSource {
  let had = false;
  return async (renew) => {
    try {
      const found = await client.config.credentials(renew ? { forceRefresh: true } : {});
      had = true;
      return found;
    } catch (error) {
      throw credentialError(error, had);
    }
  };
}

function sendOptions(signal: AbortSignal | undefined) {
  return signal === undefined ? {} : { abortSignal: signal };
}

class SdkCalls implements BucketCalls {
  constructor(
    readonly client: S3Client,
    readonly wire: Wire,
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
    const command = new ListObjectsV2Command({
      Bucket: this.bucket,
      Prefix: prefix,
      StartAfter: startAfter,
      ContinuationToken: next,
      MaxKeys: PAGE_KEYS,
      // XML cannot carry every key
      EncodingType: "url",
    });
    const page = await this.#signedAgain(
      `list ${prefix}`,
      () => this.client.send(command, sendOptions(signal)),
    );
    return {
      objects: (page.Contents ?? []).map(({ Key, Size }) => ({
        key: decodeURIComponent(Key!.replaceAll("+", " ")),
        size: Size ?? 0,
      })),
      next: page.IsTruncated ? page.NextContinuationToken : undefined,
    };
  }

  async delete(
    keys: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<readonly KeyRefusal[]> {
    const command = new DeleteObjectsCommand({
      Bucket: this.bucket,
      Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
    });
    const result = await this.#signedAgain(
      `delete ${keys.length} objects`,
      () => this.client.send(command, sendOptions(signal)),
    );
    return (result.Errors ?? []).map(({ Key, Code }) => ({ key: Key ?? "", code: Code ?? "" }));
  }

  /** Once more where the request was dated wrongly, or signed with what had expired. */
  async #signedAgain<T>(what: string, send: () => Promise<T>): Promise<T> {
    for (let attempt = 0;; attempt++) {
      this.client.config.systemClockOffset = this.wire.nowMs() - Date.now();
      try {
        return await send();
      } catch (error) {
        const code = error instanceof RefusedError ? error.code : "";
        if (attempt > 0 || (code !== "RequestTimeTooSkewed" && code !== "ExpiredToken")) {
          throw sdkError(error, what);
        }
        if (code === "ExpiredToken") await this.client.config.credentials({ forceRefresh: true });
      }
    }
  }
}
