/**
 * One HTTP/1.1 connection to a store, one exchange at a time. Written for objects: bodies leave
 * from the caller's buffers and arrive in them, without a copy; what libraries do in between costs
 * more than the transfer.
 *
 * - A read is always under way, so that an answer is seen that comes before the body has left
 *   (412), and the end of an idle connection.
 * - A body's last bytes are sent from a copy (`TAIL_BYTES`). A write that cannot be called back
 *   when the connection is closed (Deno 2.7) may then still read the body, but the object it
 *   belongs to never becomes whole.
 */
import { type AnswerHead, decodeHead, headEnd, HttpFault, UnansweredFault } from "./http_head.ts";
import { HEAD_BYTES_MAX, REQUEST_HEAD_BYTES_MAX, TAIL_BYTES } from "./settings.ts";

export interface Outgoing {
  /** Request line and header lines, each with its line end; the empty line is added. */
  readonly head: string;
  readonly body: readonly Uint8Array[];
  /** Of the body. */
  readonly bytes: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

export class HttpConnection {
  readonly #conn: Deno.Conn;
  /** Bytes that came and were not taken are in `#buffer[#start, #end)`. */
  readonly #buffer = new Uint8Array(HEAD_BYTES_MAX);
  #start = 0;
  #end = 0;
  /** Bytes that the read under way put behind `#end`; 0: the connection has ended. */
  #reading: Promise<number>;
  #scratch: Uint8Array | undefined;
  #sent = true;
  #reusable = true;
  #closed = false;
  #fault: unknown;
  /** Called when the connection ends while no exchange is under way. */
  onIdleEnd: (() => void) | undefined;

  constructor(conn: Deno.Conn, readonly openedMs: number) {
    this.#conn = conn;
    this.#reading = this.#readAhead();
  }

  /** Whether another exchange may follow: the answer is read, and nothing came behind it. */
  get reusable(): boolean {
    return this.#reusable && this.#sent && !this.#closed && this.#start === this.#end;
  }

  /** Sends a request; resolves with the head of its answer, whose body must then be read. */
  async exchange(request: Outgoing): Promise<AnswerHead> {
    this.#reusable = false;
    this.#sent = false;
    void this.#send(request);
    while (true) {
      await this.#more();
      const end = headEnd(this.#buffer, this.#start, this.#end);
      if (end < 0) {
        if (this.#end === this.#buffer.length) throw new HttpFault("the answer's head is too long");
        this.#reading = this.#readAhead();
        continue;
      }
      const head = decodeHead(this.#buffer, this.#start, end);
      this.#start = end;
      if (head.status >= 200) return head;
      // 100 Continue and its likes: the answer follows
      if (this.#start === this.#end) this.#reading = this.#readAhead();
    }
  }

  /** The whole body of the answer; throws HttpFault where it is longer than `limit`. */
  async body(answer: AnswerHead, limit: number): Promise<Uint8Array> {
    if (typeof answer.length === "number") {
      if (answer.length > limit) throw tooLong(answer.length);
      const bytes = new Uint8Array(answer.length);
      await this.bodyInto(answer, [bytes]);
      return bytes;
    }
    const parts: Uint8Array[] = [];
    if (answer.length === "chunked") await this.#chunks(parts, limit);
    else await this.#toTheEnd(parts, limit);
    this.#finish(answer);
    return joined(parts);
  }

  /** Fills the buffers, one after the other, with the body; returns its length. */
  async bodyInto(answer: AnswerHead, into: readonly Uint8Array[]): Promise<number> {
    const { length } = answer;
    if (typeof length !== "number") throw new HttpFault("the answer does not tell its length");
    let left = length;
    for (const buffer of into) {
      if (left === 0) break;
      const part = buffer.length <= left ? buffer : buffer.subarray(0, left);
      await this.#fill(part);
      left -= part.length;
    }
    if (left > 0) throw tooLong(length);
    this.#finish(answer);
    return length;
  }

  /** Idempotent. What is under way fails. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#conn.close();
    } catch {
      // ended by the peer already
    }
  }

  /** Never rejects: what goes wrong is told by the read that waits for the answer. */
  async #send({ head, body, bytes }: Outgoing): Promise<void> {
    try {
      this.#scratch ??= new Uint8Array(REQUEST_HEAD_BYTES_MAX + TAIL_BYTES);
      const scratch = this.#scratch;
      const { read, written } = encoder.encodeInto(head + "\r\n", scratch);
      if (read < head.length + 2 || written > REQUEST_HEAD_BYTES_MAX) {
        throw new HttpFault("the request's head is too long");
      }
      let used = written;
      let direct = Math.max(0, bytes - TAIL_BYTES);
      if (direct > 0) {
        await this.#writeAll(scratch.subarray(0, used));
        used = 0;
      }
      for (const part of body) {
        const now = Math.min(part.length, direct);
        if (now > 0) await this.#writeAll(now === part.length ? part : part.subarray(0, now));
        direct -= now;
        // given up meanwhile: the body is no longer ours to read
        if (this.#closed) return;
        if (now === part.length) continue;
        scratch.set(now === 0 ? part : part.subarray(now), used);
        used += part.length - now;
      }
      await this.#writeAll(scratch.subarray(0, used));
      this.#sent = !this.#closed;
    } catch (error) {
      this.#fault ??= error;
      // a head that was not sent has no answer
      if (error instanceof HttpFault) this.close();
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#closed;) {
      at += await this.#conn.write(at === 0 ? bytes : bytes.subarray(at));
    }
  }

  /** The read that waits, also while the connection is idle; never rejects. */
  async #readAhead(): Promise<number> {
    let read = 0;
    try {
      if (!this.#closed) read = await this.#conn.read(this.#buffer.subarray(this.#end)) ?? 0;
    } catch (error) {
      this.#fault ??= error;
    }
    this.#end += read;
    if (this.#reusable) {
      // what comes unasked, an end above all, makes it useless
      this.#reusable = false;
      this.onIdleEnd?.();
    }
    return read;
  }

  /** Waits until the read under way brought something; throws at the end of the connection. */
  async #more(): Promise<void> {
    if (await this.#reading > 0) return;
    const message = "the connection ended before the answer";
    if (this.#end === 0) throw new UnansweredFault(message, { cause: this.#fault });
    throw new HttpFault(message, { cause: this.#fault });
  }

  async #fill(into: Uint8Array): Promise<void> {
    let at = this.#takeBuffered(into);
    while (at < into.length) {
      const read = await this.#read(at === 0 ? into : into.subarray(at));
      at += read;
    }
  }

  async #read(into: Uint8Array): Promise<number> {
    let read: number | null = 0;
    try {
      if (!this.#closed) read = await this.#conn.read(into);
    } catch (error) {
      this.#fault ??= error;
    }
    if (read) return read;
    throw new HttpFault("the connection ended inside the answer", { cause: this.#fault });
  }

  #takeBuffered(into: Uint8Array): number {
    const take = Math.min(into.length, this.#end - this.#start);
    if (take > 0) into.set(this.#buffer.subarray(this.#start, this.#start + take));
    this.#start += take;
    return take;
  }

  /** `<hex length>[;…] CRLF data CRLF … 0 CRLF trailers CRLF` */
  async #chunks(parts: Uint8Array[], limit: number): Promise<void> {
    let total = 0;
    while (true) {
      const size = /^([0-9a-f]{1,8})\s*(?:;|$)/i.exec(await this.#line())?.[1];
      if (size === undefined) throw new HttpFault("a chunk of the answer has no length");
      const length = parseInt(size, 16);
      if (length === 0) break;
      total += length;
      if (total > limit) throw tooLong(total);
      const part = new Uint8Array(length);
      await this.#fill(part);
      parts.push(part);
      if (await this.#line() !== "") throw new HttpFault("a chunk of the answer has no end");
    }
    while (await this.#line() !== "");
  }

  /** The next line without its end. */
  async #line(): Promise<string> {
    let line = "";
    while (true) {
      const feed = this.#buffer.subarray(this.#start, this.#end).indexOf(10);
      const end = feed < 0 ? this.#end : this.#start + feed;
      line += decoder.decode(this.#buffer.subarray(this.#start, end));
      this.#start = feed < 0 ? end : end + 1;
      if (feed >= 0) return line.endsWith("\r") ? line.slice(0, -1) : line;
      if (line.length > HEAD_BYTES_MAX) throw new HttpFault("a line of the answer is too long");
      this.#start = 0;
      this.#end = await this.#read(this.#buffer);
    }
  }

  async #toTheEnd(parts: Uint8Array[], limit: number): Promise<void> {
    let total = 0;
    while (true) {
      const part = this.#buffer.slice(this.#start, this.#end);
      parts.push(part);
      total += part.length;
      if (total > limit) throw tooLong(total);
      this.#start = this.#end = 0;
      const read = await this.#read(this.#buffer).catch((fault) => {
        if (fault.cause === undefined && !this.#closed) return 0;
        throw fault;
      });
      if (read === 0) return;
      this.#end = read;
    }
  }

  /** The answer is read. What of the request is still on its way is not wanted any more. */
  #finish(answer: AnswerHead): void {
    if (!this.#sent || !answer.keepAlive || answer.length === "to the end") return this.close();
    if (this.#start !== this.#end) return this.close();
    this.#start = this.#end = 0;
    this.#reusable = true;
    this.#reading = this.#readAhead();
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function tooLong(bytes: number): HttpFault {
  return new HttpFault(`the answer is longer than expected (${bytes} bytes)`);
}
