/**
 * A TCP proxy in front of a real object store that speaks enough HTTP/1.1 to hurt single requests
 * by program (fault_program.ts) and counts them. One connection to the store for each of a
 * client's, both kept alive; bodies of any size stream through one buffer a direction.
 */
import {
  type ActiveRule,
  type Fault,
  FaultProgram,
  type Operation,
  readRequest,
  type Rule,
  type S3ErrorCode,
  type S3Request,
} from "./fault_program.ts";
import {
  type Head,
  HttpStream,
  keepsAlive,
  requestBody,
  responseBody,
  statusOf,
} from "./http_stream.ts";

export interface FaultProxyOptions {
  /** Of the store. */
  readonly hostname?: string;
  readonly port: number;
  /** Chances are drawn from it. */
  readonly seed?: string;
}

/** A request on its way. */
interface Exchange {
  readonly down: HttpStream;
  readonly head: Head;
  readonly request: S3Request;
  readonly fault: Fault | undefined;
}

const DAY_MS = 86_400_000;
const encoder = new TextEncoder();

export class FaultProxy implements AsyncDisposable {
  /** By operation, struck ones included. */
  readonly requests: Record<Operation, number> = {
    PUT: 0,
    GET: 0,
    HEAD: 0,
    LIST: 0,
    DELETE: 0,
    OTHER: 0,
  };
  /** By fault. */
  readonly struck: Partial<Record<Fault["kind"], number>> = {};
  readonly #listener: Deno.TcpListener;
  readonly #program: FaultProgram;
  readonly #store: Deno.ConnectOptions;
  readonly #streams = new Set<HttpStream>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #sleeps = new Set<() => void>();
  #severed = false;
  #closed = false;

  constructor(options: FaultProxyOptions) {
    this.#store = { hostname: options.hostname ?? "127.0.0.1", port: options.port };
    this.#program = new FaultProgram(options.seed ?? "fault proxy");
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#track(this.#accept());
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** What a driver is given as its endpoint. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** All requests so far. */
  get total(): number {
    return Object.values(this.requests).reduce((sum, count) => sum + count, 0);
  }

  add(rule: Rule): ActiveRule {
    return this.#program.add(rule);
  }

  /** No faults any more; what is under way goes on. */
  clear(): void {
    this.#program.clear();
  }

  /** Ends every connection, and until `mend` each new one as soon as it is made. */
  sever(): void {
    this.#severed = true;
    for (const stream of [...this.#streams]) stream.close();
  }

  mend(): void {
    this.#severed = false;
  }

  /** Ends everything, "late" requests too. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#listener.close();
    for (const stream of [...this.#streams]) stream.close();
    for (const wake of [...this.#sleeps]) wake();
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #track(task: Promise<void>): void {
    const tracked = task.finally(() => this.#tasks.delete(tracked));
    this.#tasks.add(tracked);
  }

  async #accept(): Promise<void> {
    for (;;) {
      const conn = await this.#listener.accept().catch(() => undefined);
      if (conn === undefined) return;
      if (this.#severed) conn.close();
      else this.#track(this.#serve(this.#stream(conn)));
    }
  }

  #stream(conn: Deno.TcpConn): HttpStream {
    const stream = new HttpStream(conn);
    this.#streams.add(stream);
    return stream;
  }

  #end(stream: HttpStream | undefined): void {
    if (stream === undefined) return;
    stream.close();
    this.#streams.delete(stream);
  }

  /** One client connection; any failure of either side ends both. */
  async #serve(down: HttpStream): Promise<void> {
    let up: HttpStream | undefined;
    try {
      for (;;) {
        const head = await down.head();
        if (head === undefined) return;
        const request = readRequest(head.startLine, head.headers);
        this.requests[request.operation]++;
        const fault = this.#program.decide(request);
        if (fault !== undefined) this.struck[fault.kind] = (this.struck[fault.kind] ?? 0) + 1;
        const exchange: Exchange = { down, head, request, fault };
        if (fault?.kind === "delay") await this.#sleep(fault.ms);
        if (fault !== undefined && ownAnswer(fault)) {
          if (!await this.#strike(exchange)) return;
          continue;
        }
        up ??= this.#stream(await Deno.connect(this.#store));
        if (!await this.#relay(exchange, up)) return;
      }
    } catch {
      // Either side is gone, or ended within a message: as a cut cable looks to both.
    } finally {
      this.#end(up);
      this.#end(down);
    }
  }

  /** Faults that the store hears nothing of, at least for now. Whether the connection goes on. */
  async #strike({ down, head, request, fault }: Exchange): Promise<boolean> {
    if (fault?.kind === "blackhole") {
      await down.drop();
    } else if (fault?.kind === "late") {
      const body: Uint8Array[] = [head.raw];
      for await (const piece of down.body(requestBody(head))) body.push(piece.slice());
      this.#track(this.#later(fault.ms, request, body));
    } else if (fault?.kind === "refuse") {
      // a client that waits for "100 Continue" sends no body after a refusal
      const waits = head.headers.has("expect");
      if (!waits) { for await (const _ of down.body(requestBody(head))); }
      await down.write(errorReply(request, fault.code, !waits));
      return !waits && keepsAlive(head);
    }
    return false;
  }

  async #later(ms: number, request: S3Request, body: readonly Uint8Array[]): Promise<void> {
    await this.#sleep(ms);
    if (this.#closed) return;
    let up: HttpStream | undefined;
    try {
      up = this.#stream(await Deno.connect(this.#store));
      for (const piece of body) await up.write(piece);
      const reply = await up.head();
      if (reply === undefined) return;
      for await (const _ of up.body(responseBody(reply, request.method)));
    } catch {
      // as lost as any request may be
    } finally {
      this.#end(up);
    }
  }

  /** Request there, reply back. Whether both connections go on. */
  async #relay(exchange: Exchange, up: HttpStream): Promise<boolean> {
    const { down, head } = exchange;
    await up.write(head.raw);
    const watch = { over: false };
    const sending = this.#send(exchange, up);
    // a client that gave up is gone for the store as well; after a refusal the reply says more
    const abandoned = sending.then(async (sent) => {
      if (sent !== "cut") await down.gone(sent === "sent" ? watch : { over: true });
      return false;
    });
    const replied = await Promise.race([this.#reply(exchange, up), abandoned]);
    watch.over = true;
    return replied && await sending === "sent" && keepsAlive(head);
  }

  /** "refused": the store took no more of it; "cut": it will never be whole. */
  async #send(
    { down, head, fault }: Exchange,
    up: HttpStream,
  ): Promise<"sent" | "refused" | "cut"> {
    let left = fault?.kind === "cutRequest" ? fault.afterBytes : Infinity;
    try {
      for await (const piece of down.body(requestBody(head))) {
        await this.#pace(fault, piece.length);
        const written = up.write(piece.subarray(0, left)).then(() => true, () => false);
        if (!await written) return "refused";
        left -= piece.length;
        if (left <= 0) return "cut";
      }
      return "sent";
    } catch {
      return "cut";
    }
  }

  /** Whether both connections can carry another exchange. */
  async #reply({ down, request, fault }: Exchange, up: HttpStream): Promise<boolean> {
    let head = await up.head();
    for (; head !== undefined && statusOf(head) < 200; head = await up.head()) {
      await down.write(head.raw);
    }
    if (head === undefined) return false;
    const length = responseBody(head, request.method);
    if (fault?.kind === "delayReply") await this.#sleep(fault.ms);
    const lost = fault?.kind === "loseReply";
    let left = fault?.kind === "cutReply" ? fault.afterBytes : Infinity;
    const pass = async (bytes: Uint8Array) => {
      await this.#pace(fault, bytes.length);
      if (!lost) await down.write(bytes.subarray(0, left));
      left -= bytes.length;
      return left > 0;
    };
    if (!await pass(head.raw)) return false;
    for await (const piece of up.body(length)) if (!await pass(piece)) return false;
    return !lost && length !== "rest" && keepsAlive(head);
  }

  #pace(fault: Fault | undefined, bytes: number): Promise<void> | undefined {
    return fault?.kind === "throttle"
      ? this.#sleep(bytes * 1000 / fault.bytesPerSecond)
      : undefined;
  }

  /** Ends early when the proxy is closed. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#sleeps.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, this.#closed ? 0 : ms);
      this.#sleeps.add(wake);
    });
  }
}

/** Whether the proxy deals with it alone. */
function ownAnswer({ kind }: Fault): boolean {
  return kind === "cutBefore" || kind === "blackhole" || kind === "late" || kind === "refuse";
}

const REFUSALS: Readonly<Record<S3ErrorCode, readonly [status: number, message: string]>> = {
  SlowDown: [503, "Please reduce your request rate."],
  ServiceUnavailable: [503, "Please try again."],
  InternalError: [500, "We encountered an internal error. Please try again."],
  OperationAborted: [409, "A conflicting operation is in progress. Try again."],
  RequestTimeout: [400, "The connection was not read from or written to in time."],
  RequestTimeTooSkewed: [403, "The request's time and the server's differ too much."],
  AccessDenied: [403, "Access Denied."],
  InvalidAccessKeyId: [403, "The access key id is not known."],
  SignatureDoesNotMatch: [403, "The calculated signature is another one."],
  NoSuchBucket: [404, "The bucket does not exist."],
};

function errorReply(request: S3Request, code: S3ErrorCode, keep: boolean): Uint8Array {
  const [status, message] = REFUSALS[code];
  const resource = escaped(`/${request.bucket}/${request.key}`);
  const body = '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<Error><Code>${code}</Code><Message>${message}</Message><Resource>${resource}</Resource>` +
    "<RequestId>FA017</RequestId></Error>";
  const now = Date.now() + (code === "RequestTimeTooSkewed" ? DAY_MS : 0);
  const head = [
    `HTTP/1.1 ${status} ${code}`,
    `Date: ${new Date(now).toUTCString()}`,
    "Content-Type: application/xml",
    `Content-Length: ${encoder.encode(body).length}`,
    "x-amz-request-id: FA017",
    `Connection: ${keep ? "keep-alive" : "close"}`,
  ];
  // to HEAD there is no body, whatever its length would be
  return encoder.encode(`${head.join("\r\n")}\r\n\r\n${request.method === "HEAD" ? "" : body}`);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
