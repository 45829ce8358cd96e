/** The SDK's requests over our wire: one pool, one set of limits, one reading of refusals. */
import { ANSWER_BYTES_MAX } from "../s3_wire/settings.ts";
import { uriEncode } from "../s3_wire/signature.ts";
import type { Wire } from "../s3_wire/wire.ts";

/** What the SDK hands to a handler, as far as it matters here. */
export interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface SdkAnswer {
  readonly response: {
    readonly statusCode: number;
    readonly headers: Record<string, string>;
    readonly body: Uint8Array;
  };
}

const encoder = new TextEncoder();

/** `HttpHandler` of the SDK. What is no success rejects with a `RefusedError`. */
export class SdkHandler {
  constructor(readonly wire: Wire) {}

  async handle(
    request: SdkRequest,
    options?: { readonly abortSignal?: unknown },
  ): Promise<SdkAnswer> {
    const what = describe(request);
    return await this.wire.call({
      what,
      request: headOf(request),
      body: bodyOf(request.body),
      repeatable: true,
      receive: async (head, connection) => {
        if (head.status >= 300) throw await this.wire.refused(what, head, connection);
        const body = await connection.body(head, ANSWER_BYTES_MAX);
        const headers = Object.fromEntries(head.headers);
        return { response: { statusCode: head.status, headers, body } };
      },
    }, options?.abortSignal as AbortSignal | undefined);
  }
}

function describe({ method, query }: SdkRequest): string {
  if (query?.["list-type"] !== undefined) return `list ${query["prefix"] ?? ""}`;
  if (query?.["versioning"] !== undefined) return "turn versioning on";
  if (query?.["publicAccessBlock"] !== undefined) return "turn public access off";
  if (method === "PUT") return "make the bucket";
  return method === "POST" ? "delete objects" : method;
}

function headOf({ method, path, query, headers }: SdkRequest): string {
  const parts: string[] = [];
  for (const name of Object.keys(query ?? {}).sort()) {
    const value = query![name]!;
    for (const each of Array.isArray(value) ? value : [value ?? ""]) {
      parts.push(`${uriEncode(name)}=${uriEncode(each)}`);
    }
  }
  let head = `${method} ${path}${parts.length === 0 ? "" : `?${parts.join("&")}`} HTTP/1.1\r\n`;
  for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
  return head;
}

function bodyOf(body: unknown): readonly Uint8Array[] {
  if (body === undefined) return [];
  if (typeof body === "string") return [encoder.encode(body)];
  if (body instanceof Uint8Array) return [body];
  throw new TypeError("the SDK sends a body that is neither text nor bytes");
}
