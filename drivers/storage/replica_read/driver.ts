/**
 * `replica_read`: any primary with any replica that is fed from it by somebody else, such as S3's
 * cross-region replication. Reads whose caller says `staleOk` try the replica first; the primary
 * answers where the replica has no such object, fewer bytes than were asked for, fails, or takes
 * too long. Everything else, whatever decides something above all, goes to the primary alone, so a
 * replica may lag, lie about absence or be down, and read-only credentials suffice for it.
 */
import { LatencyHistogram, type Runtime } from "../../../core/runtime/mod.ts";
import type {
  ByteRange,
  CallOptions,
  ObjectInfo,
  ObjectStore,
  ReplicaFigures,
  StoreAdvice,
} from "../../../core/storage/object_store.ts";
import { SlabPool } from "../../../core/storage/wal/slab_pool.ts";
import { Breaker } from "./breaker.ts";
import { abortedError, tooSlowError } from "./errors.ts";
import {
  BYTES_PER_MS_FLOOR,
  REPLICA_LIMITS,
  type ReplicaLimits,
  SCRATCH_BLOCKS,
} from "./settings.ts";

export interface ReplicaReadOptions {
  readonly runtime: Runtime;
  readonly primary: ObjectStore;
  readonly replica: ObjectStore;
  readonly limits?: ReplicaLimits;
}

/** Closing it closes both stores. */
export function replicaReadStore(options: ReplicaReadOptions): ObjectStore {
  return new ReplicaReadStore(options);
}

/** Counts of ReplicaFigures. */
class Figures implements ReplicaFigures {
  reads = 0;
  misses = 0;
  failures = 0;
  skipped = 0;
  readonly latency: LatencyHistogram = new LatencyHistogram();

  get fallbacks(): number {
    return this.misses + this.failures + this.skipped;
  }
}

class ReplicaReadStore implements ObjectStore {
  readonly getInto?: NonNullable<ObjectStore["getInto"]>;
  readonly replica = new Figures();
  readonly #primary: ObjectStore;
  readonly #replica: ObjectStore;
  readonly #runtime: Runtime;
  readonly #breaker: Breaker;
  readonly #patienceMs: number;
  readonly #scratch: SlabPool;

  constructor({ runtime, primary, replica, limits = REPLICA_LIMITS }: ReplicaReadOptions) {
    this.#runtime = runtime;
    this.#primary = primary;
    this.#replica = replica;
    this.#patienceMs = limits.patienceMs;
    this.#breaker = new Breaker(runtime, limits);
    this.#scratch = new SlabPool(SCRATCH_BLOCKS, primary.advice.rangeBytes);
    if (primary.getInto !== undefined) {
      this.getInto = (key, start, into, callOptions) =>
        this.#getInto(key, start, into, callOptions);
    }
  }

  get advice(): StoreAdvice {
    return this.#primary.advice;
  }

  putIfAbsent(
    key: string,
    body: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<"created" | "exists"> {
    return this.#primary.putIfAbsent(key, body, options);
  }

  put(key: string, body: readonly Uint8Array[], options?: CallOptions): Promise<void> {
    return this.#primary.put(key, body, options);
  }

  get(
    key: string,
    range: ByteRange | undefined,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    const fromPrimary = () => this.#primary.get(key, range, options);
    if (options?.staleOk !== true) return fromPrimary();
    const wanted = range === undefined ? 0 : range.end - range.start;
    return this.#read(options, wanted, fromPrimary, async (signal) => {
      const found = await this.#replica.get(key, range, { signal });
      return found !== undefined && found.length >= wanted ? found : undefined;
    });
  }

  list(
    prefix: string,
    startAfter: string | undefined,
    options?: CallOptions,
  ): AsyncIterable<ObjectInfo> {
    return this.#primary.list(prefix, startAfter, options);
  }

  delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    return this.#primary.delete(keys, options);
  }

  async close(): Promise<void> {
    await Promise.all([this.#primary.close(), this.#replica.close()]);
  }

  #getInto(
    key: string,
    start: number,
    into: readonly Uint8Array[],
    options: CallOptions | undefined,
  ): Promise<number | undefined> {
    const fromPrimary = () => this.#primary.getInto!(key, start, into, options);
    if (options?.staleOk !== true) return fromPrimary();
    const wanted = into.reduce((sum, part) => sum + part.length, 0);
    return this.#read(
      options,
      wanted,
      fromPrimary,
      (signal) => this.#replicaInto(key, start, into, wanted, signal),
    );
  }

  /**
   * By way of buffers of our own: the replica may still write into them after it has failed, when
   * the primary fills the caller's.
   */
  async #replicaInto(
    key: string,
    start: number,
    into: readonly Uint8Array[],
    wanted: number,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const replica = this.#replica;
    const fits = into.every((part) => part.length <= this.#scratch.slabBytes);
    if (replica.getInto === undefined || !fits) {
      const found = await replica.get(key, { start, end: start + wanted }, { signal });
      if (found === undefined || found.length < wanted) return undefined;
      let at = 0;
      for (const part of into) {
        part.set(found.subarray(at, at + part.length));
        at += part.length;
      }
      return wanted;
    }
    const slabs = into.map(() => this.#scratch.acquire());
    const scratch = slabs.map((slab, index) => slab.subarray(0, into[index]!.length));
    let length: number | undefined;
    try {
      length = await replica.getInto(key, start, scratch, { signal });
    } catch (error) {
      for (const slab of slabs) this.#scratch.forget(slab);
      throw error;
    }
    const whole = length === wanted;
    if (whole) scratch.forEach((part, index) => into[index]!.set(part));
    for (const slab of slabs) this.#scratch.release(slab);
    return whole ? wanted : undefined;
  }

  /** `fromReplica` is undefined where the replica has not what is wanted. */
  async #read<T>(
    options: CallOptions,
    wantedBytes: number,
    fromPrimary: () => Promise<T | undefined>,
    fromReplica: (signal: AbortSignal) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const { clock } = this.#runtime;
    const startedMs = clock.monotonicMs();
    this.replica.reads++;
    const found = await this.#tryReplica(options.signal, wantedBytes, fromReplica) ??
      await fromPrimary();
    this.replica.latency.observe(clock.monotonicMs() - startedMs);
    return found;
  }

  async #tryReplica<T>(
    signal: AbortSignal | undefined,
    wantedBytes: number,
    fromReplica: (signal: AbortSignal) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    if (!this.#breaker.ask()) {
      this.replica.skipped++;
      return undefined;
    }
    const abort = new AbortController();
    const onAbort = () => abort.abort(signal!.reason);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    const limitMs = this.#patienceMs + wantedBytes / BYTES_PER_MS_FLOOR;
    const timer = this.#runtime.timers.after(limitMs, () => abort.abort(tooSlowError()));
    try {
      const found = await fromReplica(abort.signal);
      this.#breaker.answered();
      if (found === undefined) this.replica.misses++;
      return found;
    } catch (error) {
      if (signal?.aborted) {
        this.#breaker.dropped();
        throw abortedError(signal);
      }
      this.replica.failures++;
      const why = abort.signal.aborted ? abort.signal.reason : error;
      this.#breaker.failed(why instanceof Error ? why : new Error(String(why)));
      return undefined;
    } finally {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  }
}
