import type { Minio } from "./minio.ts";
import { send } from "./signed_request.ts";

export interface TemporaryKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** Keys of MinIO's AssumeRole, bound to `policy`. */
export async function temporaryKeys(minio: Minio, policy?: unknown): Promise<TemporaryKeys> {
  const form: Record<string, string> = { Action: "AssumeRole", Version: "2011-06-15" };
  if (policy !== undefined) form["Policy"] = JSON.stringify(policy);
  const body = new TextEncoder().encode(`${new URLSearchParams(form)}`);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const call = { method: "POST", path: "/", headers, body, service: "sts" };
  const text = await (await send(minio, call)).text();
  const field = (name: string) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(text)![1]!;
  return {
    accessKeyId: field("AccessKeyId"),
    secretAccessKey: field("SecretAccessKey"),
    sessionToken: field("SessionToken"),
  };
}

/** What a broker that only reads `bucket` needs. */
export function readOnlyPolicy(bucket: string): unknown {
  const resources = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
  return {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: ["s3:GetObject", "s3:ListBucket"], Resource: resources },
    ],
  };
}
