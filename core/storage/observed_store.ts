/**
 * An ObjectStore that counts what passes: calls, bytes, latency, failures, what is in flight. It
 * changes nothing, offers `getInto` only where the inner store does, and allocates nothing per call
 * beyond its promise.
 */
import { lengthOf } from "../bytes/mod.ts";
import type { Clock } from "../runtime/runtime.ts";
import type {
  ByteRange,
  CallOptions,
  ObjectInfo,
  ObjectStore,
  ReplicaFigures,
  StoreAdvice,
} from "./object_store.ts";
import {
  type CallEnd,
  CallMeter,
  endOf,
  type StoreFigures,
  type StoreOperation,
} from "./store_figures.ts";

/** What a healthy store moves in a millisecond at least (4 MiB/s): beyond that a call waits. */
const BYTES_PER_MS_FLOOR = 4_096;

/** Is told of every call. */
export interface CallObserver {
  /** A call starts to wait for the store. */
  began(): void;
  /** `allowanceMs` of what it took is what its bytes may take. `again`: it was tried before. */
  ended(
    operation: StoreOperation,
    startedMs: number,
    tookMs: number,
    allowanceMs: number,
    how: CallEnd,
    again: boolean,
  ): void;
}

export class ObservedStore implements ObjectStore {
  readonly figures: Readonly<Record<StoreOperation, CallMeter>> & StoreFigures = {
    putIfAbsent: new CallMeter(),
    put: new CallMeter(),
    get: new CallMeter(),
    list: new CallMeter(),
    delete: new CallMeter(),
  };
  readonly getInto?: NonNullable<ObjectStore["getInto"]>;
  observer: CallObserver | undefined;

  constructor(readonly inner: ObjectStore, readonly clock: Clock) {
    if (inner.getInto !== undefined) {
      this.getInto = (key, start, into, options) => this.#getInto(key, start, into, options);
    }
  }

  get advice(): StoreAdvice {
    return this.inner.advice;
  }

  get replica(): ReplicaFigures | undefined {
    return this.inner.replica;
  }

  async putIfAbsent(
    key: string,
    body: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<"created" | "exists"> {
    const bytes = lengthOf(body);
    const place = this.#enter("putIfAbsent", bytes, options);
    try {
      const outcome = await this.inner.putIfAbsent(key, body, options);
      this.#leave("putIfAbsent", place, bytes, options);
      return outcome;
    } catch (error) {
      throw this.#failed("putIfAbsent", place, bytes, error, options);
    }
  }

  async put(key: string, body: readonly Uint8Array[], options?: CallOptions): Promise<void> {
    const bytes = lengthOf(body);
    const place = this.#enter("put", bytes, options);
    try {
      await this.inner.put(key, body, options);
      this.#leave("put", place, bytes, options);
    } catch (error) {
      throw this.#failed("put", place, bytes, error, options);
    }
  }

  async get(
    key: string,
    range: ByteRange | undefined,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    const wanted = range === undefined ? 0 : range.end - range.start;
    const place = this.#enter("get", wanted, options);
    try {
      const found = await this.inner.get(key, range, options);
      this.#leave("get", place, found?.length ?? 0, options);
      return found;
    } catch (error) {
      throw this.#failed("get", place, wanted, error, options);
    }
  }

  async #getInto(
    key: string,
    start: number,
    into: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<number | undefined> {
    const wanted = lengthOf(into);
    const place = this.#enter("get", wanted, options);
    try {
      const length = await this.inner.getInto!(key, start, into, options);
      this.#leave("get", place, length ?? 0, options);
      return length;
    } catch (error) {
      throw this.#failed("get", place, wanted, error, options);
    }
  }

  /** In flight only while the store is waited for, and not while the caller works. */
  async *list(
    prefix: string,
    startAfter: string | undefined,
    options?: CallOptions,
  ): AsyncIterable<ObjectInfo> {
    const meter = this.figures.list;
    const again = isRetry(options);
    if (again) meter.retries++;
    const pages = this.inner.list(prefix, startAfter, options)[Symbol.asyncIterator]();
    let startedMs = this.clock.monotonicMs();
    let longestMs = 0;
    let how: CallEnd = "ok";
    let more = true;
    try {
      while (more) {
        const place = meter.enter(this.clock.monotonicMs(), 0);
        this.observer?.began();
        let next: IteratorResult<ObjectInfo>;
        try {
          next = await pages.next();
        } catch (error) {
          more = false;
          how = endOf(error, options?.signal);
          throw error;
        } finally {
          startedMs = meter.leave(place);
          longestMs = Math.max(longestMs, this.clock.monotonicMs() - startedMs);
        }
        if (next.done) return void (more = false);
        meter.keys++;
        yield next.value;
      }
    } finally {
      meter.end(how, longestMs);
      this.observer?.ended("list", startedMs, longestMs, 0, how, again);
      if (more) await pages.return?.();
    }
  }

  async delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    const place = this.#enter("delete", 0, options);
    try {
      await this.inner.delete(keys, options);
      this.figures.delete.keys += keys.length;
      this.#leave("delete", place, 0, options);
    } catch (error) {
      throw this.#failed("delete", place, 0, error, options);
    }
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  #enter(operation: StoreOperation, bytes: number, options: CallOptions | undefined): number {
    const meter = this.figures[operation];
    if (isRetry(options)) meter.retries++;
    const place = meter.enter(this.clock.monotonicMs(), bytes / BYTES_PER_MS_FLOOR);
    this.observer?.began();
    return place;
  }

  #leave(
    operation: StoreOperation,
    place: number,
    bytes: number,
    options: CallOptions | undefined,
  ): void {
    this.figures[operation].bytes += bytes;
    this.#ended(operation, place, bytes, "ok", options);
  }

  #failed(
    operation: StoreOperation,
    place: number,
    bytes: number,
    error: unknown,
    options: CallOptions | undefined,
  ): unknown {
    this.#ended(operation, place, bytes, endOf(error, options?.signal), options);
    return error;
  }

  #ended(
    operation: StoreOperation,
    place: number,
    bytes: number,
    how: CallEnd,
    options: CallOptions | undefined,
  ): void {
    const meter = this.figures[operation];
    const startedMs = meter.leave(place);
    const tookMs = this.clock.monotonicMs() - startedMs;
    meter.end(how, tookMs);
    const allowanceMs = bytes / BYTES_PER_MS_FLOOR;
    this.observer?.ended(operation, startedMs, tookMs, allowanceMs, how, isRetry(options));
  }
}

function isRetry(options: CallOptions | undefined): boolean {
  return (options?.attempt ?? 0) > 0;
}
