/**
 * From what a store answers to `StoreError`s: by status and by the code in the body, never by the
 * text. S3, MinIO and their likes share most codes; an unknown one is judged by its status.
 */
import { StoreError, type StoreOutcome } from "../../../core/storage/object_store.ts";
import { sentenceFor } from "./bucket_settings.ts";

export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** What the sentences for people name. */
export interface BucketNames {
  readonly bucket: string;
  /** `KAFSCALE_S3_` or `KAFSCALE_S3_READ_`: which settings there are to correct. */
  readonly settings: string;
}

/** An answer that is a refusal; `code` is S3's, empty where the store told none. */
export class RefusedError extends StoreError {
  override name = "RefusedError";

  constructor(
    outcome: StoreOutcome,
    message: string,
    readonly status: number,
    readonly code: string,
    /** The store's clock when it answered, in Unix milliseconds; NaN if it did not tell. */
    readonly storeMs: number,
  ) {
    super(outcome, message);
  }
}

type Row = readonly [outcome: StoreOutcome, advice: string];

/** For `sentenceFor`. */
const BY_CODE: Readonly<Record<string, Row>> = {
  NoSuchBucket: ["fatal", "the bucket @ does not exist: create it or correct $BUCKET"],
  InvalidBucketName: ["fatal", "@ is no bucket name: correct $BUCKET"],
  AllAccessDisabled: ["fatal", "all access to the bucket @ is disabled: use another in $BUCKET"],
  AccessDenied: [
    "fatal",
    "access denied: allow s3:ListBucket on the bucket @ and s3:GetObject, s3:PutObject, " +
    "s3:DeleteObject on its objects",
  ],
  InvalidAccessKeyId: ["fatal", "the store does not know the access key: correct $ACCESS_KEY"],
  SignatureDoesNotMatch: ["fatal", "the secret key is wrong: correct $SECRET_KEY"],
  InvalidToken: ["fatal", "the session token is wrong: correct $SESSION_TOKEN"],
  ExpiredToken: ["fatal", "the session token has expired: set new keys and $SESSION_TOKEN"],
  RequestTimeTooSkewed: ["fatal", "this machine's clock is wrong: set it, by NTP best"],
  AuthorizationHeaderMalformed: ["fatal", "the bucket @ is in another region: correct $REGION"],
  PermanentRedirect: ["fatal", "the bucket @ is in another region: correct $REGION or $ENDPOINT"],
  MovedPermanently: ["fatal", "the bucket @ is in another region: correct $REGION or $ENDPOINT"],
  NotImplemented: ["fatal", "the store cannot do this: use one with S3's conditional writes"],
  XMinioStorageFull: ["throttled", "the store's disks are full: free or add some space"],
  QuotaExceeded: ["throttled", "the store's quota is used up: raise it"],
  ConditionalRequestConflict: ["retry", "another write of the object was under way"],
  OperationAborted: ["retry", "another operation was under way"],
  RequestTimeout: ["retry", "the store did not get the request in time"],
  IncompleteBody: ["retry", "the store did not get the whole request"],
  BadDigest: ["retry", "the request was damaged on its way"],
};

/** S3's and MinIO's ways to ask for less. */
const THROTTLED = /^(SlowDown|ServiceUnavailable|Throttl|TooManyRequests|RequestLimitExceeded)/;

export function refusal(answer: Answer, what: string, names: BucketNames): RefusedError {
  const { status, headers } = answer;
  const xml = new TextDecoder().decode(answer.body.subarray(0, 8192));
  const code = codeIn(xml, headers);
  const [outcome, advice] = rowOf(status, code);
  const region = /<Region>([^<]+)</.exec(xml)?.[1] ?? headers.get("x-amz-bucket-region");
  const said = elementText(xml, "Message") ?? (code === "" ? xml.slice(0, 200) : "");
  const parts = [`${status}`, code, said, region === undefined ? "" : `region ${region}`];
  const detail = parts.filter((part) => part !== "").join(", ");
  const sentence = sentenceFor(advice, names);
  const storeMs = Date.parse(headers.get("date") ?? "");
  return new RefusedError(outcome, `${what}: ${sentence} (${detail})`, status, code, storeMs);
}

/** S3's code of a refusal; empty where there is none. */
export function codeIn(xml: string, headers: ReadonlyMap<string, string>): string {
  return /<Code>\s*([A-Za-z0-9.]+)\s*<\/Code>/.exec(xml)?.[1] ??
    headers.get("x-minio-error-code") ?? "";
}

/** What an error of `code` means, whether it is an answer or one key's part of it. */
export function rowOf(status: number, code: string): Row {
  const known = BY_CODE[code];
  if (known !== undefined) return known;
  if (THROTTLED.test(code) || status === 429) return ["throttled", "the store asks for less"];
  if (status === 503) return ["throttled", "the store is not available"];
  if (status >= 500 || status === 408) return ["retry", "the store failed"];
  if (status === 409) return ["retry", "another operation was under way"];
  if (status === 307) return ["retry", "the store sends elsewhere for now"];
  if (status >= 300 && status < 400) return ["fatal", "the store is elsewhere: correct $ENDPOINT"];
  return ["fatal", "the store refuses"];
}

function elementText(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return text?.replace(/&(lt|gt|quot|apos|amp);/g, (_, entity: string) => ENTITIES[entity]!);
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  amp: "&",
};
