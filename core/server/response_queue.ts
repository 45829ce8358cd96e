import {
  REQUESTS_IN_FLIGHT_PER_CONNECTION_MAX,
  RESPONSE_BYTES_QUEUED_MAX,
} from "../config/limits.ts";
import type { GatherWriter } from "./gather_writer.ts";
import type { ServedRequest } from "./served_request.ts";

/** Responses that are ready together are written together, up to about this many bytes. */
const BATCH_BYTES = 1024 * 1024;

export interface ResponseQueueEvents {
  /** The connection cannot be written to any more. */
  writeFailed(error: unknown): void;
  /** A callback of a handler threw. */
  callbackFailed(error: unknown): void;
  /** Nothing is in work or waits to be written. */
  emptied(): void;
}

/**
 * The requests of one connection that are in work or not yet answered, in the order in which their
 * responses must leave. At its limits (`full`) the connection starts no further request. After
 * `kill` responses are dropped as they become ready; every request is settled exactly once.
 */
export class ResponseQueue {
  #requests: ServedRequest[] = [];
  #head = 0;
  /** Taken from the queue and being written. */
  #batch: ServedRequest[] = [];
  #queuedBytes = 0;
  #pumping = false;
  #dead = false;
  #onRoom: (() => void) | undefined;

  constructor(readonly writer: GatherWriter, readonly events: ResponseQueueEvents) {}

  get dead(): boolean {
    return this.#dead;
  }

  /** Requests in work, waiting or being written. */
  get pending(): number {
    return this.#requests.length - this.#head + this.#batch.length;
  }

  /** Bytes of responses that are ready and not yet written. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get full(): boolean {
    return !this.#dead && (this.pending >= REQUESTS_IN_FLIGHT_PER_CONNECTION_MAX ||
      this.#queuedBytes > RESPONSE_BYTES_QUEUED_MAX);
  }

  /** Resolves when the queue may have room, or is dead; one caller. */
  room(): Promise<void> {
    if (!this.full) return Promise.resolve();
    return new Promise((resolve) => this.#onRoom = resolve);
  }

  /** Gives a request its place. */
  add(request: ServedRequest): void {
    this.#requests.push(request);
  }

  /** `request` has its response. */
  ready(request: ServedRequest): void {
    this.#queuedBytes += request.bytes;
    if (this.#pumping || !this.#requests[this.#head]?.ready) {
      if (this.#dead) this.#drop();
      return;
    }
    if (this.#dead) this.#drop();
    else void this.#pump();
  }

  /** The connection is gone: nothing is written any more. */
  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    if (!this.#pumping) this.#drop();
    this.#wake();
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    try {
      while (!this.#dead) {
        const parts = this.#takeBatch();
        if (this.#batch.length === 0) break;
        if (parts.length > 0) await this.writer.write(parts, this.#batchReadyMs());
        this.#settleBatch();
      }
    } catch (error) {
      this.events.writeFailed(error);
    } finally {
      this.#pumping = false;
      this.#settleBatch();
      if (this.#dead) this.#drop();
    }
  }

  /** Moves ready requests from the head of the queue to `#batch`; returns what they send. */
  #takeBatch(): readonly Uint8Array[] {
    let first: readonly Uint8Array[] | undefined;
    let all: Uint8Array[] | undefined;
    let bytes = 0;
    while (bytes < BATCH_BYTES && this.#head < this.#requests.length) {
      const request = this.#requests[this.#head]!;
      if (!request.ready) break;
      this.#advance();
      this.#batch.push(request);
      bytes += request.bytes;
      if (request.parts === undefined) continue;
      if (first === undefined) first = request.parts;
      else {
        all ??= [...first];
        // not by spreading: a fetch of small batches has more parts than a call takes arguments
        for (const part of request.parts) all.push(part);
      }
    }
    return all ?? first ?? [];
  }

  /** When the last of the batch became ready; ready requests wait for unready ones before them. */
  #batchReadyMs(): number {
    let readyMs = 0;
    for (const { endedMs } of this.#batch) readyMs = Math.max(readyMs, endedMs);
    return readyMs;
  }

  #advance(): void {
    this.#head++;
    if (this.#head === this.#requests.length) {
      this.#requests.length = 0;
      this.#head = 0;
    } else if (this.#head >= REQUESTS_IN_FLIGHT_PER_CONNECTION_MAX) {
      this.#requests.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #settleBatch(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    for (const request of batch) this.#settle(request);
    this.#wake();
  }

  /** Settles what is ready, in any order; what is in work follows when it is ready. */
  #drop(): void {
    const dropped: ServedRequest[] = [];
    const working: ServedRequest[] = [];
    for (let at = this.#head; at < this.#requests.length; at++) {
      const request = this.#requests[at]!;
      (request.ready ? dropped : working).push(request);
    }
    this.#requests = working;
    this.#head = 0;
    for (const request of dropped) this.#settle(request);
    this.#wake();
  }

  #settle(request: ServedRequest): void {
    this.#queuedBytes -= request.bytes;
    try {
      request.settle();
    } catch (error) {
      this.events.callbackFailed(error);
    }
  }

  #wake(): void {
    if (this.#onRoom !== undefined && !this.full) {
      const resume = this.#onRoom;
      this.#onRoom = undefined;
      resume();
    }
    if (this.pending === 0) this.events.emptied();
  }
}
