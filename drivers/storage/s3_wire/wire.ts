/**
 * One signed request to a bucket's server and its answer: bounded in number and in time, given up
 * on abort, dated by the store's clock where ours is wrong. Nothing is tried twice here but what
 * certainly had no effect.
 */
import type { Runtime } from "../../../core/runtime/mod.ts";
import { type BucketNames, refusal, RefusedError } from "./answers.ts";
import { CallSlots } from "./call_slots.ts";
import { abortedError, closedError, timeoutError, wireError } from "./faults.ts";
import type { HttpConnection } from "./http_connection.ts";
import { type AnswerHead, UnansweredFault } from "./http_head.ts";
import { HttpPool, type Server } from "./http_pool.ts";
import {
  ANSWER_BYTES_MAX,
  SLOWEST_BYTES_PER_MS,
  WRITES_KEPT_MAX,
  WRITES_SHARE,
} from "./settings.ts";
import { type Credentials, Signer, type Unsigned } from "./signature.ts";

/** `renew`: what was given before has expired, whatever its own date says. */
export type CredentialSource = (renew?: boolean) => Promise<Credentials>;

export interface WireOptions extends BucketNames {
  readonly runtime: Runtime;
  readonly server: Server;
  readonly region: string;
  readonly credentials: CredentialSource;
  readonly concurrency: number;
  readonly connectTimeoutMs: number;
  readonly timeoutMs: number;
}

/** One call. `receive` reads the answer, whatever its status, up to its end. */
export interface WireCall<T> {
  /** For messages: the action and its object, such as `create wal/0.wal`. */
  readonly what: string;
  /** To be signed; a text is the head, signed already. */
  readonly request: Unsigned | string;
  readonly body: readonly Uint8Array[];
  /** A second time does what one does: sent again when a kept connection had ended. */
  readonly repeatable: boolean;
  /** Producers wait for it: it has places that others don't take. */
  readonly urgent?: boolean;
  receive(head: AnswerHead, connection: HttpConnection): Promise<T>;
}

export class Wire {
  readonly pool: HttpPool;
  readonly #slots: CallSlots;
  readonly #signer: Signer;
  #skewMs = 0;
  #closed = false;

  constructor(readonly options: WireOptions) {
    const { runtime, server } = options;
    this.pool = new HttpPool(runtime, server, options.connectTimeoutMs);
    const kept = Math.min(WRITES_KEPT_MAX, Math.floor(options.concurrency * WRITES_SHARE));
    this.#slots = new CallSlots(options.concurrency, kept);
    this.#signer = new Signer(hostHeader(server), options.region);
  }

  /** Unix milliseconds by the store's clock, as far as it is known. */
  nowMs(): number {
    return this.options.runtime.clock.wallMs() + this.#skewMs;
  }

  async call<T>(call: WireCall<T>, signal?: AbortSignal): Promise<T> {
    const place = this.#closed ? false : this.#slots.take(call.urgent === true, signal);
    if (!(place === true || await place)) {
      throw this.#closed ? closedError() : abortedError(call.what, signal);
    }
    try {
      return await this.#attempt(call, signal).catch(async (error) => {
        if (!await this.#mended(error, call)) throw error;
        return await this.#attempt(call, signal);
      });
    } catch (error) {
      throw wireError(error, call.what, this.options.server, this.options.settings);
    } finally {
      this.#slots.give();
    }
  }

  /** Reads a refusal to its end, for `receive` to throw. */
  async refused(what: string, head: AnswerHead, connection: HttpConnection): Promise<RefusedError> {
    const body = await connection.body(head, ANSWER_BYTES_MAX);
    return refusal({ status: head.status, headers: head.headers, body }, what, this.options);
  }

  /** Calls under way may still end. */
  close(): void {
    this.#closed = true;
    this.pool.close();
  }

  #attempt<T>(call: WireCall<T>, signal: AbortSignal | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const { clock, timers } = this.options.runtime;
    let connection: HttpConnection | undefined;
    let settled = false;
    const settle = () => {
      settled = true;
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
      if (connection !== undefined) this.pool.give(connection);
    };
    const giveUp = (error: unknown) => {
      // a refusal was read to its end: its connection is as good as before
      if (!(error instanceof RefusedError)) connection?.close();
      settle();
      reject(error);
    };
    const onAbort = () => giveUp(abortedError(call.what, signal));
    let bytes = 0;
    for (const part of call.body) bytes += part.length;
    const begun = clock.monotonicMs();
    let allowedMs = this.options.timeoutMs + bytes / SLOWEST_BYTES_PER_MS;
    const onTime = () => {
      const leftMs = begun + allowedMs - clock.monotonicMs();
      if (leftMs > 0) timer = timers.after(leftMs, onTime);
      else giveUp(timeoutError(call.what, Math.round(allowedMs)));
    };
    let timer = timers.after(allowedMs, onTime);
    signal?.addEventListener("abort", onAbort);
    const run = async () => {
      // may take a while, or fail, where they come from a service
      const credentials = await this.options.credentials();
      if (settled) return;
      const opened = this.pool.takeIdle() ?? await this.pool.connect();
      if (settled) return this.pool.give(opened);
      connection = opened;
      const { request } = call;
      const head = typeof request === "string"
        ? request
        : this.#signer.head(request, credentials, this.nowMs());
      const answer = await connection.exchange({ head, body: call.body, bytes });
      if (typeof answer.length === "number") allowedMs += answer.length / SLOWEST_BYTES_PER_MS;
      const result = await call.receive(answer, connection);
      if (settled) return;
      settle();
      resolve(result);
    };
    if (signal?.aborted) onAbort();
    else run().catch((error) => settled || giveUp(error));
    return promise;
  }

  /** Whether the failed call had no effect, and now has a better chance. */
  async #mended(error: unknown, call: WireCall<unknown>): Promise<boolean> {
    // a connection that was kept too long: the next one is new, or more recent
    if (error instanceof UnansweredFault) return call.repeatable;
    if (!(error instanceof RefusedError)) return false;
    if (error.code === "RequestTimeTooSkewed" && !this.#learnSkew(error.storeMs)) return false;
    // whoever signed it must sign it again
    if (typeof call.request === "string") return false;
    if (error.code === "RequestTimeTooSkewed") return true;
    if (error.code !== "ExpiredToken") return false;
    const before = await this.options.credentials();
    const after = await this.options.credentials(true);
    return after.accessKeyId !== before.accessKeyId || after.sessionToken !== before.sessionToken;
  }

  #learnSkew(storeMs: number): boolean {
    if (Number.isNaN(storeMs)) return false;
    const { clock, log } = this.options.runtime;
    this.#skewMs = storeMs - clock.wallMs();
    const seconds = Math.round(this.#skewMs / 1000);
    log.warn(
      "this machine's clock differs from the store's; requests are dated by the store's until " +
        "it is set right",
      { seconds },
    );
    return true;
  }
}

function hostHeader({ hostname, port, tls }: Server): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return port === (tls ? 443 : 80) ? host : `${host}:${port}`;
}
