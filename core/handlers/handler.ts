/** What a handler is, and what the server gives it. */
import type { Api } from "../protocol/api.ts";
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
  /** Runs `done` once, after the response was written out or can never be (buffers go back then). */
  onSent(done: () => void): void;
}

/** One API, all versions. `undefined` means: send no response (Produce with acks=0). */
export interface Handler<Request = unknown, Response = unknown> {
  readonly api: Api<Request, Response>;
  handle(
    rooms: Rooms,
    context: RequestContext,
    request: Request,
  ): Promise<Response | undefined> | Response | undefined;
}

/** Types a handler from its API's schema. */
export function handler<Request, Response>(
  api: Api<Request, Response>,
  handle: Handler<Request, Response>["handle"],
): Handler<Request, Response> {
  return { api, handle };
}
