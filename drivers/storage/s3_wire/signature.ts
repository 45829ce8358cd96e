/**
 * AWS Signature Version 4 for requests whose bodies are not signed. Libraries sign, too, but take
 * ten times as long, and would have to hold the body.
 */
import { createHash, createHmac } from "node:crypto";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface Unsigned {
  readonly method: string;
  /** Encoded, as it is sent. */
  readonly path: string;
  /** Encoded, parts in order of their names, each with `=`; empty without a query. */
  readonly query: string;
  /** Names in lower case; all are signed. Those of the signature itself and `host` are added. */
  readonly headers: readonly Header[];
}

export type Header = readonly [name: string, value: string];

const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";

export class Signer {
  /** Depends on the secret and the day; four hashes that are the same for all its requests. */
  #key: { readonly secret: string; readonly day: string; readonly bytes: Uint8Array } | undefined;

  constructor(readonly host: string, readonly region: string) {}

  /** The request line and all header lines, each with its line end. `wallMs` is the time signed. */
  head(request: Unsigned, credentials: Credentials, wallMs: number): string {
    const time = new Date(wallMs).toISOString().replace(/[-:]|\.\d+/g, "");
    const headers = this.#signed(request, credentials, time);
    let lines = "";
    let names = "";
    for (const [name, value] of headers) {
      lines += `${name}:${value}\n`;
      names += names === "" ? name : `;${name}`;
    }
    const canonical = `${request.method}\n${request.path}\n${request.query}\n${lines}\n${names}\n` +
      UNSIGNED_PAYLOAD;
    const day = time.slice(0, 8);
    const scope = `${day}/${this.region}/s3/aws4_request`;
    const digest = createHash("sha256").update(canonical).digest("hex");
    const signature = createHmac("sha256", this.#keyOf(credentials.secretAccessKey, day))
      .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${digest}`).digest("hex");
    const query = request.query === "" ? "" : `?${request.query}`;
    return `${request.method} ${request.path}${query} HTTP/1.1\r\n` +
      lines.replaceAll("\n", "\r\n") +
      `authorization: AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, ` +
      `SignedHeaders=${names}, Signature=${signature}\r\n`;
  }

  /** All headers in order of their names. */
  #signed({ headers }: Unsigned, { sessionToken }: Credentials, time: string): Header[] {
    const own: Header[] = [
      ["host", this.host],
      ["x-amz-content-sha256", UNSIGNED_PAYLOAD],
      ["x-amz-date", time],
    ];
    if (sessionToken !== undefined) own.push(["x-amz-security-token", sessionToken]);
    return [...headers, ...own].sort(([a], [b]) => a < b ? -1 : 1);
  }

  #keyOf(secret: string, day: string): Uint8Array {
    if (this.#key?.secret === secret && this.#key.day === day) return this.#key.bytes;
    let bytes: Uint8Array | string = `AWS4${secret}`;
    for (const part of [day, this.region, "s3", "aws4_request"]) {
      bytes = createHmac("sha256", bytes).update(part).digest();
    }
    this.#key = { secret, day, bytes: bytes as Uint8Array };
    return this.#key.bytes;
  }
}

const PLAIN = /^[A-Za-z0-9/._~-]*$/;

/** A key, or any text, as a path or query carries it; slashes stay with `keep` "/". */
export function uriEncode(value: string, keep: "/" | "" = ""): string {
  if (PLAIN.test(value) && (keep === "/" || !value.includes("/"))) return value;
  const encoded = encodeURIComponent(value).replace(/[!'()*]/g, percent);
  return keep === "/" ? encoded.replaceAll("%2F", "/") : encoded;
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
