/**
 * HTTP/1.1 on a TCP connection as a proxy needs it: heads are parsed, bodies are passed on in the
 * raw pieces that they arrive in, chunk framing included, without ever being held.
 */

const BUFFER_BYTES = 128 << 10;
const HEAD_BYTES_MAX = 64 << 10;
const latin1 = new TextDecoder("latin1");

/** The front of a request or response, up to and with the empty line. */
export interface Head {
  /** As it came. */
  readonly raw: Uint8Array;
  /** `PUT /bucket/key HTTP/1.1` or `HTTP/1.1 200 OK`. */
  readonly startLine: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

/** How long a body is. "rest": until the connection ends. */
export type BodyLength = number | "chunked" | "rest";

export function requestBody({ headers }: Head): BodyLength {
  if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") return "chunked";
  return Number(headers.get("content-length") ?? "0");
}

export function responseBody(head: Head, method: string): BodyLength {
  const status = statusOf(head);
  if (method === "HEAD" || status === 204 || status === 304 || status < 200) return 0;
  if (head.headers.get("transfer-encoding")?.toLowerCase() === "chunked") return "chunked";
  const length = head.headers.get("content-length");
  return length === undefined ? "rest" : Number(length);
}

export function statusOf({ startLine }: Head): number {
  return Number(startLine.split(" ", 2)[1]);
}

/** Whether the connection can carry another exchange after this head's. */
export function keepsAlive({ startLine, headers }: Head): boolean {
  return startLine.includes("HTTP/1.1") && headers.get("connection")?.toLowerCase() !== "close";
}

/** One side of an exchange; at most one reader at a time. */
export class HttpStream {
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #start = 0;
  #end = 0;
  #ended = false;
  #filling: Promise<boolean> | undefined;

  constructor(readonly conn: Deno.TcpConn) {
    try {
      conn.setNoDelay(true);
    } catch {
      // the peer is gone already: the first read says so
    }
  }

  /** The next head, or undefined where the stream ended before one began. */
  async head(): Promise<Head | undefined> {
    for (;;) {
      const length = headLength(this.#buffer.subarray(this.#start, this.#end));
      if (length > 0) return parseHead(this.#take(length).slice());
      if (this.#end - this.#start > HEAD_BYTES_MAX) throw new Error("an HTTP head is too long");
      if (!await this.fill()) return undefined;
    }
  }

  /** The body's raw bytes as they come; each piece is valid until the next is asked for. */
  async *body(length: BodyLength): AsyncGenerator<Uint8Array> {
    if (length === "chunked") return yield* this.#chunks();
    for (let left = length === "rest" ? Infinity : length; left > 0;) {
      if (this.#start === this.#end && !await this.fill()) {
        if (length === "rest") return;
        throw new Error("the connection ended within a body");
      }
      const take = Math.min(left, this.#end - this.#start);
      left -= take;
      yield this.#take(take);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
  }

  /**
   * Reads more behind what is unread; false at the end of the stream or once the buffer is full.
   * A call while another is on its way shares it, so the peer's end can be watched for.
   */
  fill(): Promise<boolean> {
    this.#filling ??= this.#fill().finally(() => this.#filling = undefined);
    return this.#filling;
  }

  /**
   * Resolves when the peer is gone, or never once `watch` is over. What the peer sends until then
   * is kept; nobody else may read before the watch is over.
   */
  async gone(watch: { readonly over: boolean }): Promise<void> {
    while (!watch.over && await this.fill());
    if (watch.over || !this.#ended) await new Promise(() => {});
  }

  /** Reads and drops everything until the peer is gone. */
  async drop(): Promise<void> {
    do this.#start = this.#end; while (await this.fill());
  }

  close(): void {
    try {
      this.conn.close();
    } catch {
      // closed already
    }
  }

  async #fill(): Promise<boolean> {
    if (this.#ended) return false;
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    if (this.#end === this.#buffer.length) return false;
    const read = await this.conn.read(this.#buffer.subarray(this.#end)).catch(() => null);
    if (read === null) this.#ended = true;
    else this.#end += read;
    return read !== null;
  }

  #take(count: number): Uint8Array {
    const piece = this.#buffer.subarray(this.#start, this.#start + count);
    this.#start += count;
    return piece;
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const line = await this.#line();
      yield line;
      const size = parseInt(latin1.decode(line), 16);
      if (!(size >= 0)) throw new Error("a chunk has no size");
      // a chunk, or the trailers, ends with a line of its own
      if (size > 0) yield* this.body(size + 2);
      else {
        for (;;) {
          const trailer = await this.#line();
          yield trailer;
          if (trailer.length === 2) return;
        }
      }
    }
  }

  /** Up to and with the next CR LF. */
  async #line(): Promise<Uint8Array> {
    for (;;) {
      const at = this.#buffer.subarray(this.#start, this.#end).indexOf(10);
      if (at >= 0) return this.#take(at + 1).slice();
      if (!await this.fill()) throw new Error("the connection ended within a body");
    }
  }
}

/** Up to and with the empty line; 0 where there is none yet. */
function headLength(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(13); at >= 0; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at + 4;
  }
  return 0;
}

function parseHead(raw: Uint8Array): Head {
  const [startLine = "", ...lines] = latin1.decode(raw).trimEnd().split("\r\n");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { raw, startLine, headers };
}
