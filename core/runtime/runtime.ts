/**
 * Everything that is not a pure function of its input: time, timers, randomness, sockets, the log.
 * Core receives one `Runtime` and touches nothing ambient, so that a whole cluster can run in one
 * process on a virtual clock (tests/simulation) and replay from a seed.
 */

/** Two clocks, in milliseconds. Safety never depends on either (I11). */
export interface Clock {
  /** Never goes back; the origin is arbitrary; fractions allowed. For time-outs and latencies. */
  monotonicMs(): number;
  /** Unix time; may jump. For record timestamps, retention and log lines only. */
  wallMs(): number;
}

/** A pending timer. */
export interface Timer {
  /** Harmless when it has already run. */
  cancel(): void;
}

export interface Timers {
  /** Runs `run` once, not before `delayMs` milliseconds from now. */
  after(delayMs: number, run: () => void): Timer;
  /** Runs `run` once, after what is already queued in this turn of the event loop. */
  soon(run: () => void): void;
}

export interface Random {
  fill(bytes: Uint8Array): void;
  /** Uniform in [0, 2^32). */
  uint32(): number;
}

/** One accepted byte stream. */
export interface Connection {
  /** `host:port` of the peer, for logs and DescribeGroups. */
  readonly remoteAddress: string;
  /** Bytes read into the front of `into`; undefined at the end of the stream. */
  read(into: Uint8Array): Promise<number | undefined>;
  /** Bytes taken from the front of `bytes`; may be fewer than all. */
  write(bytes: Uint8Array): Promise<number>;
  /** Idempotent; pending reads and writes fail or end. */
  close(): void;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** The next connection, or undefined once closed. */
  accept(): Promise<Connection | undefined>;
  close(): void;
}

export interface Network {
  listen(address: { host: string; port: number }): Promise<Listener>;
}

export type LogFields = Record<string, unknown>;

/** Structured log; a message says what happened and, where somebody must act, what to do. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface Runtime {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly network: Network;
  readonly log: Log;
}
