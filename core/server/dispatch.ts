import { MalformedError, type Reader, Writer } from "../bytes/mod.ts";
import { unsupportedApiVersions, validSoftware } from "../handlers/18_api_versions.ts";
import type { AnyHandler } from "../handlers/handler.ts";
import type { Rooms } from "../handlers/rooms.ts";
import { InvariantError, type LogFields, type Runtime } from "../runtime/mod.ts";
import { ApiMeter, type ApiStats } from "./api_stats.ts";
import type { LogLimiter } from "./log_limiter.ts";
import { RequestHeader } from "../protocol/request_header.ts";
import type { ResponseQueue } from "./response_queue.ts";
import { type Client, ServedRequest } from "./served_request.ts";

const API_VERSIONS_KEY = 18;

export interface DispatcherOptions {
  readonly runtime: Runtime;
  readonly rooms: Rooms;
  readonly handlers: readonly AnyHandler[];
  readonly warnings: LogLimiter;
  /** A broken invariant: the process must not go on as if nothing had happened. */
  readonly onFatal: (error: unknown) => void;
}

/** A connection as the dispatcher sees it. */
export interface Origin {
  readonly client: Client;
  readonly queue: ResponseQueue;
  readonly header: RequestHeader;
  /** Monotonic time at which its latest bytes came. */
  readonly readMs: number;
  /** Ends the connection; its pending requests are dropped. */
  close(): void;
}

interface Route {
  readonly handler: AnyHandler;
  readonly stats: ApiMeter;
}

/** Frame → header → handler → encoded response in the connection's queue. */
export class Dispatcher {
  /** Malformed requests, and those for APIs and versions that are not served. */
  refused = 0;
  readonly #routes: (Route | undefined)[] = [];
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    for (const handler of options.handlers) {
      const { api } = handler;
      this.#routes[api.key] = { handler, stats: new ApiMeter(api) };
    }
  }

  /** Counters of every served API, ascending by key. */
  stats(): ApiStats[] {
    return this.#routes.filter((route) => route !== undefined).map((route) => route.stats);
  }

  /**
   * Starts the request that `reader` holds. The handler has run up to its first wait when this
   * returns. Undefined: the frame was not a request that can be served, and the origin was closed.
   */
  begin(origin: Origin, reader: Reader): ServedRequest | undefined {
    const frameBytes = reader.remaining;
    const { header } = origin;
    let route: Route | undefined;
    try {
      header.readStart(reader);
      route = this.#routes[header.apiKey];
      if (route === undefined) return this.#unsupported(origin, reader);
      const { api } = route.handler;
      if (header.apiVersion < api.minVersion || header.apiVersion > api.maxVersion) {
        return this.#unsupported(origin, reader);
      }
      header.readRest(reader, header.apiVersion >= api.flexibleFrom);
      const request = api.request.read(reader, header.apiVersion);
      return this.#start(origin, route, request, frameBytes);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#refuse(origin, "malformed request, closing the connection", { error: error.message });
      return undefined;
    }
  }

  #start(
    origin: Origin,
    route: Route,
    request: unknown,
    frameBytes: number,
  ): ServedRequest {
    const { handler } = route;
    if (handler.api.key === API_VERSIONS_KEY) noteSoftware(origin, request);
    const served = this.#served(origin, route, frameBytes);
    try {
      const result = handler.handle(this.#options.rooms, served, request);
      if (result instanceof Promise) {
        result.then(
          (response) => this.#finish(origin, served, response),
          (error) => this.#fail(origin, served, error),
        );
      } else this.#finish(origin, served, result);
    } catch (error) {
      this.#fail(origin, served, error);
    }
    return served;
  }

  #served(origin: Origin, { handler, stats }: Route, frameBytes: number): ServedRequest {
    const { client, queue, header, readMs } = origin;
    stats.began(frameBytes);
    const served = new ServedRequest(
      client,
      queue,
      handler,
      stats,
      readMs,
      header.apiVersion,
      header.correlationId,
      header.clientId,
    );
    queue.add(served);
    return served;
  }

  #finish(origin: Origin, served: ServedRequest, response: unknown): void {
    const { stats } = served;
    served.endedMs = this.#options.runtime.clock.monotonicMs();
    stats.ended(response, served.startedMs, served.endedMs);
    if (response === undefined || served.queue.dead) return served.complete(undefined, 0);
    let parts: Uint8Array[];
    let bytes: number;
    try {
      const writer = startResponse(served);
      served.handler.api.response.write(writer, response, served.apiVersion);
      bytes = writer.length;
      parts = sealResponse(writer);
    } catch (error) {
      return this.#fail(origin, served, error);
    }
    stats.answered(bytes);
    served.complete(parts, bytes);
  }

  /** A handler threw: the peer learns of it by the end of the connection, and tries again. */
  #fail(origin: Origin, served: ServedRequest, error: unknown): void {
    const gone = served.queue.dead;
    const fatal = error instanceof InvariantError;
    if (!gone && closesConnection(error)) {
      this.#options.warnings.warn(
        "closing the connection, since no answer is wanted to a failure",
        {
          api: served.handler.api.name,
          clientId: served.clientId,
          remoteAddress: served.remoteAddress,
        },
      );
      origin.close();
    } else if (!gone || fatal) {
      served.stats.failures++;
      this.#options.runtime.log.error("request failed, closing the connection", {
        api: served.handler.api.name,
        apiVersion: served.apiVersion,
        clientId: served.clientId,
        remoteAddress: served.remoteAddress,
        error: error instanceof Error ? error.stack ?? error.message : String(error),
      });
      origin.close();
    }
    served.complete(undefined, 0);
    if (fatal) this.#options.onFatal(error);
  }

  /** ApiVersions answers any version, so that clients can step down (KIP-511); others: close. */
  #unsupported(origin: Origin, reader: Reader): ServedRequest | undefined {
    const { header } = origin;
    const route = this.#routes[API_VERSIONS_KEY];
    if (header.apiKey === API_VERSIONS_KEY && route !== undefined) {
      header.clientId = null;
      const served = this.#served(origin, route, 0);
      const writer = startResponse(served);
      route.handler.api.response.write(writer, unsupportedApiVersions(this.#options.handlers), 0);
      const bytes = writer.length;
      served.complete(sealResponse(writer), bytes);
      return served;
    }
    header.readRest(reader, false);
    this.#refuse(origin, "API or version is not served, closing the connection", {
      clientId: header.clientId,
      clientSoftware: origin.client.clientSoftware,
    });
    return undefined;
  }

  #refuse(origin: Origin, message: string, fields: LogFields): void {
    const { apiKey, apiVersion } = origin.header;
    const { remoteAddress } = origin.client;
    this.refused++;
    this.#options.warnings.warn(message, { remoteAddress, apiKey, apiVersion, ...fields });
    origin.close();
  }
}

/** A handler's way to end the connection where the protocol has no other (Produce with acks=0). */
function closesConnection(error: unknown): boolean {
  return error instanceof Error &&
    (error as { closesConnection?: unknown }).closesConnection === true;
}

/** A writer that holds room for the size and the response header. */
function startResponse(served: ServedRequest): Writer {
  const { api } = served.handler;
  const writer = new Writer();
  writer.int32(0);
  writer.int32(served.correlationId);
  // an ApiVersions response always has header version 0: the client doesn't know the broker yet
  if (served.apiVersion >= api.flexibleFrom && api.key !== API_VERSIONS_KEY) writer.uvarint(0);
  return writer;
}

/** Puts the size in front; the first part begins with the room for it. */
function sealResponse(writer: Writer): Uint8Array[] {
  const size = writer.length - 4;
  const parts = writer.finish();
  const first = parts[0]!;
  first[0] = size >>> 24;
  first[1] = size >>> 16;
  first[2] = size >>> 8;
  first[3] = size;
  return parts;
}

/** KIP-511: from version 3 on a client tells its software. */
function noteSoftware(origin: Origin, request: unknown): void {
  const { clientSoftwareName: name, clientSoftwareVersion: version } = request as {
    clientSoftwareName?: string;
    clientSoftwareVersion?: string;
  };
  if (name === undefined || version === undefined) return;
  if (validSoftware(name) && validSoftware(version)) {
    origin.client.clientSoftware = { name, version };
  }
}
