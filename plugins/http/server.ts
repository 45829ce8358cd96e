/**
 * One HTTP server for all plugins of a broker, on Deno.serve: small answers for few clients, with
 * a bound on everything that a client can make it hold. The header's size is bounded by Deno (400
 * above it); a client that sends no whole header keeps its connection, and nothing else.
 */
import type { HttpRoute } from "../../core/plugin/mod.ts";
import type { Log } from "../../core/runtime/mod.ts";
import { problem } from "./answers.ts";
import { type Match, type Mounted, RouteTable } from "./route_table.ts";

/** Answered at the same time; more are told to come back. */
const REQUESTS_MAX = 64;
const BODY_BYTES_MAX = 64 * 1024;
const TIMEOUT_MS = 10_000;
/** What a client that takes its answer slowly may hold a stop up. */
const CLOSE_MS = 1_000;

const SOON = { "retry-after": "1" };

export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly log: Log;
  /** Asked where no route matches; undefined: 404. */
  readonly otherwise?: (method: string, pathname: string) => Response | undefined;
}

export class HttpServer {
  readonly host: string;
  readonly port: number;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #options: HttpServerOptions;
  readonly #table = new RouteTable();
  readonly #abort = new AbortController();
  #requests = 0;

  /** Throws as Deno.listen does where the address cannot be listened on. */
  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#server = Deno.serve({
      hostname: options.host,
      port: options.port,
      signal: this.#abort.signal,
      onListen: () => {},
      onError: (error) => {
        options.log.error("an HTTP request failed", { error });
        return problem(500, "the request failed; the broker's log says why");
      },
    }, (request) => this.#serve(request));
    this.host = this.#server.addr.hostname;
    this.port = this.#server.addr.port;
  }

  /** Serves `routes` for `owner`; `call` runs their handlers. Throws where a route is another's. */
  mount(owner: string, routes: readonly HttpRoute[], call: NonNullable<Mounted["call"]>): void {
    for (const route of routes) this.#table.add({ owner, route, call });
  }

  /** The owner is gone: for good, or to come back, which its routes then say. */
  unmount(owner: string, comesBack: boolean): void {
    if (comesBack) this.#table.retire(owner);
    else this.#table.remove(owner);
  }

  /** Lets requests end for a second, then ends them. */
  async close(): Promise<void> {
    const late = setTimeout(() => this.#abort.abort(), CLOSE_MS);
    await this.#server.shutdown();
    clearTimeout(late);
  }

  async #serve(request: Request): Promise<Response> {
    if (this.#requests >= REQUESTS_MAX) {
      return problem(503, "too many requests at once; try again in a moment", SOON);
    }
    this.#requests++;
    const startedMs = performance.now();
    const url = new URL(request.url);
    try {
      const response = await this.#answer(request, url);
      const tookMs = Math.round(performance.now() - startedMs);
      const { method } = request;
      this.#options.log.debug("http", {
        method,
        path: url.pathname,
        status: response.status,
        tookMs,
      });
      return method === "HEAD" ? new Response(null, response) : response;
    } finally {
      this.#requests--;
    }
  }

  async #answer(request: Request, url: URL): Promise<Response> {
    const method = request.method === "HEAD" ? "GET" : request.method;
    let match: ReturnType<RouteTable["find"]>;
    try {
      match = this.#table.find(method, url.pathname);
    } catch {
      return problem(400, "the path holds a percent sign that is no escape");
    }
    if (!("mounted" in match)) {
      const other = this.#options.otherwise?.(method, url.pathname);
      if (other !== undefined) return other;
      if (match.length === 0) return problem(404, `nothing is served at ${url.pathname}`);
      const allow = match.join(", ");
      return problem(405, `${url.pathname} takes ${allow}, not ${request.method}`, { allow });
    }
    const { owner, route, call } = match.mounted;
    if (call === undefined) {
      return problem(503, `the plugin ${owner} has failed and starts again`, SOON);
    }
    return await this.#timed(route, (signal) => this.#call(request, url, match, signal));
  }

  async #call(request: Request, url: URL, match: Match, signal: AbortSignal): Promise<Response> {
    const { route, call } = match.mounted;
    const body = route.method === "GET" ? "" : await readBody(request, signal);
    if (body === undefined) {
      return problem(413, `a request's body may have ${BODY_BYTES_MAX} bytes`);
    }
    const asked = { url, headers: request.headers, path: match.path, signal, body };
    return await call!(() => route.handle(asked));
  }

  /** The answer, or 503 when the time is up; what runs then still sees its signal abort. */
  async #timed(
    { timeoutMs = TIMEOUT_MS }: HttpRoute,
    run: (signal: AbortSignal) => Promise<Response>,
  ): Promise<Response> {
    const over = new AbortController();
    const late = Promise.withResolvers<Response>();
    const timer = setTimeout(() => {
      over.abort();
      late.resolve(problem(503, `no answer within ${timeoutMs / 1_000} s; try again later`));
    }, timeoutMs);
    try {
      const answered = run(over.signal);
      answered.catch(() => {});
      return await Promise.race([answered, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Undefined where it is too long. */
async function readBody(request: Request, signal: AbortSignal): Promise<string | undefined> {
  if (Number(request.headers.get("content-length") ?? 0) > BODY_BYTES_MAX) return undefined;
  if (request.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of request.body) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX || signal.aborted) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
