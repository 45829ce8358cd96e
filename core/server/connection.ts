import {
  CONNECTION_READ_BYTES,
  FRAME_BYTES_MIN,
  FRAME_STALL_MS,
  WRITE_STALL_MS,
} from "../config/limits.ts";
import { Reader } from "../bytes/mod.ts";
import type { Connection, Runtime } from "../runtime/mod.ts";
import type { Dispatcher, Origin } from "./dispatch.ts";
import type { FrameBuffer, FrameBuffers } from "./frame_buffers.ts";
import { GatherWriter } from "./gather_writer.ts";
import type { LogLimiter } from "./log_limiter.ts";
import { RequestHeader } from "../protocol/request_header.ts";
import { ResponseQueue } from "./response_queue.ts";
import type { Client, ServedRequest } from "./served_request.ts";

/** What all connections of a server share. */
export interface ConnectionRoom {
  readonly runtime: Runtime;
  readonly dispatcher: Dispatcher;
  readonly frames: FrameBuffers;
  readonly scratch: FrameBuffers;
  readonly warnings: LogLimiter;
  readonly maxFrameBytes: number;
  readonly connectionsMaxIdleMs: number;
  readonly onFatal: (error: unknown) => void;
}

/** One client connection, as plugins and DescribeGroups may see it. */
export interface ConnectionView {
  readonly connectionId: number;
  readonly remoteAddress: string;
  readonly principal: string;
  readonly clientId: string | null;
  readonly clientSoftware: { name: string; version: string } | undefined;
  /** Requests in work or not yet answered. */
  readonly pending: number;
  /** Bytes of responses that the client has not taken yet. */
  readonly queuedBytes: number;
}

const SIZE_BYTES = 4;

/**
 * One client connection. Requests are parsed in place, from the connection's own small buffer or,
 * when a frame doesn't fit, from a buffer that was paid for from the shared budget first (I9).
 *
 * Own buffer: `[start, end)` is read and not yet served; nothing in it moves while a request holds
 * a frame in it or a read into its tail is under way. A large frame's buffer also takes up to one
 * own-buffer's worth of what follows, which is moved back before the frame is served; so a
 * connection that waits for the budget holds none of it.
 */
export class ServerConnection implements Origin, ConnectionView {
  readonly client: Client;
  readonly queue: ResponseQueue;
  readonly header = new RequestHeader();
  /** Resolves when nothing reads any more; the connection is closed by then, or drains. */
  readonly done: Promise<void>;
  readonly #writer: GatherWriter;
  readonly #abort = new AbortController();
  readonly #own: Reader;
  readonly #buffer = new Uint8Array(CONNECTION_READ_BYTES);
  #start = 0;
  #end = 0;
  /** The read into the own buffer's tail that is under way. */
  #reading: Promise<void> | undefined;
  readMs: number;
  #inLargeFrame = false;
  #waitsForBudget = false;
  #ended = false;
  #open = true;
  #draining = false;

  constructor(
    readonly room: ConnectionRoom,
    readonly connection: Connection,
    readonly connectionId: number,
    readonly onClosed: (connection: ServerConnection) => void,
  ) {
    this.client = {
      connectionId,
      remoteAddress: connection.remoteAddress,
      principal: "User:ANONYMOUS",
      signal: this.#abort.signal,
      clientSoftware: undefined,
    };
    const { clock } = room.runtime;
    this.readMs = clock.monotonicMs();
    this.#own = new Reader(this.#buffer);
    this.#writer = new GatherWriter(connection, clock, room.scratch);
    this.queue = new ResponseQueue(this.#writer, {
      writeFailed: () => this.close(),
      callbackFailed: room.onFatal,
      emptied: () => {
        if (this.#draining) this.close();
      },
    });
    this.done = this.#run();
  }

  get remoteAddress(): string {
    return this.client.remoteAddress;
  }

  get principal(): string {
    return this.client.principal;
  }

  get clientId(): string | null {
    return this.header.clientId;
  }

  get clientSoftware(): { name: string; version: string } | undefined {
    return this.client.clientSoftware;
  }

  get pending(): number {
    return this.queue.pending;
  }

  get queuedBytes(): number {
    return this.queue.queuedBytes;
  }

  /** Ends the connection now; responses that are not written are dropped. Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.connection.close();
    this.#abort.abort();
    this.queue.kill();
    this.onClosed(this);
  }

  /** Starts no further request, ends waits, and closes when the pending responses are written. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#abort.abort();
    if (this.queue.pending === 0) this.close();
  }

  /** Closes the connection when it is idle or stuck; called every few seconds. */
  sweep(nowMs: number): void {
    const { remoteAddress } = this;
    const readIdleMs = nowMs - this.readMs;
    if (this.#writer.writing) {
      if (nowMs - this.#writer.progressMs <= WRITE_STALL_MS) return;
      this.room.warnings.warn("client does not take its responses, closing the connection", {
        remoteAddress,
        clientId: this.clientId,
        queuedBytes: this.queuedBytes,
      });
      this.close();
    } else if (this.#inLargeFrame) {
      if (readIdleMs <= FRAME_STALL_MS || this.#waitsForBudget) return;
      this.room.warnings.warn("client stopped inside a request, closing the connection", {
        remoteAddress,
        clientId: this.clientId,
      });
      this.close();
    } else if (this.queue.pending === 0) {
      const idleMs = Math.min(readIdleMs, nowMs - this.#writer.progressMs);
      if (idleMs <= this.room.connectionsMaxIdleMs) return;
      this.room.runtime.log.debug("closing an idle connection", { remoteAddress });
      this.close();
    }
  }

  async #run(): Promise<void> {
    try {
      while (this.#open && !this.#draining) {
        if (this.queue.full) {
          this.#readAhead();
          await this.queue.room();
          continue;
        }
        const have = this.#end - this.#start;
        if (have < SIZE_BYTES) {
          if (!await this.#fill(SIZE_BYTES)) break;
          continue;
        }
        const size = this.#own.view.getInt32(this.#start);
        if (size < FRAME_BYTES_MIN || size > this.room.maxFrameBytes) {
          this.#refuseFrame(size);
          break;
        }
        const whole = SIZE_BYTES + size;
        if (have >= whole) {
          const at = this.#start + SIZE_BYTES;
          this.#start = at + size;
          this.#own.reset(this.#buffer, at, at + size);
          const request = this.room.dispatcher.begin(this, this.#own);
          if (request !== undefined && !request.released) await this.#hold(request);
        } else if (whole <= CONNECTION_READ_BYTES || this.#reading !== undefined) {
          if (!await this.#fill(whole)) break;
        } else if (!await this.#serveLarge(size)) break;
      }
    } catch (error) {
      this.room.onFatal(error);
      this.close();
    }
    if (!this.#draining || this.queue.pending === 0) this.close();
    await this.#reading;
  }

  /** Reads more into the own buffer, which must come to hold `wanted` bytes; false at the end. */
  async #fill(wanted: number): Promise<boolean> {
    if (this.#reading !== undefined) {
      await this.#reading;
      return !this.#ended;
    }
    if (this.#ended) return false;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    } else if (this.#start + wanted > CONNECTION_READ_BYTES) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    this.#end += await this.#read(this.#buffer.subarray(this.#end));
    return !this.#ended;
  }

  /** While a request holds the line: notices the end of the stream, and saves the next wait. */
  #readAhead(): void {
    if (this.#reading !== undefined || this.#ended || this.#end === CONNECTION_READ_BYTES) return;
    this.#reading = this.#read(this.#buffer.subarray(this.#end)).then((count) => {
      this.#end += count;
      this.#reading = undefined;
    });
  }

  /** Bytes read; 0: the stream has ended, by will or by fault of the peer or by our `close`. */
  async #read(into: Uint8Array): Promise<number> {
    let count: number | undefined;
    try {
      count = await this.connection.read(into);
    } catch {
      // reset by the peer, or closed by us: as good as the end
    }
    if (count === undefined || count === 0) {
      this.#ended = true;
      this.#abort.abort();
      return 0;
    }
    this.readMs = this.room.runtime.clock.monotonicMs();
    return count;
  }

  async #hold(request: ServedRequest): Promise<void> {
    this.#readAhead();
    await request.whenReleased();
  }

  /** Serves a frame that doesn't fit the own buffer; false at the end of the stream. */
  async #serveLarge(size: number): Promise<boolean> {
    const wanted = size + CONNECTION_READ_BYTES;
    this.#inLargeFrame = true;
    let frame = this.room.frames.tryTake(wanted);
    if (frame === undefined) {
      this.#waitsForBudget = true;
      frame = await this.room.frames.take(wanted);
      this.#waitsForBudget = false;
      this.readMs = this.room.runtime.clock.monotonicMs();
    }
    let request: ServedRequest | undefined;
    try {
      if (!await this.#readLarge(frame, size)) return false;
      this.#inLargeFrame = false;
      if (!this.#open || this.#draining) return false;
      frame.reader.reset(frame.bytes, 0, size);
      request = this.room.dispatcher.begin(this, frame.reader);
      if (request?.viewsFrame && !request.released) await this.#hold(request);
    } finally {
      this.#inLargeFrame = false;
      this.room.frames.give(frame);
    }
    // a join may wait for minutes: it must not take budget from producers
    if (request !== undefined && !request.released) await this.#hold(request);
    return true;
  }

  /** Moves what is read of the frame, reads the rest, and moves what follows back. */
  async #readLarge(frame: FrameBuffer, size: number): Promise<boolean> {
    const { bytes } = frame;
    const limit = size + CONNECTION_READ_BYTES;
    bytes.set(this.#buffer.subarray(this.#start + SIZE_BYTES, this.#end));
    let filled = this.#end - this.#start - SIZE_BYTES;
    this.#start = 0;
    this.#end = 0;
    while (filled < size) {
      if (!this.#open) return false;
      const count = await this.#read(bytes.subarray(filled, limit));
      if (count === 0) return false;
      filled += count;
    }
    if (filled > size) this.#buffer.set(bytes.subarray(size, filled));
    this.#end = filled - size;
    return true;
  }

  #refuseFrame(size: number): void {
    this.room.warnings.warn("request size is out of bounds, closing the connection", {
      remoteAddress: this.remoteAddress,
      clientId: this.clientId,
      size,
      maxFrameBytes: this.room.maxFrameBytes,
    });
    this.close();
  }
}
