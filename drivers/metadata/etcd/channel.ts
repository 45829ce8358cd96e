/**
 * One gRPC channel to one endpoint, on npm:etcd3, of which only the protocol and the channel are
 * used. Faults of it that are worked around here and in connection.ts:
 * - its retries repeat transactions whose outcome is unknown: calls are made on the stubs;
 * - it drops the status codes: likewise;
 * - it has no time-out of its own, and its login opens a channel that nobody closes: every call has
 *   a deadline and a timer of ours, and logins go over the channel at hand;
 * - with a login that is refused again and again it calls itself without end: one login a channel;
 * - it names an IP address in the TLS handshake, which Deno refuses: the name is left out;
 * - each of its services has a channel of its own: the first one's is handed to the others;
 * - a channel that is closed while it is connecting leaves timers behind: close() waits for them.
 * For one of Deno's there is http2_sessions.ts.
 */
import { Buffer } from "node:buffer";
import { Etcd3 } from "etcd3";
import { type Runtime, sleep } from "../../../core/runtime/mod.ts";
import { EtcdFault, faultOf, loginError, Status } from "./errors.ts";
import { endSessionsLater } from "./http2_sessions.ts";
import type { EtcdSettings, TlsFiles } from "./settings.ts";

/** Services of etcd's API that are used here, as etcd3 names them. */
export type Service = "KV" | "Lease" | "Watch" | "Auth" | "Maintenance";

interface CallMetadata {
  set(name: string, value: string): void;
}

/** A stream of messages both ways; `data`, `error` and `end` events. */
export interface Duplex extends AsyncIterable<unknown> {
  write(message: unknown): void;
  cancel(): void;
  on(event: "error", listener: (error: unknown) => void): this;
}

interface GrpcChannel {
  close(): void;
  getConnectivityState(connect: boolean): number;
  watchConnectivityState(state: number, deadline: number, done: (error?: Error) => void): void;
}

/** States of a gRPC channel. */
const Connectivity = { CONNECTING: 1, READY: 2 } as const;
/** A channel's first pause between attempts to connect; it is given up before there is a second. */
const BACKOFF_MS = 100;
/** How long a channel may go on connecting while it is being closed. */
const CONNECTING_MS = 300;

type Stub = {
  getChannel(): GrpcChannel;
} & {
  readonly [method: string]: (...args: unknown[]) => { cancel(): void };
};

interface Credentials {
  _createSecureConnector(...args: unknown[]): {
    readonly connectionOptions?: { servername?: string };
  };
}

/** Opens the pool of etcd3 that its subclasses may use. */
class Stubs extends Etcd3 {
  constructor(options: ConstructorParameters<typeof Etcd3>[0]) {
    super(options);
    const { hosts } = this.pool as unknown as { hosts: { channelCredentials: Credentials }[] };
    for (const { channelCredentials } of hosts) dropAddressNames(channelCredentials);
  }

  of(service: Service): Promise<{ stub: Stub; metadata: CallMetadata }> {
    return this.pool.withConnection(
      service,
      ({ client, metadata }) => ({ stub: client as unknown as Stub, metadata }),
    );
  }
}

/** Without a name to ask for, the certificate is checked against the address, as it should be. */
function dropAddressNames(credentials: Credentials): void {
  const create = credentials._createSecureConnector.bind(credentials);
  credentials._createSecureConnector = (...args) => {
    const connector = create(...args);
    const options = connector.connectionOptions;
    if (/^[\d.]+$|:/.test(options?.servername ?? "")) delete options!.servername;
    return connector;
  };
}

const CHANNEL_OPTIONS = {
  "grpc.initial_reconnect_backoff_ms": BACKOFF_MS,
  "grpc.max_reconnect_backoff_ms": BACKOFF_MS,
  // a new channel is a new connection, not the dead one of the former channel
  "grpc.use_local_subchannel_pool": 1,
  // etcd bounds requests, and a page of a listing is bounded by its keys
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
} as const;

/** gRPC's own deadline comes first; the timer is for calls that it forgets. */
const LATE_MS = 500;

export class Channel {
  readonly endpoint: string;
  /** Answered the last call; transactions are sent to such a channel alone. */
  proven = false;
  readonly #runtime: Runtime;
  readonly #settings: EtcdSettings;
  readonly #etcd: Stubs;
  /** Given to the first stub, whose channel is added then. */
  readonly #options: { channelOverride?: GrpcChannel; [option: string]: unknown } = {
    ...CHANNEL_OPTIONS,
  };
  readonly #ended = new AbortController();
  #token: Promise<string> | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    endpoint: string,
    settings: EtcdSettings,
    tls: TlsFiles | undefined,
    runtime: Runtime,
  ) {
    this.endpoint = endpoint;
    this.#settings = settings;
    this.#runtime = runtime;
    endSessionsLater();
    this.#etcd = new Stubs({
      hosts: endpoint,
      // read anew for every stub
      grpcOptions: this.#options,
      ...(tls === undefined ? {} : {
        credentials: {
          // without a CA: the system's
          rootCertificate: (tls.ca && Buffer.from(tls.ca)) as Buffer,
          ...(tls.cert && { certChain: Buffer.from(tls.cert) }),
          ...(tls.key && { privateKey: Buffer.from(tls.key) }),
        },
      }),
    });
  }

  /** Aborts when the channel is given up: streams on it are to be opened on another. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Ends streams; calls under way fail or run into their time-outs. Idempotent. */
  close(): Promise<void> {
    this.#ended.abort();
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    const channel = this.#options.channelOverride;
    if (channel === undefined) return;
    if (channel.getConnectivityState(false) === Connectivity.CONNECTING) {
      const deadline = this.#runtime.clock.wallMs() + CONNECTING_MS;
      await new Promise<void>((done) =>
        channel.watchConnectivityState(Connectivity.CONNECTING, deadline, () => done())
      );
    }
    const ready = channel.getConnectivityState(false) === Connectivity.READY;
    channel.close();
    if (!ready) await sleep(this.#runtime.timers, 3 * BACKOFF_MS);
  }

  /** One call; fails with an EtcdFault, at the latest after `timeoutMs` and a little. */
  async call<T>(service: Service, method: string, request: unknown, timeoutMs: number): Promise<T> {
    const endMs = this.#runtime.clock.monotonicMs() + timeoutMs;
    const token = await this.#login(timeoutMs);
    try {
      return await this.#send<T>(service, method, request, endMs, token);
    } catch (error) {
      // a token runs out, and rights that changed make it worthless: nothing was done
      const { code } = error as EtcdFault;
      const stale = code === Status.UNAUTHENTICATED || code === Status.INVALID_ARGUMENT;
      if (token === undefined || !stale) throw error;
      this.#token = undefined;
      const fresh = await this.#login(timeoutMs);
      return await this.#send<T>(service, method, request, endMs, fresh);
    }
  }

  /** A stream both ways; it ends with the channel. */
  async stream(service: Service, method: string, timeoutMs: number): Promise<Duplex> {
    const token = await this.#login(timeoutMs);
    const { stub, metadata } = await this.#stub(service);
    if (token !== undefined) metadata.set("token", token);
    // a member that lost its cluster ends the stream instead of staying silent
    metadata.set("hasleader", "true");
    const duplex = stub[method]!(metadata, {}) as unknown as Duplex;
    // whoever iterates is told; without a listener the process would end
    duplex.on("error", () => {});
    return duplex;
  }

  #login(timeoutMs: number): Promise<string | undefined> {
    const { username, password } = this.#settings;
    if (username === null) return Promise.resolve(undefined);
    this.#token ??= this.#authenticate(username, password ?? "", timeoutMs).catch((error) => {
      this.#token = undefined;
      throw error;
    });
    return this.#token;
  }

  async #authenticate(name: string, password: string, timeoutMs: number): Promise<string> {
    const endMs = this.#runtime.clock.monotonicMs() + timeoutMs;
    try {
      const request = { name, password };
      const { token } = await this.#send<{ token: string }>(
        "Auth",
        "authenticate",
        request,
        endMs,
      );
      return token;
    } catch (error) {
      throw error instanceof EtcdFault && !error.passing ? loginError(error) : error;
    }
  }

  async #send<T>(
    service: Service,
    method: string,
    request: unknown,
    endMs: number,
    token?: string,
  ): Promise<T> {
    const { stub, metadata } = await this.#stub(service);
    if (token !== undefined) metadata.set("token", token);
    const leftMs = Math.max(1, endMs - this.#runtime.clock.monotonicMs());
    return await new Promise<T>((resolve, reject) => {
      const fail = (error: unknown) => {
        late.cancel();
        reject(faultOf(error, this.endpoint));
      };
      const late = this.#runtime.timers.after(leftMs + LATE_MS, () => {
        sent?.cancel();
        fail(new EtcdFault(Status.DEADLINE_EXCEEDED, "no answer in time", this.endpoint));
      });
      let sent: { cancel(): void } | undefined;
      try {
        const deadline = this.#runtime.clock.wallMs() + leftMs;
        sent = stub[method]!(request, metadata, { deadline }, (error: unknown, reply: T) => {
          if (error) return fail(error);
          late.cancel();
          resolve(reply);
        });
      } catch (error) {
        fail(error);
      }
    });
  }

  async #stub(service: Service): Promise<{ stub: Stub; metadata: CallMetadata }> {
    if (this.ended.aborted) {
      throw new EtcdFault(Status.UNAVAILABLE, "the connection was given up", this.endpoint);
    }
    const found = await this.#etcd.of(service);
    this.#options.channelOverride ??= found.stub.getChannel();
    return found;
  }
}
