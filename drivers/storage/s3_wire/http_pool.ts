/** Keep-alive connections to one server; how many there are at once is the caller's affair. */
import type { Runtime, Timer } from "../../../core/runtime/mod.ts";
import { HttpConnection } from "./http_connection.ts";
import { CONNECTION_AGE_MAX_MS, CONNECTION_IDLE_MS } from "./settings.ts";

export interface Server {
  /** An IPv6 address without brackets. */
  readonly hostname: string;
  readonly port: number;
  readonly tls: boolean;
}

/** The server cannot be reached, or is not who it says; `cause` is Deno's error. */
export class ConnectFault extends Error {
  override name = "ConnectFault";
}

interface Idle {
  readonly connection: HttpConnection;
  readonly sinceMs: number;
}

export class HttpPool {
  /** Oldest first; the newest is used next, so that the others may grow old. */
  readonly #idle: Idle[] = [];
  #sweep: Timer | undefined;
  #closed = false;
  /** Connections opened so far: with keep-alive at work there are few. */
  opened = 0;

  constructor(
    readonly runtime: Runtime,
    readonly server: Server,
    readonly connectTimeoutMs: number,
  ) {}

  /** An idle connection, if there is one. */
  takeIdle(): HttpConnection | undefined {
    const connection = this.#idle.pop()?.connection;
    if (connection !== undefined) connection.onIdleEnd = undefined;
    return connection;
  }

  /** A new connection; throws ConnectFault. */
  async connect(): Promise<HttpConnection> {
    const { hostname, port, tls } = this.server;
    const opening = tls ? openTls(hostname, port) : openTcp(hostname, port);
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = this.runtime.timers.after(
      this.connectTimeoutMs,
      () => reject(new ConnectFault(`no connection within ${this.connectTimeoutMs} ms`)),
    );
    try {
      const conn = await Promise.race([opening.opened, late]);
      this.opened++;
      return new HttpConnection(conn, this.runtime.clock.monotonicMs());
    } catch (error) {
      opening.giveUp();
      if (error instanceof ConnectFault) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new ConnectFault(why, { cause: error });
    } finally {
      timer.cancel();
    }
  }

  /** Takes a connection back, to be used again if it can be. */
  give(connection: HttpConnection): void {
    const now = this.runtime.clock.monotonicMs();
    const old = now - connection.openedMs > CONNECTION_AGE_MAX_MS;
    if (this.#closed || old || !connection.reusable) return connection.close();
    const idle: Idle = { connection, sinceMs: now };
    connection.onIdleEnd = () => this.#drop(idle);
    this.#idle.push(idle);
    this.#sweepLater();
  }

  close(): void {
    this.#closed = true;
    this.#sweep?.cancel();
    for (const { connection } of this.#idle.splice(0)) connection.close();
  }

  #drop(idle: Idle): void {
    const at = this.#idle.indexOf(idle);
    if (at >= 0) this.#idle.splice(at, 1);
    idle.connection.close();
  }

  #sweepLater(): void {
    this.#sweep ??= this.runtime.timers.after(CONNECTION_IDLE_MS, () => {
      this.#sweep = undefined;
      const until = this.runtime.clock.monotonicMs() - CONNECTION_IDLE_MS;
      for (const idle of this.#idle.filter(({ sinceMs }) => sinceMs <= until)) this.#drop(idle);
      if (this.#idle.length > 0) this.#sweepLater();
    });
  }
}

interface Opening {
  readonly opened: Promise<Deno.Conn>;
  /** Nobody waits any more: what is still opened is closed. */
  giveUp(): void;
}

function openTcp(hostname: string, port: number): Opening {
  const opened = Deno.connect({ hostname, port }).then((conn) => {
    conn.setNoDelay(true);
    return conn;
  });
  return { opened, giveUp: () => void opened.then(close, () => {}) };
}

function openTls(hostname: string, port: number): Opening {
  let conn: Deno.TlsConn | undefined;
  let wanted = true;
  const opened = Deno.connectTls({ hostname, port }).then(async (connected) => {
    conn = connected;
    if (!wanted) close(conn);
    await connected.handshake();
    return connected;
  });
  const giveUp = () => {
    wanted = false;
    if (conn !== undefined) close(conn);
    opened.catch(() => {});
  };
  return { opened, giveUp };
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // ended by the peer already
  }
}
