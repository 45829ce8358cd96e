/** What the settings say of one bucket: the primary's, the read replica's, or the snapshots'. */
import type { Config } from "../../../core/config/mod.ts";

export interface BucketSettings {
  readonly bucket: string;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  readonly pathStyle: boolean;
  /** Undefined: the driver finds credentials by itself, or cannot do without. */
  readonly keys: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken: string | undefined;
  } | undefined;
  readonly kmsKey: string | undefined;
  readonly concurrency: number;
  readonly connectTimeoutMs: number;
  readonly timeoutMs: number;
  /** For messages, see `settingName`: `KAFSCALE_S3_`, for example. */
  readonly settings: string;
}

const SNAPSHOT_SETTINGS = "KAFSCALE_OPERATOR_ETCD_SNAPSHOT_";
const SNAPSHOT_NAMES: Readonly<Record<string, string>> = {
  BUCKET: `${SNAPSHOT_SETTINGS}BUCKET`,
  CREATE_BUCKET: `${SNAPSHOT_SETTINGS}CREATE_BUCKET`,
  ENDPOINT: `${SNAPSHOT_SETTINGS}S3_ENDPOINT`,
};

/** The setting to correct; the snapshots' bucket shares most of the primary's. */
export function settingName(settings: string, name: string): string {
  if (settings !== SNAPSHOT_SETTINGS) return settings + name;
  return SNAPSHOT_NAMES[name] ?? `KAFSCALE_S3_${name}`;
}

/** A sentence in which `$NAME` stands for a setting and `@` for the bucket. */
export function sentenceFor(
  text: string,
  { settings, bucket }: Pick<BucketSettings, "settings" | "bucket">,
): string {
  return text.replaceAll(/\$([A-Z_]+)/g, (_, name) => settingName(settings, name))
    .replaceAll("@", bucket);
}

/** The bucket that is written to. */
export function primaryBucket(config: Config): BucketSettings {
  return {
    bucket: config.s3Bucket ?? "",
    region: config.s3Region ?? undefined,
    endpoint: config.s3Endpoint ?? undefined,
    pathStyle: config.s3PathStyle ?? config.s3Endpoint !== null,
    keys: keysOf(config.s3AccessKey, config.s3SecretKey, config.s3SessionToken),
    kmsKey: config.s3KmsArn ?? undefined,
    concurrency: config.s3Concurrency,
    connectTimeoutMs: config.s3ConnectTimeoutMs,
    timeoutMs: config.s3TimeoutMs,
    settings: "KAFSCALE_S3_",
  };
}

/** The bucket that is read from first, when any setting of it is set; else undefined. */
export function replicaBucket(config: Config): BucketSettings | undefined {
  const { s3ReadBucket, s3ReadRegion, s3ReadEndpoint } = config;
  if (s3ReadBucket === null && s3ReadRegion === null && s3ReadEndpoint === null) return undefined;
  const primary = primaryBucket(config);
  const endpoint = s3ReadEndpoint ?? primary.endpoint;
  return {
    ...primary,
    bucket: s3ReadBucket ?? primary.bucket,
    region: s3ReadRegion ?? primary.region,
    endpoint,
    pathStyle: config.s3PathStyle ?? endpoint !== undefined,
    keys: keysOf(config.s3ReadAccessKey, config.s3ReadSecretKey, config.s3ReadSessionToken) ??
      primary.keys,
    settings: "KAFSCALE_S3_READ_",
  };
}

/** The bucket of the snapshots, where it is not the one that is written to. */
export function snapshotBucket(config: Config): BucketSettings | undefined {
  const { operatorEtcdSnapshotBucket, operatorEtcdSnapshotS3Endpoint } = config;
  const primary = primaryBucket(config);
  const bucket = operatorEtcdSnapshotBucket ?? primary.bucket;
  const endpoint = operatorEtcdSnapshotS3Endpoint ?? primary.endpoint;
  const elsewhere = bucket !== primary.bucket || endpoint !== primary.endpoint;
  if (!elsewhere || bucket === "") return undefined;
  return {
    ...primary,
    bucket,
    endpoint,
    pathStyle: config.s3PathStyle ?? endpoint !== undefined,
    settings: SNAPSHOT_SETTINGS,
  };
}

function keysOf(
  accessKeyId: string | null,
  secretAccessKey: string | null,
  sessionToken: string | null,
): BucketSettings["keys"] {
  if (accessKeyId === null || secretAccessKey === null) return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: sessionToken ?? undefined };
}
