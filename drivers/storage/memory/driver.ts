/**
 * `memory`: objects in this process, for tests and simulation. `MemoryObjects` is the bucket and
 * outlives brokers; `memoryStore` is one broker's way to it, with the faults of that way.
 */
import { lengthOf } from "../../../core/bytes/mod.ts";
import type { Runtime } from "../../../core/runtime/mod.ts";
import type {
  ByteRange,
  CallOptions,
  ObjectInfo,
  ObjectStore,
  StoreAdvice,
} from "../../../core/storage/object_store.ts";
import { StoreError } from "../../../core/storage/object_store.ts";
import { checkKey, compareKeys } from "../object_key.ts";
import { abortedError, closedError } from "./errors.ts";
import { MEMORY_ADVICE, type MemoryFaults } from "./settings.ts";

export { CALM, MEMORY_ADVICE, type MemoryFaults } from "./settings.ts";

/** Keys that one page of a listing holds; each page is a call of its own where faults are on. */
const LIST_PAGE_KEYS = 1000;

/** The bucket. Its own methods are synchronous and never fail: tests look inside with them. */
export class MemoryObjects {
  readonly #objects = new Map<string, Uint8Array>();
  /** Ascending; rebuilt when listed after a change that is not an append. */
  #keys: string[] = [];
  #sorted = true;

  get size(): number {
    return this.#objects.size;
  }

  get bytes(): number {
    let total = 0;
    for (const body of this.#objects.values()) total += body.length;
    return total;
  }

  get(key: string): Uint8Array | undefined {
    return this.#objects.get(key);
  }

  has(key: string): boolean {
    return this.#objects.has(key);
  }

  set(key: string, body: Uint8Array): void {
    if (!this.#objects.has(key)) {
      const last = this.#keys.at(-1);
      if (last !== undefined && compareKeys(last, key) > 0) this.#sorted = false;
      this.#keys.push(key);
    }
    this.#objects.set(key, body);
  }

  delete(key: string): boolean {
    if (!this.#objects.delete(key)) return false;
    if (this.#sorted) this.#keys.splice(this.#firstAtOrAfter(key), 1);
    else this.#keys.splice(this.#keys.indexOf(key), 1);
    return true;
  }

  /** Up to `limit` objects whose key starts with `prefix` and is greater than `after`, in order. */
  page(prefix: string, after: string | undefined, limit: number): ObjectInfo[] {
    if (!this.#sorted) {
      this.#keys.sort(compareKeys);
      this.#sorted = true;
    }
    const found: ObjectInfo[] = [];
    const from = after !== undefined && compareKeys(after, prefix) > 0 ? after : prefix;
    for (let at = this.#firstAtOrAfter(from); at < this.#keys.length; at++) {
      const key = this.#keys[at]!;
      if (key === after) continue;
      if (!key.startsWith(prefix)) break;
      found.push({ key, size: this.#objects.get(key)!.length });
      if (found.length === limit) break;
    }
    return found;
  }

  #firstAtOrAfter(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#keys[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export type MemoryOperation = "putIfAbsent" | "put" | "get" | "list" | "delete";

export interface MemoryStore extends ObjectStore {
  /** Calls made so far, failed ones included; a listing counts once per page. */
  readonly calls: Readonly<Record<MemoryOperation, number>>;
}

/** One broker's view of `objects`. Without `faults` every call is settled when it returns. */
export function memoryStore(
  objects: MemoryObjects,
  runtime: Runtime,
  faults?: Readonly<MemoryFaults>,
): MemoryStore {
  return new MemoryDriver(objects, runtime, faults);
}

class MemoryDriver implements MemoryStore {
  readonly advice: StoreAdvice = MEMORY_ADVICE;
  readonly calls = { putIfAbsent: 0, put: 0, get: 0, list: 0, delete: 0 };
  #closed = false;

  constructor(
    readonly objects: MemoryObjects,
    readonly runtime: Runtime,
    readonly faults: Readonly<MemoryFaults> | undefined,
  ) {}

  putIfAbsent(
    key: string,
    body: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<"created" | "exists"> {
    return this.#call("putIfAbsent", [key], options, () => {
      const bytes = joined(body);
      return () => {
        if (this.objects.has(key)) return "exists";
        this.objects.set(key, bytes);
        return "created";
      };
    });
  }

  put(key: string, body: readonly Uint8Array[], options?: CallOptions): Promise<void> {
    return this.#call("put", [key], options, () => {
      const bytes = joined(body);
      return () => this.objects.set(key, bytes);
    });
  }

  get(
    key: string,
    range: ByteRange | undefined,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    return this.#call("get", [key], options, () => () => {
      const body = this.objects.get(key);
      return range === undefined ? body?.slice() : body?.slice(range.start, range.end);
    });
  }

  delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    return this.#call("delete", keys, options, () => () => {
      for (const key of keys) this.objects.delete(key);
    });
  }

  async *list(
    prefix: string,
    startAfter: string | undefined,
    options?: CallOptions,
  ): AsyncIterable<ObjectInfo> {
    let after = startAfter;
    while (true) {
      const from = after;
      const page = await this.#call(
        "list",
        [],
        options,
        () => () => this.objects.page(prefix, from, LIST_PAGE_KEYS),
      );
      yield* page;
      if (page.length < LIST_PAGE_KEYS) return;
      after = page.at(-1)!.key;
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** `prepare` reads the arguments now; what it returns takes effect once, or again late. */
  #call<T>(
    operation: MemoryOperation,
    keys: readonly string[],
    options: CallOptions | undefined,
    prepare: () => () => T,
  ): Promise<T> {
    try {
      if (this.#closed) throw closedError();
      this.calls[operation]++;
      for (const key of keys) checkKey(key);
      if (options?.signal?.aborted) throw abortedError(options.signal);
      const effect = prepare();
      if (this.faults === undefined) return Promise.resolve(effect());
      return this.#withFaults(operation, this.faults, options?.signal, effect);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #withFaults<T>(
    operation: MemoryOperation,
    faults: Readonly<MemoryFaults>,
    signal: AbortSignal | undefined,
    effect: () => T,
  ): Promise<T> {
    const writes = operation !== "get" && operation !== "list";
    const fate = this.#fate(faults, writes);
    const before = this.#latencyMs(faults);
    const after = this.#latencyMs(faults);
    const late = fate === "late" || fate === "duplicate" ? before + this.#upTo(faults.lateMs) : 0;
    const { clock } = this.runtime;
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(abortedError(signal!));
      signal?.addEventListener("abort", onAbort, { once: true });
      const settle = (run: () => void) =>
        this.#after(faults, after, () => {
          signal?.removeEventListener("abort", onAbort);
          if (this.#closed) reject(closedError());
          else run();
        });
      if (late > 0) this.#after(faults, before + after + late, effect);
      this.#after(faults, before, () => {
        if (fate === "throttle") {
          settle(() => reject(new StoreError("throttled", "injected: slow down")));
        } else if (
          fate === "before" || fate === "late" || clock.monotonicMs() < faults.refusedUntilMs
        ) {
          settle(() => reject(new StoreError("retry", "injected: failed")));
        } else if (fate === "lost") {
          if (this.#chance(0.5)) effect();
        } else {
          const value = effect();
          if (fate === "after") {
            settle(() => reject(new StoreError("retry", "injected: reply lost")));
          } else settle(() => resolve(value));
        }
      });
    });
  }

  /** Like a timer, but a pause of the store holds it up. */
  #after(faults: Readonly<MemoryFaults>, delayMs: number, run: () => void): void {
    const { clock, timers } = this.runtime;
    timers.after(delayMs, () => {
      const pausedMs = faults.pausedUntilMs - clock.monotonicMs();
      if (pausedMs > 0) this.#after(faults, pausedMs, run);
      else run();
    });
  }

  #fate(faults: Readonly<MemoryFaults>, writes: boolean): string {
    if (this.#chance(faults.throttleChance)) return "throttle";
    if (this.#chance(faults.failBeforeChance)) return "before";
    if (this.#chance(faults.lostChance)) return "lost";
    if (writes && this.#chance(faults.failAfterChance)) return "after";
    if (writes && this.#chance(faults.lateChance)) return "late";
    if (writes && this.#chance(faults.duplicateChance)) return "duplicate";
    return "fine";
  }

  #chance(chance: number): boolean {
    return chance > 0 && this.runtime.random.uint32() < chance * 2 ** 32;
  }

  #upTo(limit: number): number {
    return limit * this.runtime.random.uint32() / 2 ** 32;
  }

  /** Half of a call's latency: there, or back. */
  #latencyMs(faults: Readonly<MemoryFaults>): number {
    let whole = faults.latencyMinMs + this.#upTo(faults.latencyMaxMs - faults.latencyMinMs);
    if (this.#chance(faults.slowChance)) whole += faults.slowMs;
    return whole / 2;
  }
}

/** Always a copy: the caller's slabs are used again as soon as the call settles. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
