import { ACCEPT_BACKOFF_MAX_MS } from "../config/limits.ts";
import type { Config } from "../config/mod.ts";
import { listenAddress } from "../config/mod.ts";
import type { AnyHandler } from "../handlers/handler.ts";
import type { Rooms } from "../handlers/rooms.ts";
import { type Connection, type Listener, type Runtime, sleep, type Timer } from "../runtime/mod.ts";
import type { ApiStats } from "./api_stats.ts";
import { type ConnectionRoom, type ConnectionView, ServerConnection } from "./connection.ts";
import { Dispatcher } from "./dispatch.ts";
import { FrameBuffers } from "./frame_buffers.ts";
import { LogLimiter } from "./log_limiter.ts";

export type ServerConfig = Pick<
  Config,
  "brokerAddr" | "maxConnections" | "maxFrameBytes" | "inflightBytes" | "connectionsMaxIdleMs"
>;

export interface ServerOptions {
  readonly runtime: Runtime;
  readonly config: ServerConfig;
  readonly rooms: Rooms;
  /** What is served; ApiVersions advertises exactly this. */
  readonly handlers: readonly AnyHandler[];
  /** Called for a broken invariant or another fault of our own: the process should end. */
  readonly onFatal: (error: unknown) => void;
}

/** Counters since start, for metrics. */
export interface ServerStats {
  readonly connectionsAccepted: number;
  /** Above `maxConnections`. */
  readonly connectionsRefused: number;
  readonly acceptErrors: number;
  /** Malformed requests, and those for APIs and versions that are not served. */
  readonly requestsRefused: number;
}

export interface Server {
  /** Listens; rejects where the address cannot be listened on. */
  start(): Promise<{ host: string; port: number }>;
  /** No further connections; those there are go on. Idempotent. */
  stopAccepting(): void;
  /**
   * Starts no further requests, lets pending ones be answered, and closes all connections, after
   * `timeoutMs` at the latest. Idempotent.
   */
  close(timeoutMs?: number): Promise<void>;
  connections(): readonly ConnectionView[];
  apiStats(): readonly ApiStats[];
  readonly stats: ServerStats;
  /** Bytes of large requests that are held now, of `inflightBytes` at most. */
  inflightBytes(): number;
  /** Memory of buffers for requests and responses, in use and kept for reuse. */
  bufferBytes(): number;
}

const CLOSE_TIMEOUT_MS = 10_000;
const SWEEP_MS = 5_000;
const ACCEPT_BACKOFF_MIN_MS = 10;

/** Space for joining small parts while they are written: 64 writers at once, others don't join. */
const SCRATCH_BUDGET_BYTES = 4 * 1024 * 1024;

export function createServer(options: ServerOptions): Server {
  return new KafkaServer(options);
}

class KafkaServer implements Server {
  readonly #counted = { connectionsAccepted: 0, connectionsRefused: 0, acceptErrors: 0 };
  readonly #options: ServerOptions;
  readonly #room: ConnectionRoom;
  readonly #connections = new Set<ServerConnection>();
  #listener: Listener | undefined;
  #accepting: Promise<void> | undefined;
  readonly #stopped = new AbortController();
  #nextConnectionId = 1;
  #sweepTimer: Timer | undefined;
  #onAllClosed: (() => void) | undefined;

  constructor(options: ServerOptions) {
    const { runtime, rooms, handlers, config, onFatal } = options;
    this.#options = options;
    const warnings = new LogLimiter(runtime);
    this.#room = {
      runtime,
      dispatcher: new Dispatcher({ runtime, rooms, handlers, warnings, onFatal }),
      frames: new FrameBuffers(config.inflightBytes),
      scratch: new FrameBuffers(SCRATCH_BUDGET_BYTES, SCRATCH_BUDGET_BYTES),
      warnings,
      maxFrameBytes: config.maxFrameBytes,
      connectionsMaxIdleMs: config.connectionsMaxIdleMs,
      onFatal,
    };
  }

  async start(): Promise<{ host: string; port: number }> {
    const { runtime, config } = this.#options;
    const listener = await runtime.network.listen(listenAddress(config));
    this.#listener = listener;
    this.#accepting = this.#accept(listener);
    return { host: listener.host, port: listener.port };
  }

  stopAccepting(): void {
    this.#stopped.abort();
    this.#listener?.close();
  }

  async close(timeoutMs = CLOSE_TIMEOUT_MS): Promise<void> {
    this.stopAccepting();
    await this.#accepting;
    const connections = [...this.#connections];
    if (connections.length > 0) {
      const { timers } = this.#options.runtime;
      const limit = timers.after(timeoutMs, () => {
        for (const connection of connections) connection.close();
      });
      const allClosed = new Promise<void>((resolve) => this.#onAllClosed = resolve);
      for (const connection of connections) connection.drain();
      if (this.#connections.size > 0) await allClosed;
      limit.cancel();
    }
    this.#sweepTimer?.cancel();
    this.#sweepTimer = undefined;
  }

  connections(): readonly ConnectionView[] {
    return [...this.#connections];
  }

  apiStats(): readonly ApiStats[] {
    return this.#room.dispatcher.stats();
  }

  get stats(): ServerStats {
    return { ...this.#counted, requestsRefused: this.#room.dispatcher.refused };
  }

  inflightBytes(): number {
    return this.#room.frames.budget.used;
  }

  bufferBytes(): number {
    const { frames, scratch } = this.#room;
    return frames.heldBytes + scratch.heldBytes;
  }

  async #accept(listener: Listener): Promise<void> {
    const { runtime } = this.#options;
    let backoffMs = ACCEPT_BACKOFF_MIN_MS;
    while (!this.#stopped.signal.aborted) {
      try {
        const connection = await listener.accept();
        if (connection === undefined) return;
        backoffMs = ACCEPT_BACKOFF_MIN_MS;
        this.#admit(connection);
      } catch (error) {
        this.#counted.acceptErrors++;
        this.#room.warnings.warn("cannot accept a connection, trying again", {
          error: error instanceof Error ? error.message : String(error),
          advice: "raise the limit of open files if this lasts",
        });
        await sleep(runtime.timers, backoffMs, this.#stopped.signal);
        backoffMs = Math.min(backoffMs * 2, ACCEPT_BACKOFF_MAX_MS);
      }
    }
  }

  #admit(connection: Connection): void {
    const { maxConnections } = this.#options.config;
    if (this.#connections.size >= maxConnections || this.#stopped.signal.aborted) {
      this.#counted.connectionsRefused++;
      connection.close();
      this.#room.warnings.warn("too many connections, closing the new one", {
        remoteAddress: connection.remoteAddress,
        maxConnections,
      });
      return;
    }
    this.#counted.connectionsAccepted++;
    const served = new ServerConnection(
      this.#room,
      connection,
      this.#nextConnectionId++,
      (closed) => this.#forget(closed),
    );
    this.#connections.add(served);
    this.#scheduleSweep();
  }

  #forget(connection: ServerConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onAllClosed?.();
  }

  /** One timer for all connections, and none while there are none. */
  #scheduleSweep(): void {
    if (this.#sweepTimer !== undefined) return;
    const { clock, timers } = this.#options.runtime;
    const everyMs = Math.min(SWEEP_MS, this.#options.config.connectionsMaxIdleMs / 2);
    this.#sweepTimer = timers.after(everyMs, () => {
      this.#sweepTimer = undefined;
      const nowMs = clock.monotonicMs();
      for (const connection of this.#connections) connection.sweep(nowMs);
      if (this.#connections.size > 0) this.#scheduleSweep();
    });
  }
}
