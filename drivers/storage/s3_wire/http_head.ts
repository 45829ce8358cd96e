/** Heads of HTTP/1.1 messages: what is sent before a body, and what comes before an answer's. */

/** The connection ended in the middle, or brought what is not HTTP/1.1. */
export class HttpFault extends Error {
  override name = "HttpFault";
}

/** It ended, and nothing of the answer had come. */
export class UnansweredFault extends HttpFault {
  override name = "UnansweredFault";
}

export interface AnswerHead {
  readonly status: number;
  /** By name in lower case; the last of several wins. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the body; `chunked` and `to the end` (of the connection) are found while reading. */
  readonly length: number | "chunked" | "to the end";
  readonly keepAlive: boolean;
}

const latin1 = new TextDecoder("latin1");

/** Where the head that starts at `start` ends (behind its empty line), or -1. */
export function headEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start + 3; at < end; at++) {
    // the line feed of the empty line; looked for first, for it is rare
    if (bytes[at] === 10 && bytes[at - 1] === 13 && bytes[at - 2] === 10) return at + 1;
  }
  return -1;
}

/** Decodes `HTTP/1.1 200 OK` and the lines behind it; throws HttpFault on anything else. */
export function decodeHead(bytes: Uint8Array, start: number, end: number): AnswerHead {
  const lines = latin1.decode(bytes.subarray(start, end)).split("\r\n");
  const status = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(lines[0]!);
  if (status === null) throw new HttpFault("the answer is not HTTP/1.1");
  const headers = new Map<string, string>();
  for (let at = 1; at < lines.length - 2; at++) {
    const line = lines[at]!;
    const colon = line.indexOf(":");
    if (colon <= 0) throw new HttpFault("the answer has a header without a name");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const code = Number(status[2]);
  const connection = headers.get("connection")?.toLowerCase();
  return {
    status: code,
    headers,
    length: bodyLength(code, headers),
    keepAlive: status[1] === "1" ? connection !== "close" : connection === "keep-alive",
  };
}

function bodyLength(status: number, headers: ReadonlyMap<string, string>): AnswerHead["length"] {
  if (status < 200 || status === 204 || status === 304) return 0;
  const coding = headers.get("transfer-encoding")?.toLowerCase();
  if (coding === "chunked") return "chunked";
  if (coding !== undefined) throw new HttpFault(`the answer is encoded as ${coding}`);
  const length = headers.get("content-length");
  if (length === undefined) return "to the end";
  if (!/^\d{1,15}$/.test(length)) throw new HttpFault("the answer has no length");
  return Number(length);
}
