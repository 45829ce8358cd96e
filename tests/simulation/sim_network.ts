/**
 * TCP as it is at its worst: partial reads and writes, bounded buffers, delays, and resets that
 * lose what is on its way. Bytes of one direction stay in order and are never changed.
 */
import type { Connection, Listener, Network } from "../../core/runtime/mod.ts";
import type { EventLoop } from "./event_loop.ts";
import type { Prng } from "./prng.ts";
import { never, type SimProcess } from "./sim_process.ts";

export interface NetworkFaults {
  latencyMinMs: number;
  latencyMaxMs: number;
  /** A write or read takes only a part of what it could. */
  partialChance: number;
  /** Bytes on their way or unread, per direction; a writer waits at it. */
  bufferBytes: number;
}

export const CALM_NETWORK: NetworkFaults = {
  latencyMinMs: 0.05,
  latencyMaxMs: 0.2,
  partialChance: 0,
  bufferBytes: 64 * 1024,
};

class ConnectionReset extends Error {
  override name = "ConnectionReset";
}

/** One direction of a connection. */
class Pipe {
  readonly #arrived: Uint8Array[] = [];
  #buffered = 0;
  #lastArrivalMs = 0;
  #ended = false;
  #failed = false;
  /** Who waits; each is called once and asks again. */
  #reader: (() => void) | undefined;
  #writer: (() => void) | undefined;

  constructor(
    readonly loop: EventLoop,
    readonly prng: Prng,
    readonly faults: NetworkFaults,
  ) {}

  get buffered(): number {
    return this.#buffered;
  }

  /** Bytes taken now; 0 where the buffer is full. */
  push(bytes: Uint8Array): number {
    if (this.#failed) throw new ConnectionReset("connection reset");
    if (this.#ended) throw new ConnectionReset("broken pipe");
    let length = Math.min(bytes.length, this.faults.bufferBytes - this.#buffered);
    if (length <= 0) return 0;
    if (this.prng.chance(this.faults.partialChance)) length = this.prng.between(1, length);
    const chunk = bytes.slice(0, length);
    this.#buffered += length;
    this.#arrive(() => this.#arrived.push(chunk));
    return length;
  }

  /** Bytes moved into `into`; undefined at the end, 0 where nothing is there yet. */
  pull(into: Uint8Array): number | undefined {
    const chunk = this.#arrived[0];
    if (chunk === undefined) {
      if (this.#failed) throw new ConnectionReset("connection reset");
      return this.#ended ? undefined : 0;
    }
    let length = Math.min(chunk.length, into.length);
    if (this.prng.chance(this.faults.partialChance)) length = this.prng.between(1, length);
    into.set(chunk.subarray(0, length));
    if (length === chunk.length) this.#arrived.shift();
    else this.#arrived[0] = chunk.subarray(length);
    this.#buffered -= length;
    // as TCP does it: a full buffer that opened for every few bytes would split all into crumbs
    if (this.#buffered <= this.faults.bufferBytes / 2) this.#wake("writer");
    return length;
  }

  /** What was sent before still arrives. */
  end(): void {
    this.#arrive(() => this.#ended = true);
  }

  /** The reader has closed: what is sent from now on is answered with a reset. */
  refuse(): void {
    this.#arrive(() => this.fail());
  }

  /** What was not read is lost. */
  fail(): void {
    this.#failed = true;
    this.#arrived.length = 0;
    this.#wake("reader");
    this.#wake("writer");
  }

  whenReadable(run: () => void): void {
    this.#reader = run;
  }

  whenWritable(run: () => void): void {
    this.#writer = run;
  }

  #arrive(effect: () => void): void {
    const { latencyMinMs, latencyMaxMs } = this.faults;
    const at = this.loop.nowMs + this.prng.range(latencyMinMs, latencyMaxMs);
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, at);
    this.loop.after(this.#lastArrivalMs - this.loop.nowMs, () => {
      if (this.#failed) return;
      effect();
      this.#wake("reader");
    });
  }

  #wake(who: "reader" | "writer"): void {
    const waiting = who === "reader" ? this.#reader : this.#writer;
    if (who === "reader") this.#reader = undefined;
    else this.#writer = undefined;
    waiting?.();
  }
}

/** One end of a connection, as `owner` uses it. */
class End implements Connection {
  #closed = false;
  #unread: (() => void) | undefined;

  constructor(
    readonly owner: SimProcess,
    readonly incoming: Pipe,
    readonly outgoing: Pipe,
    readonly remoteAddress: string,
  ) {}

  read(into: Uint8Array): Promise<number | undefined> {
    if (!this.owner.alive) return never();
    return new Promise((resolve, reject) => {
      const attempt = () =>
        this.owner.deliver(() => {
          if (this.#closed) return resolve(undefined);
          try {
            const length = this.incoming.pull(into);
            if (length === 0) this.incoming.whenReadable(attempt);
            else resolve(length);
          } catch (error) {
            reject(error);
          }
        });
      this.#unread = attempt;
      attempt();
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    if (!this.owner.step()) return never();
    return new Promise((resolve, reject) => {
      const attempt = () =>
        this.owner.deliver(() => {
          if (this.#closed) return reject(new ConnectionReset("connection closed"));
          try {
            const length = this.outgoing.push(bytes);
            if (length === 0 && bytes.length > 0) this.outgoing.whenWritable(attempt);
            else resolve(length);
          } catch (error) {
            reject(error);
          }
        });
      attempt();
    });
  }

  close(): void {
    if (this.#closed || !this.owner.alive) return;
    this.#closed = true;
    this.outgoing.end();
    this.incoming.refuse();
    this.#unread?.();
  }
}

/** A connection as the simulation sees it. */
export interface SimLink {
  readonly client: SimProcess;
  readonly server: SimProcess;
  /** Both ends see a reset; what was on its way is lost. */
  reset(): void;
}

interface Listening {
  readonly owner: SimProcess;
  readonly host: string;
  readonly port: number;
  readonly backlog: Connection[];
  waiting: ((connection: Connection | undefined) => void) | undefined;
}

export class SimNetwork {
  readonly #listening = new Map<number, Listening>();
  readonly links = new Set<SimLink>();
  /** Servers that no client can reach. */
  readonly #cutOff = new Set<SimProcess>();
  #nextPort = 40_000;

  constructor(
    readonly loop: EventLoop,
    readonly prng: Prng,
    readonly faults: NetworkFaults = { ...CALM_NETWORK },
  ) {}

  /** The network as one process has it. */
  networkOf(owner: SimProcess): Network {
    return { listen: (address) => owner.call(() => this.#listen(owner, address)) };
  }

  /** No client reaches `server` for a while; those that are there lose their connections. */
  cutOff(server: SimProcess, forMs: number): void {
    this.#cutOff.add(server);
    for (const link of [...this.links]) if (link.server === server) link.reset();
    this.loop.after(forMs, () => this.#cutOff.delete(server));
  }

  /** Connects, or undefined where nobody listens; `server` is who answered. */
  async connect(
    client: SimProcess,
    port: number,
  ): Promise<{ connection: Connection; server: SimProcess; link: SimLink } | undefined> {
    const { latencyMinMs, latencyMaxMs } = this.faults;
    const delay = this.prng.range(latencyMinMs, latencyMaxMs);
    await new Promise<void>((resolve) => client.timers.after(delay, resolve));
    const listening = this.#listening.get(port);
    if (listening === undefined || !listening.owner.alive) return undefined;
    const server = listening.owner;
    if (this.#cutOff.has(server)) return undefined;
    const up = new Pipe(this.loop, this.prng, this.faults);
    const down = new Pipe(this.loop, this.prng, this.faults);
    const link: SimLink = {
      client,
      server,
      reset: () => {
        if (!this.links.delete(link)) return;
        up.fail();
        down.fail();
      },
    };
    this.links.add(link);
    const resetLater = () =>
      void this.loop.after(this.prng.range(latencyMinMs, latencyMaxMs), link.reset);
    server.onDeath(resetLater);
    client.onDeath(resetLater);
    const local = `10.0.0.${this.prng.between(2, 250)}:${this.#nextPort++}`;
    const accepted = new End(server, up, down, local);
    const { waiting } = listening;
    listening.waiting = undefined;
    if (waiting === undefined) listening.backlog.push(accepted);
    else server.deliver(() => waiting(accepted));
    const remote = `${listening.host}:${port}`;
    return { connection: new End(client, down, up, remote), server, link };
  }

  #listen(owner: SimProcess, address: { host: string; port: number }): Promise<Listener> {
    const port = address.port === 0 ? this.#nextPort++ : address.port;
    const known = this.#listening.get(port);
    if (known !== undefined && known.owner.alive && !known.owner.paused) {
      return Promise.reject(new Error(`address in use: port ${port}`));
    }
    const listening: Listening = {
      owner,
      host: address.host,
      port,
      backlog: [],
      waiting: undefined,
    };
    this.#listening.set(port, listening);
    let closed = false;
    return Promise.resolve({
      host: address.host,
      port,
      accept: () => {
        if (closed || !owner.alive) return Promise.resolve(undefined);
        const next = listening.backlog.shift();
        if (next !== undefined) return Promise.resolve(next);
        return new Promise((resolve) => listening.waiting = resolve);
      },
      close: () => {
        if (closed || !owner.alive) return;
        closed = true;
        if (this.#listening.get(port) === listening) this.#listening.delete(port);
        listening.waiting?.(undefined);
        listening.waiting = undefined;
      },
    });
  }
}
