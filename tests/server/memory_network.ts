/** An in-memory Network: pairs of byte streams with bounded pipes, partial reads and writes. */
import type { Connection, Listener, Network } from "../../core/runtime/mod.ts";

export interface PipeShape {
  /** Bytes that a pipe holds before writes wait. */
  readonly capacity: number;
  /** Largest number of bytes that one read returns. */
  readonly readMax: number;
  /** Largest number of bytes that one write takes. */
  readonly writeMax: number;
}

export const ROOMY: PipeShape = { capacity: 1 << 20, readMax: 1 << 20, writeMax: 1 << 20 };

class Pipe {
  #bytes = new Uint8Array(0);
  #ended = false;
  #wake: (() => void)[] = [];

  constructor(readonly shape: PipeShape) {}

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  get buffered(): number {
    return this.#bytes.length;
  }

  async read(into: Uint8Array): Promise<number | undefined> {
    while (this.#bytes.length === 0) {
      if (this.#ended) return undefined;
      await this.#change();
    }
    const count = Math.min(into.length, this.#bytes.length, this.shape.readMax);
    into.set(this.#bytes.subarray(0, count));
    this.#bytes = this.#bytes.slice(count);
    this.#notify();
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    while (this.#bytes.length >= this.shape.capacity) {
      if (this.#ended) throw new Error("broken pipe");
      await this.#change();
    }
    if (this.#ended) throw new Error("broken pipe");
    const room = this.shape.capacity - this.#bytes.length;
    const count = Math.min(bytes.length, room, this.shape.writeMax);
    const joined = new Uint8Array(this.#bytes.length + count);
    joined.set(this.#bytes);
    joined.set(bytes.subarray(0, count), this.#bytes.length);
    this.#bytes = joined;
    this.#notify();
    return count;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resume of wake) resume();
  }
}

export class MemoryConnection implements Connection {
  closed = false;

  constructor(
    readonly remoteAddress: string,
    readonly incoming: Pipe,
    readonly outgoing: Pipe,
  ) {}

  read(into: Uint8Array): Promise<number | undefined> {
    return this.closed ? Promise.reject(new Error("closed")) : this.incoming.read(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.closed ? Promise.reject(new Error("closed")) : this.outgoing.write(bytes);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.incoming.end();
    this.outgoing.end();
  }

  async writeAll(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) at += await this.write(bytes.subarray(at));
  }

  /** Exactly `length` bytes, or undefined at the end of the stream. */
  async readExactly(length: number): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      const count = await this.read(bytes.subarray(at));
      if (count === undefined) return undefined;
      at += count;
    }
    return bytes;
  }
}

export class MemoryNetwork implements Network {
  readonly #accepts: ((connection: Connection | undefined) => void)[] = [];
  readonly #queue: Connection[] = [];
  /** Errors that the next accepts throw. */
  readonly acceptErrors: Error[] = [];
  #closed = false;
  #nextPort = 50_000;

  listen(address: { host: string; port: number }): Promise<Listener> {
    return Promise.resolve({
      host: address.host,
      port: address.port || 9092,
      accept: () => this.#accept(),
      close: () => {
        this.#closed = true;
        for (const resume of this.#accepts.splice(0)) resume(undefined);
      },
    });
  }

  /** The client's end of a new connection. */
  connect(shape: PipeShape = ROOMY): MemoryConnection {
    const up = new Pipe(shape);
    const down = new Pipe(shape);
    const server = new MemoryConnection(`client:${this.#nextPort++}`, up, down);
    const resume = this.#accepts.shift();
    if (resume !== undefined) resume(server);
    else this.#queue.push(server);
    return new MemoryConnection("server:9092", down, up);
  }

  #accept(): Promise<Connection | undefined> {
    const error = this.acceptErrors.shift();
    if (error !== undefined) return Promise.reject(error);
    const waiting = this.#queue.shift();
    if (waiting !== undefined || this.#closed) return Promise.resolve(waiting);
    return new Promise((resolve) => this.#accepts.push(resolve));
  }
}
