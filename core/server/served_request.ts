import type { AnyHandler, RequestContext } from "../handlers/handler.ts";
import type { ApiMeter } from "./api_stats.ts";
import type { ResponseQueue } from "./response_queue.ts";

/** The only request that carries record batches, which are views of the frame. */
const PRODUCE_KEY = 0;

/** What a connection knows about its client; requests show it to handlers. */
export interface Client {
  readonly connectionId: number;
  readonly remoteAddress: string;
  readonly principal: string;
  readonly signal: AbortSignal;
  clientSoftware: { name: string; version: string } | undefined;
}

/**
 * One request from its header to the end of its response: the handler's context and the response's
 * place in the connection's queue.
 *
 *     working → ready (complete) → settled (written, or the connection is gone)
 */
export class ServedRequest implements RequestContext {
  #released = false;
  #onReleased: (() => void) | undefined;
  #onSent: (() => void) | (() => void)[] | undefined;
  #state: "working" | "ready" | "settled" = "working";
  /** The whole response, size prefix included; undefined: none is sent. */
  parts: readonly Uint8Array[] | undefined;
  bytes = 0;
  /** When its handler was through; its writer need not ask the clock again. */
  endedMs: number;

  constructor(
    readonly client: Client,
    readonly queue: ResponseQueue,
    readonly handler: AnyHandler,
    readonly stats: ApiMeter,
    readonly startedMs: number,
    readonly apiVersion: number,
    readonly correlationId: number,
    readonly clientId: string | null,
  ) {
    this.endedMs = startedMs;
  }

  get remoteAddress(): string {
    return this.client.remoteAddress;
  }

  get connectionId(): number {
    return this.client.connectionId;
  }

  get principal(): string {
    return this.client.principal;
  }

  get clientSoftware(): { name: string; version: string } | undefined {
    return this.client.clientSoftware;
  }

  get signal(): AbortSignal {
    return this.client.signal;
  }

  /** Whether the frame must stay as it is until `released`. */
  get viewsFrame(): boolean {
    return this.handler.api.key === PRODUCE_KEY || this.handler.viewsFrame === true;
  }

  get released(): boolean {
    return this.#released;
  }

  get ready(): boolean {
    return this.#state !== "working";
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#onReleased?.();
  }

  /** Resolves once the frame may be overwritten; one caller. */
  whenReleased(): Promise<void> {
    if (this.#released) return Promise.resolve();
    return new Promise((resolve) => this.#onReleased = resolve);
  }

  onSent(done: () => void): void {
    if (this.#state === "settled") done();
    else if (this.#onSent === undefined) this.#onSent = done;
    else if (typeof this.#onSent === "function") this.#onSent = [this.#onSent, done];
    else this.#onSent.push(done);
  }

  /** The handler is through; `parts` may be written when all earlier responses are. */
  complete(parts: readonly Uint8Array[] | undefined, bytes: number): void {
    this.#state = "ready";
    this.parts = parts;
    this.bytes = bytes;
    this.release();
    this.queue.ready(this);
  }

  /** Written, or never to be: buffers go back. Called once, by the queue. */
  settle(): void {
    this.#state = "settled";
    this.parts = undefined;
    const done = this.#onSent;
    this.#onSent = undefined;
    if (typeof done === "function") done();
    else if (done !== undefined) runAll(done);
  }
}

/** Runs every callback, then throws the first error. */
function runAll(callbacks: readonly (() => void)[]): void {
  let failed: { error: unknown } | undefined;
  for (const run of callbacks) {
    try {
      run();
    } catch (error) {
      failed ??= { error };
    }
  }
  if (failed !== undefined) throw failed.error;
}
