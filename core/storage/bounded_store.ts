/**
 * An ObjectStore whose calls never wait for ever (I9). A call that takes much longer than its bytes
 * can explain is given up as a passing fault: its connection may be dead without anybody's saying
 * so. After an outage the calls that it left hanging are given up soon, so that they are made anew.
 *
 * With a gate, reads fail at once while the store is unavailable, those that wait included.
 */
import { lengthOf } from "../bytes/mod.ts";
import type { Runtime, Timer } from "../runtime/runtime.ts";
import {
  type ByteRange,
  type CallOptions,
  type ObjectInfo,
  type ObjectStore,
  type ReplicaFigures,
  type StoreAdvice,
  StoreError,
} from "./object_store.ts";
import type { StoreGate } from "./health.ts";

/** Bytes that count as moving at least, per millisecond (1 MiB/s), before a call is given up. */
const BYTES_PER_MS_FLOOR = 1_024;
/** For reads of whole objects, whose size is not known beforehand. */
const UNKNOWN_BYTES = 64 << 20;
const TICK_MS = 500;

export interface BoundedStoreOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly health: StoreGate;
  /** Longest wait for any call, the transfer of its bytes not counted. */
  readonly stuckMs: number;
  /** Once the store is back, calls from before wait at most this much longer. */
  readonly graceMs: number;
  /** Whether reads fail while the store is unavailable. */
  readonly gate: boolean;
}

/** A call, or a listing's wait for its next page. */
interface Waiting {
  readonly abort: AbortController;
  readonly reads: boolean;
  startedMs: number;
  /** What its bytes may take. */
  allowanceMs: number;
  giveUpMs: number;
}

export class BoundedStore implements ObjectStore {
  readonly getInto?: NonNullable<ObjectStore["getInto"]>;
  readonly #waiting = new Set<Waiting>();
  readonly #stopListening: () => void;
  #timer: Timer | undefined;
  #refusedWrites = false;
  #refusedReads = false;

  constructor(readonly options: BoundedStoreOptions) {
    const { store, health } = options;
    if (store.getInto !== undefined) {
      this.getInto = (key, start, into, callOptions) => {
        const bytes = into.reduce((sum, part) => sum + part.length, 0);
        return this.#call(true, bytes, callOptions, (o) => store.getInto!(key, start, into, o));
      };
    }
    this.#stopListening = health.onChange(() => this.#changed());
  }

  get advice(): StoreAdvice {
    return this.options.store.advice;
  }

  get replica(): ReplicaFigures | undefined {
    return this.options.store.replica;
  }

  putIfAbsent(
    key: string,
    body: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<"created" | "exists"> {
    const { store } = this.options;
    return this.#call(false, lengthOf(body), options, (o) => store.putIfAbsent(key, body, o));
  }

  put(key: string, body: readonly Uint8Array[], options?: CallOptions): Promise<void> {
    const { store } = this.options;
    return this.#call(false, lengthOf(body), options, (o) => store.put(key, body, o));
  }

  get(
    key: string,
    range: ByteRange | undefined,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    const bytes = range === undefined ? UNKNOWN_BYTES : range.end - range.start;
    return this.#call(true, bytes, options, (o) => this.options.store.get(key, range, o));
  }

  delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    return this.#call(false, 0, options, (o) => this.options.store.delete(keys, o));
  }

  async *list(
    prefix: string,
    startAfter: string | undefined,
    options?: CallOptions,
  ): AsyncIterable<ObjectInfo> {
    const waiting = this.#newCall(true);
    const unfollow = follow(options?.signal, waiting.abort);
    const inner = { ...options, signal: waiting.abort.signal };
    const pages = this.options.store.list(prefix, startAfter, inner)[Symbol.asyncIterator]();
    let more = true;
    try {
      while (more) {
        this.#refuse();
        this.#wait(waiting, 0);
        let next: IteratorResult<ObjectInfo>;
        try {
          next = await pages.next();
        } catch (error) {
          more = false;
          throw reasonOf(waiting, error);
        } finally {
          this.#waiting.delete(waiting);
        }
        if (next.done) return void (more = false);
        yield next.value;
      }
    } finally {
      unfollow();
      if (more) await pages.return?.();
    }
  }

  close(): Promise<void> {
    return this.options.store.close();
  }

  /** Ends what it does by itself; calls in flight are their callers'. */
  stop(): void {
    this.#stopListening();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting.clear();
  }

  async #call<T>(
    reads: boolean,
    bytes: number,
    options: CallOptions | undefined,
    call: (options: CallOptions) => Promise<T>,
  ): Promise<T> {
    if (reads) this.#refuse();
    const waiting = this.#newCall(reads);
    const unfollow = follow(options?.signal, waiting.abort);
    this.#wait(waiting, bytes);
    try {
      return await call({ ...options, signal: waiting.abort.signal });
    } catch (error) {
      throw reasonOf(waiting, error);
    } finally {
      this.#waiting.delete(waiting);
      unfollow();
    }
  }

  /** Throws while reads are refused. */
  #refuse(): void {
    if (this.options.gate && this.options.health.refusesReads) throw unavailable();
  }

  #newCall(reads: boolean): Waiting {
    return { abort: new AbortController(), reads, startedMs: 0, allowanceMs: 0, giveUpMs: 0 };
  }

  #wait(waiting: Waiting, bytes: number): void {
    const { runtime, stuckMs } = this.options;
    waiting.startedMs = runtime.clock.monotonicMs();
    waiting.allowanceMs = bytes / BYTES_PER_MS_FLOOR;
    waiting.giveUpMs = waiting.startedMs + stuckMs + waiting.allowanceMs;
    this.#waiting.add(waiting);
    if (this.#timer === undefined) this.#arm();
  }

  #arm(): void {
    this.#timer = this.options.runtime.timers.after(TICK_MS, () => {
      this.#timer = undefined;
      const nowMs = this.options.runtime.clock.monotonicMs();
      for (const { abort, giveUpMs, startedMs } of this.#waiting) {
        if (giveUpMs > nowMs) continue;
        const seconds = Math.floor((nowMs - startedMs) / 1_000);
        abort.abort(new StoreError("retry", `the object store did not answer for ${seconds} s`));
      }
      if (this.#waiting.size > 0) this.#arm();
    });
  }

  #changed(): void {
    const { health, gate, graceMs, runtime } = this.options;
    const { refusesWrites, refusesReads } = health;
    const back = {
      writes: this.#refusedWrites && !refusesWrites,
      reads: this.#refusedReads && !refusesReads,
    };
    const lost = refusesReads && !this.#refusedReads;
    this.#refusedWrites = refusesWrites;
    this.#refusedReads = refusesReads;
    const limitMs = runtime.clock.monotonicMs() + graceMs;
    for (const waiting of this.#waiting) {
      if (waiting.reads ? back.reads : back.writes) {
        waiting.giveUpMs = Math.min(waiting.giveUpMs, limitMs + waiting.allowanceMs);
      }
      if (waiting.reads && lost && gate) waiting.abort.abort(unavailable());
    }
  }
}

function unavailable(): StoreError {
  return new StoreError("retry", "the object store is unavailable");
}

/** What the caller hears: why we gave up, where we did. */
function reasonOf({ abort }: Waiting, error: unknown): unknown {
  return abort.signal.reason instanceof StoreError ? abort.signal.reason : error;
}

/** Aborts `abort` with the caller's signal; returns "stop". */
function follow(signal: AbortSignal | undefined, abort: AbortController): () => void {
  if (signal === undefined) return () => {};
  const onAbort = () => abort.abort(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return () => signal.removeEventListener("abort", onAbort);
}
