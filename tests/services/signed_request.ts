/**
 * A signed request to an S3 server (AWS Signature Version 4, the body not signed), so that tests
 * prepare and inspect buckets without the drivers that they test. Path style alone.
 */
import { createHash, createHmac } from "node:crypto";

export interface S3Account {
  /** Such as `http://127.0.0.1:9000`. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region?: string;
}

export interface S3Call {
  readonly method: string;
  /** `/bucket` or `/bucket/key`, not encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** `s3`, whose bodies need not be signed, unless another is named. */
  readonly service?: string;
}

/** Where to send a call, and with which headers. */
export function signed(account: S3Account, call: S3Call): { url: string; headers: Headers } {
  const { host } = new URL(account.endpoint);
  const region = account.region ?? "us-east-1";
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const headers = new Headers(call.headers);
  headers.set("host", host);
  headers.set("x-amz-date", time);
  const service = call.service ?? "s3";
  const payload = service === "s3"
    ? "UNSIGNED-PAYLOAD"
    : createHash("sha256").update(call.body ?? "").digest("hex");
  headers.set("x-amz-content-sha256", payload);
  const sent = [...headers].sort(([a], [b]) => a < b ? -1 : 1);
  const names = sent.map(([name]) => name).join(";");
  const path = call.path.split("/").map(encode).join("/");
  const query = Object.entries(call.query ?? {}).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  const canonical = [
    call.method,
    path,
    query,
    ...sent.map(([name, value]) => `${name}:${value.trim()}`),
    "",
    names,
    payload,
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const digest = createHash("sha256").update(canonical).digest("hex");
  let key: string | Uint8Array = `AWS4${account.secretKey}`;
  for (const part of scope.split("/")) key = createHmac("sha256", key).update(part).digest();
  const signature = createHmac("sha256", key)
    .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${digest}`).digest("hex");
  const credential = `Credential=${account.accessKey}/${scope}`;
  headers.set(
    "authorization",
    `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`,
  );
  headers.delete("host");
  return { url: `${account.endpoint}${path}${query === "" ? "" : `?${query}`}`, headers };
}

/** Sends it; the answer may have any status, and its body must be read or cancelled. */
export async function send(account: S3Account, call: S3Call): Promise<Response> {
  const { url, headers } = signed(account, call);
  return await fetch(url, { method: call.method, headers, body: call.body ?? null });
}

function encode(part: string): string {
  return encodeURIComponent(part)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
