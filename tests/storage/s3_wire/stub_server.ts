/** A server that answers as a test says, byte by byte: for what no real store can be made to do. */

export interface StubRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The whole body; each byte is read only when it is asked for. */
  body(): Promise<Uint8Array>;
  /** Which connection it came on, from 0. */
  readonly connection: number;
  /** Sends text as it is. */
  send(text: string): Promise<void>;
  /** Ends the connection, whatever is still to come. */
  cut(): void;
}

export type Handler = (request: StubRequest, count: number) => Promise<void> | void;

export class StubServer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #serving = new Set<Promise<void>>();
  #requests = 0;
  #connections = 0;
  readonly #accepting: Promise<void>;

  constructor(readonly handler: Handler) {
    this.#accepting = this.#accept();
  }

  get requests(): number {
    return this.#requests;
  }

  get connections(): number {
    return this.#connections;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#open) close(conn);
    await this.#accepting;
    await Promise.all(this.#serving);
  }

  async #accept(): Promise<void> {
    try {
      for await (const conn of this.#listener) {
        this.#open.add(conn);
        const serving = this.#serve(conn, this.#connections++).catch(() => {}).finally(() => {
          close(conn);
          this.#open.delete(conn);
          this.#serving.delete(serving);
        });
        this.#serving.add(serving);
      }
    } catch {
      // the listener is closed
    }
  }

  async #serve(conn: Deno.Conn, connection: number): Promise<void> {
    let text = "";
    const buffer = new Uint8Array(64 * 1024);
    const more = async () => {
      const read = await conn.read(buffer);
      if (read === null) throw new Error("the client has gone");
      text += latin1(buffer.subarray(0, read));
    };
    while (true) {
      while (!text.includes("\r\n\r\n")) await more();
      const end = text.indexOf("\r\n\r\n");
      const [first, ...lines] = text.slice(0, end).split("\r\n");
      text = text.slice(end + 4);
      const [method, path] = first!.split(" ");
      const headers = new Map(lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }));
      const length = Number(headers.get("content-length") ?? 0);
      let taken: Uint8Array | undefined;
      const body = async () => {
        if (taken !== undefined) return taken;
        while (text.length < length) await more();
        taken = Uint8Array.from(text.slice(0, length), (c) => c.charCodeAt(0));
        text = text.slice(length);
        return taken;
      };
      const send = async (answer: string) => {
        const bytes = Uint8Array.from(answer, (c) => c.charCodeAt(0));
        for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
      };
      const cut = () => close(conn);
      await this.handler(
        { method: method!, path: path!, headers, body, connection, send, cut },
        this.#requests++,
      );
      await body();
    }
  }
}

/** An answer with a length. */
export function answer(
  status: string,
  body = "",
  headers: Readonly<Record<string, string>> = {},
): string {
  const all = { date: new Date().toUTCString(), ...headers, "content-length": `${body.length}` };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join("")}\r\n${body}`;
}

/** S3's form of a refusal. */
export function refusal(status: string, code: string, more: Record<string, string> = {}): string {
  const body =
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>so be it</Message></Error>`;
  return answer(status, body, { "content-type": "application/xml", ...more });
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // the client was first
  }
}
