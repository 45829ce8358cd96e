/**
 * What the library takes for node's `http`: it sends the library's request over our wire, which
 * signs it. By itself the library cannot be aborted, dates by a clock that may be wrong, and tells
 * some refusals in text only.
 */
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import type { IncomingMessage, RequestOptions } from "node:http";
import { Readable } from "node:stream";
import { ANSWER_BYTES_MAX } from "../s3_wire/settings.ts";
import type { Header, Unsigned } from "../s3_wire/signature.ts";
import type { Wire } from "../s3_wire/wire.ts";

type OnAnswer = (answer: IncomingMessage) => void;

/** Made for one call. */
export class WireTransport {
  constructor(
    readonly wire: Wire,
    readonly what: string,
    readonly signal: AbortSignal | undefined,
  ) {}

  /** As `http.request`; the request goes out at its `end(body)`. */
  request(options: RequestOptions, onAnswer: OnAnswer): EventEmitter {
    const request = new EventEmitter();
    const end = (body: string | Uint8Array | null) => {
      this.#send(unsigned(options), body).then(onAnswer, (error) => request.emit("error", error));
    };
    return Object.assign(request, { end });
  }

  async #send(request: Unsigned, body: string | Uint8Array | null): Promise<IncomingMessage> {
    const { wire, what } = this;
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    return await wire.call({
      what,
      request,
      body: bytes === null || bytes.length === 0 ? [] : [bytes],
      repeatable: true,
      receive: async (head, connection) => {
        if (head.status >= 300) throw await wire.refused(what, head, connection);
        const answer = await connection.body(head, ANSWER_BYTES_MAX);
        return message(head.status, head.headers, answer);
      },
    }, this.signal);
  }
}

function unsigned({ method, path, headers }: RequestOptions): Unsigned {
  const [bare, query = ""] = path!.split("?");
  const given = Object.entries(headers ?? {}).filter(([name]) => name !== "host");
  return {
    method: method!,
    path: bare!,
    // signed with `=` behind every name; the library orders them already
    query: query.split("&").map((part) => part === "" || part.includes("=") ? part : `${part}=`)
      .join("&"),
    headers: given.map(([name, value]): Header => [name, String(value)]),
  };
}

function message(
  statusCode: number,
  headers: ReadonlyMap<string, string>,
  body: Uint8Array,
): IncomingMessage {
  const stream = Readable.from([Buffer.from(withTextKeys(body))], { objectMode: false });
  const answer = Object.assign(stream, { statusCode, headers: Object.fromEntries(headers) });
  return answer as unknown as IncomingMessage;
}

/**
 * The library reads what looks like a number as one, so that the key `007` comes out as 7. Keys of
 * listings are percent-encoded: encoding their first character, too, keeps them text.
 */
function withTextKeys(body: Uint8Array): string {
  return new TextDecoder().decode(body)
    .replace(/<Key>([0-9.+-])/g, (_, c: string) => `<Key>%${c.charCodeAt(0).toString(16)}`);
}
