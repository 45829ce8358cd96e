/** A Kafka client's connection: requests out, responses by correlation id, nothing cleverer. */
import { concat, Reader, Writer } from "../../core/bytes/mod.ts";
import type { Api, Loose } from "../../core/protocol/api.ts";
import { type Connection, type Deferred, deferred } from "../../core/runtime/mod.ts";
import type { SimLink, SimNetwork } from "./sim_network.ts";
import type { SimProcess } from "./sim_process.ts";

/** Nobody knows whether the request took effect. */
export class Unanswered extends Error {
  override name = "Unanswered";
}

const API_VERSIONS_KEY = 18;

interface Pending {
  readonly done: Deferred<Reader>;
  readonly responseTags: boolean;
}

export class Wire {
  readonly #pending = new Map<number, Pending>();
  #correlation = 0;
  #writing: Promise<void> = Promise.resolve();
  #open = true;

  private constructor(
    readonly process: SimProcess,
    readonly connection: Connection,
    /** The broker incarnation at the other end: the checkers may know, a client cannot. */
    readonly server: SimProcess,
    readonly link: SimLink,
  ) {
    void this.#readAll();
  }

  /** undefined where nobody listens. */
  static async open(
    process: SimProcess,
    network: SimNetwork,
    port: number,
  ): Promise<Wire | undefined> {
    const made = await network.connect(process, port);
    if (made === undefined) return undefined;
    return new Wire(process, made.connection, made.server, made.link);
  }

  get open(): boolean {
    return this.#open;
  }

  /** Rejects with `Unanswered` where the connection ends or `timeoutMs` passes first. */
  async request<Request, Response>(
    api: Api<Request, Response>,
    version: number,
    body: Loose<Request>,
    timeoutMs: number,
  ): Promise<Response> {
    if (!this.#open) throw new Unanswered("the connection is closed");
    const id = ++this.#correlation;
    const flexible = version >= api.flexibleFrom;
    const out = new Writer();
    out.int16(api.key);
    out.int16(version);
    out.int32(id);
    out.int16(3);
    out.raw(new Uint8Array([0x73, 0x69, 0x6d]));
    if (flexible) out.uvarint(0);
    api.request.write(out, body, version);
    const responseTags = flexible && api.key !== API_VERSIONS_KEY;
    const pending = { done: deferred<Reader>(), responseTags };
    this.#pending.set(id, pending);
    const timer = this.process.timers.after(timeoutMs, () => this.close("timed out"));
    this.#send(concat(out.finish()));
    try {
      return api.response.read(await pending.done.promise, version);
    } finally {
      timer.cancel();
    }
  }

  /** A request that is never answered (produce with acks=0), or no request at all. */
  sendRaw(bytes: Uint8Array): void {
    this.#sendBytes(bytes);
  }

  close(why = "closed by the client"): void {
    if (!this.#open) return;
    this.#open = false;
    this.connection.close();
    for (const { done } of this.#pending.values()) done.reject(new Unanswered(why));
    this.#pending.clear();
  }

  #send(message: Uint8Array): void {
    const frame = new Uint8Array(4 + message.length);
    new DataView(frame.buffer).setInt32(0, message.length);
    frame.set(message, 4);
    this.#sendBytes(frame);
  }

  #sendBytes(bytes: Uint8Array): void {
    this.#writing = this.#writing.then(async () => {
      try {
        for (let at = 0; at < bytes.length && this.#open;) {
          at += await this.connection.write(bytes.subarray(at));
        }
      } catch (error) {
        this.close(String(error));
      }
    });
  }

  async #readAll(): Promise<void> {
    try {
      for (;;) {
        const size = await this.#read(4);
        if (size === undefined) return this.close("closed by the broker");
        const length = new DataView(size.buffer).getInt32(0);
        const message = await this.#read(length);
        if (message === undefined) return this.close("closed by the broker");
        const reader = new Reader(message);
        const pending = this.#pending.get(reader.int32());
        if (pending === undefined) return this.close("a response that nobody waits for");
        this.#pending.delete(new DataView(message.buffer).getInt32(0));
        if (pending.responseTags) {
          const tags = reader.uvarint();
          if (tags !== 0) throw new Error("tagged fields in a response header");
        }
        pending.done.resolve(reader);
      }
    } catch (error) {
      this.close(String(error));
    }
  }

  async #read(length: number): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const read = await this.connection.read(bytes.subarray(at));
      if (read === undefined) return undefined;
      at += read;
    }
    return bytes;
  }
}
