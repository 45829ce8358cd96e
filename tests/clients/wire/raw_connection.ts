/** A TCP connection that speaks Kafka frames byte by byte, well-formed or not. */
import { RawReader, RawWriter } from "./bytes.ts";

export class RawConnection implements Disposable {
  readonly #conn: Deno.TcpConn;
  #buffered = new Uint8Array(0);
  #correlation = 0;
  #closed = false;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async open(bootstrap: string): Promise<RawConnection> {
    const [hostname, port] = bootstrap.split(":");
    return new RawConnection(
      await Deno.connect({ hostname: hostname ?? "127.0.0.1", port: Number(port) }),
    );
  }

  /** Bytes as they are. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
  }

  /** A frame with a v1 request header (not flexible); the correlation id. */
  async send(api: number, version: number, body: RawWriter): Promise<number> {
    const correlation = ++this.#correlation;
    const header = new RawWriter().int16(api).int16(version).int32(correlation).string("raw");
    const frame = new RawWriter().int32(header.length + body.length).raw(header.bytes());
    await this.write(frame.raw(body.bytes()).bytes());
    return correlation;
  }

  /** Sends and reads the answer's body, past the correlation id. */
  async request(api: number, version: number, body: RawWriter): Promise<RawReader> {
    const correlation = await this.send(api, version, body);
    const answer = await this.read();
    if (answer === undefined) throw new Error("the broker closed the connection");
    const got = answer.int32();
    if (got !== correlation) throw new Error(`correlation id ${got}, wanted ${correlation}`);
    return answer;
  }

  /** The next frame without its length; undefined at the end of the stream. */
  async read(timeoutMs = 10_000): Promise<RawReader | undefined> {
    const timer = setTimeout(() => this.close(), timeoutMs);
    try {
      const head = await this.#take(4);
      if (head === undefined) return undefined;
      const body = await this.#take(new RawReader(head).int32());
      return body === undefined ? undefined : new RawReader(body);
    } catch (error) {
      if (this.#closed) throw new Error(`no answer within ${timeoutMs} ms`);
      // A reset is an end, too.
      if (error instanceof Deno.errors.ConnectionReset) return undefined;
      if (error instanceof Deno.errors.BrokenPipe) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Half-closes: the broker sees the end of the stream, but may still answer. */
  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #take(length: number): Promise<Uint8Array | undefined> {
    const chunk = new Uint8Array(65536);
    while (this.#buffered.length < length) {
      const read = await this.#conn.read(chunk);
      if (read === null) return undefined;
      const joined = new Uint8Array(this.#buffered.length + read);
      joined.set(this.#buffered);
      joined.set(chunk.subarray(0, read), this.#buffered.length);
      this.#buffered = joined;
    }
    const taken = this.#buffered.slice(0, length);
    this.#buffered = this.#buffered.slice(length);
    return taken;
  }
}
