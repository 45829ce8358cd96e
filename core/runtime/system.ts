/**
 * The real Runtime: the only file of core that touches `Deno.*`, ambient time and randomness.
 */
// a global at run time, but Deno 2.7 has no type for it
import { setImmediate } from "node:timers";
import type { Connection, Listener, Log, LogFields, Network, Runtime } from "./runtime.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** JSON lines for machines; `time LEVEL message key=value` on a terminal. */
export function systemLog(level: LogLevel, human: boolean): Log {
  const floor = LEVELS.indexOf(level);
  const encoder = new TextEncoder();
  const write = (at: LogLevel, message: string, fields?: LogFields) => {
    if (LEVELS.indexOf(at) < floor) return;
    const time = new Date().toISOString();
    const line = human
      ? `${time.slice(11, 23)} ${at.toUpperCase().padEnd(5)} ${message}${humanFields(fields)}\n`
      : JSON.stringify({ time, level: at, msg: message, ...fields }, plain) + "\n";
    Deno.stderr.writeSync(encoder.encode(line));
  };
  return {
    debug: (message, fields) => write("debug", message, fields),
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
  };
}

function humanFields(fields: LogFields | undefined): string {
  if (fields === undefined) return "";
  return Object.entries(fields).map(([key, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value, plain);
    return ` ${key}=${text}`;
  }).join("");
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) return value.message;
  return value;
}

function wrapConnection(conn: Deno.TcpConn): Connection {
  const remote = conn.remoteAddr;
  try {
    conn.setNoDelay(true);
  } catch {
    // the peer is gone already; the first read says so
  }
  let closed = false;
  return {
    remoteAddress: `${remote.hostname}:${remote.port}`,
    read: async (into) => (await conn.read(into)) ?? undefined,
    write: (bytes) => conn.write(bytes),
    close: () => {
      if (closed) return;
      closed = true;
      try {
        conn.close();
      } catch {
        // closed by the peer in the meantime
      }
    },
  };
}

const network: Network = {
  // deno-lint-ignore require-await -- the contract allows drivers that must wait
  listen: async ({ host, port }): Promise<Listener> => {
    const listener = Deno.listen({ hostname: host, port, transport: "tcp" });
    const address = listener.addr;
    let closed = false;
    return {
      host: address.hostname,
      port: address.port,
      accept: async () => {
        try {
          return wrapConnection(await listener.accept());
        } catch (error) {
          if (closed) return undefined;
          throw error;
        }
      },
      close: () => {
        if (closed) return;
        closed = true;
        listener.close();
      },
    };
  },
};

/** The Runtime of a real process. */
export function systemRuntime(log: Log): Runtime {
  return {
    clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    timers: {
      after: (delayMs, run) => {
        // Deno's, which cost less than Node's: in the binary the bare name may stand for those
        const id = globalThis.setTimeout(run, Math.min(delayMs, 2 ** 31 - 1));
        return { cancel: () => globalThis.clearTimeout(id) };
      },
      soon: (run) => void setImmediate(run),
    },
    random: {
      fill: (bytes) => void crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>),
      uint32: () => crypto.getRandomValues(new Uint32Array(1))[0]!,
    },
    network,
    log,
  };
}
