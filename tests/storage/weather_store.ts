/** A store in memory whose writes and reads each have a weather that a test changes. */
import { type Runtime, sleep } from "../../core/runtime/mod.ts";
import {
  type CallOptions,
  type ObjectStore,
  StoreError,
  type StoreOutcome,
} from "../../core/storage/object_store.ts";
import {
  CALM,
  type MemoryFaults,
  MemoryObjects,
  memoryStore,
} from "../../drivers/storage/memory/driver.ts";
import type { FaultyStore, OpenedStore } from "../conformance/object_store.ts";
import type { StoreFaults } from "../conformance/store_faults.ts";

/** What the conformance suite cannot ask of a store in memory, nor of one that wraps it. */
export const MEMORY_LACKS = {
  "get-into": "the driver does not offer it",
  "wrong-credentials": "it knows no credentials",
  "missing-bucket": "it knows no buckets",
  "skewed-clock": "it signs nothing",
};

/** Of a store in memory as a broker never uses it, without what bounds its calls. */
export const UNBOUNDED = { "no-answer": "BoundedStore gives its calls up" };

/** What can be done to a store in memory. */
export function memoryFaults(faults: MemoryFaults): StoreFaults {
  const strike = (change: Partial<MemoryFaults>) => () => {
    Object.assign(faults, change);
    return () => void Object.assign(faults, CALM);
  };
  return {
    "slow-down": strike({ throttleChance: 1 }),
    "no-answer": strike({ lostChance: 1 }),
    "answer-lost": strike({ failAfterChance: 1 }),
  };
}

/** For the conformance suite: a store in memory that can suffer, as `wrap` makes it. */
export function faultyMemory(runtime: Runtime, wrap: (inner: ObjectStore) => OpenedStore) {
  return (): Promise<FaultyStore> => {
    const faults = { ...CALM };
    const opened = wrap(memoryStore(new MemoryObjects(), runtime, faults));
    return Promise.resolve({ ...opened, faults: memoryFaults(faults) });
  };
}

/**
 * `fine`: answers after `latencyMs`; `hang`: waits until the weather changes or the call is given
 * up; an outcome: fails with it after `latencyMs`, without effect.
 */
export interface Weather {
  kind: "fine" | "hang" | StoreOutcome;
  latencyMs: number;
}

export class WeatherStore implements ObjectStore {
  readonly objects = new MemoryObjects();
  readonly writes: Weather = { kind: "fine", latencyMs: 1 };
  readonly reads: Weather = { kind: "fine", latencyMs: 1 };
  calls = 0;
  readonly #inner: ObjectStore;

  constructor(readonly runtime: Runtime) {
    this.#inner = memoryStore(this.objects, runtime);
  }

  get advice() {
    return this.#inner.advice;
  }

  set weather(kind: Weather["kind"]) {
    this.writes.kind = this.reads.kind = kind;
  }

  putIfAbsent(key: string, body: readonly Uint8Array[], options?: CallOptions) {
    return this.#in(this.writes, options, () => this.#inner.putIfAbsent(key, body));
  }

  put(key: string, body: readonly Uint8Array[], options?: CallOptions) {
    return this.#in(this.writes, options, () => this.#inner.put(key, body));
  }

  get(key: string, range: { start: number; end: number } | undefined, options?: CallOptions) {
    return this.#in(this.reads, options, () => this.#inner.get(key, range));
  }

  delete(keys: readonly string[], options?: CallOptions) {
    return this.#in(this.writes, options, () => this.#inner.delete(keys));
  }

  async *list(prefix: string, startAfter: string | undefined, options?: CallOptions) {
    await this.#in(this.reads, options, () => Promise.resolve());
    yield* this.#inner.list(prefix, startAfter, options);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #in<T>(
    weather: Weather,
    options: CallOptions | undefined,
    call: () => Promise<T>,
  ): Promise<T> {
    this.calls++;
    const { timers } = this.runtime;
    const signal = options?.signal;
    await sleep(timers, weather.latencyMs, signal);
    while (weather.kind === "hang" && !signal?.aborted) await sleep(timers, 10, signal);
    if (signal?.aborted) throw new StoreError("retry", "aborted", { cause: signal.reason });
    if (weather.kind !== "fine" && weather.kind !== "hang") {
      throw new StoreError(weather.kind, `the weather is ${weather.kind}`);
    }
    return await call();
  }
}
