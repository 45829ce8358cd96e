/** What a handler is, and what the server gives it. */
import type { Api, Loose } from "../protocol/api.ts";
import type { Rooms } from "./rooms.ts";

export interface RequestContext {
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  /** `host:port` of the peer. */
  readonly remoteAddress: string;
  /** Unique per connection in this process. */
  readonly connectionId: number;
  /** `User:ANONYMOUS` until authentication exists on the listener. */
  readonly principal: string;
  /** From ApiVersions v3+, for logs and metrics. */
  readonly clientSoftware: { name: string; version: string } | undefined;
  /** Aborts when the connection is gone or the broker stops. */
  readonly signal: AbortSignal;
  /**
   * "I hold nothing of the request frame any more, and the next request of this connection may
   * start." Implied when the handler's promise settles. Produce calls it as soon as its batches are
   * appended, so that requests pipeline; every other request holds the line, as in Kafka.
   */
  release(): void;
  /** Runs `done` once, when the response was written or never can be (buffers go back then). */
  onSent(done: () => void): void;
}

/** One API, all versions. `undefined` means: send no response (Produce with acks=0). */
export interface Handler<Request = unknown, Response = unknown> {
  readonly api: Api<Request, Response>;
  /**
   * The decoded request holds views of the frame, as Produce's record batches are (key 0 always
   * counts so): the frame is kept until `release`. Others are copies, and need no frame.
   */
  readonly viewsFrame?: true;
  handle(
    rooms: Rooms,
    context: RequestContext,
    request: Request,
  ): Promise<Loose<Response> | undefined> | Loose<Response> | undefined;
}

/** Any handler: for lists and dispatch. */
// deno-lint-ignore no-explicit-any -- a Handler is invariant in its messages
export type AnyHandler = Handler<any, any>;

/** Types a handler from its API's schema. */
export function handler<Request, Response>(
  api: Api<Request, Response>,
  handle: Handler<NoInfer<Request>, NoInfer<Response>>["handle"],
): Handler<Request, Response> {
  return { api, handle };
}
