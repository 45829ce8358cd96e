/** Making a bucket, and making it safe: what snapshots may ask for, and a log never does. */
import {
  CreateBucketCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  PutBucketVersioningCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { StoreError } from "../../../core/storage/object_store.ts";
import { RefusedError } from "../s3_wire/answers.ts";
import { sentenceFor } from "../s3_wire/bucket_settings.ts";
import { connect } from "./driver.ts";
import { sdkError } from "./errors.ts";
import { REGION_DEFAULT, type S3StoreOptions } from "./settings.ts";

const MISSING = "the bucket @ does not exist: create it, set $CREATE_BUCKET, or correct $BUCKET";

/** To a well-formed request: the store does not know it. */
const UNKNOWN_REQUEST = /^(NotImplemented|MethodNotAllowed|MalformedXML)$/;

export interface BucketWishes {
  /** Made where it is not there. */
  readonly create: boolean;
  /** Versions are kept, and no policy or list opens it to the public. */
  readonly protect: boolean;
}

/** Rejects with a StoreError of one sentence; what is done already is not done again. */
export async function prepareBucket(options: S3StoreOptions, wishes: BucketWishes): Promise<void> {
  const { client, wire, target } = await connect(options);
  const { bucket: Bucket, runtime: { log } } = options;
  try {
    if (!await exists(client, Bucket)) {
      if (!wishes.create) throw new StoreError("fatal", sentenceFor(MISSING, options));
      await create(client, Bucket, target.region);
    }
    if (!wishes.protect) return;
    await client.send(
      new PutBucketVersioningCommand({
        Bucket,
        VersioningConfiguration: { Status: "Enabled" },
      }),
    );
    if (await blockPublicAccess(client, Bucket)) return;
    log.warn(
      "the store cannot turn public access off for a bucket; see to it that no policy opens it",
      { bucket: Bucket },
    );
  } catch (error) {
    throw sdkError(error, `prepare the bucket ${Bucket}`);
  } finally {
    wire.close();
  }
}

async function exists(client: S3Client, Bucket: string): Promise<boolean> {
  try {
    await client.send(new HeadBucketCommand({ Bucket }));
    return true;
  } catch (error) {
    if (error instanceof RefusedError && error.status === 404) return false;
    throw error;
  }
}

async function create(client: S3Client, Bucket: string, region: string): Promise<void> {
  const where = region === REGION_DEFAULT
    ? {}
    : { CreateBucketConfiguration: { LocationConstraint: region as never } };
  await client.send(new CreateBucketCommand({ Bucket, ...where })).catch((error) => {
    // a rival of ours was faster
    if (error instanceof RefusedError && error.code === "BucketAlreadyOwnedByYou") return;
    throw error;
  });
}

/**
 * Whether public access is off now. Stores that know no such thing, MinIO for one, say so or take
 * the request for another; so it is read back.
 */
async function blockPublicAccess(client: S3Client, Bucket: string): Promise<boolean> {
  const wanted = {
    BlockPublicAcls: true,
    IgnorePublicAcls: true,
    BlockPublicPolicy: true,
    RestrictPublicBuckets: true,
  };
  try {
    await client.send(
      new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: wanted }),
    );
    const { PublicAccessBlockConfiguration: there = {} } = await client.send(
      new GetPublicAccessBlockCommand({ Bucket }),
    );
    return Object.keys(wanted).every((name) => there[name as keyof typeof wanted] === true);
  } catch (error) {
    if (error instanceof RefusedError && UNKNOWN_REQUEST.test(error.code)) return false;
    throw error;
  }
}
