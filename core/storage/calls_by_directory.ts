/**
 * An ObjectStore that counts calls by the first part of the key below the namespace: a topic's
 * directory, or `.wal`. It is what costs of requests are shared out by; it changes nothing.
 */
import type {
  ByteRange,
  CallOptions,
  ObjectInfo,
  ObjectStore,
  ReplicaFigures,
} from "./object_store.ts";

/** Requests made for one directory; only grows. */
export interface DirectoryCalls {
  puts: number;
  gets: number;
  lists: number;
  deletes: number;
}

/** The topics that there are. */
export interface Topics {
  readonly topicCount: number;
  all(): Iterable<{ readonly directory: string }>;
}

const TRIMMED_FROM = 1_000;

export class CallsByDirectory implements ObjectStore {
  readonly getInto?: NonNullable<ObjectStore["getInto"]>;
  readonly #calls = new Map<string, DirectoryCalls>();

  constructor(readonly inner: ObjectStore, readonly namespace: string) {
    if (inner.getInto !== undefined) {
      this.getInto = (key, start, into, options) => {
        this.#of(key).gets++;
        return inner.getInto!(key, start, into, options);
      };
    }
  }

  get advice(): ObjectStore["advice"] {
    return this.inner.advice;
  }

  get replica(): ReplicaFigures | undefined {
    return this.inner.replica;
  }

  putIfAbsent(
    key: string,
    body: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<"created" | "exists"> {
    this.#of(key).puts++;
    return this.inner.putIfAbsent(key, body, options);
  }

  put(key: string, body: readonly Uint8Array[], options?: CallOptions): Promise<void> {
    this.#of(key).puts++;
    return this.inner.put(key, body, options);
  }

  get(
    key: string,
    range: ByteRange | undefined,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    this.#of(key).gets++;
    return this.inner.get(key, range, options);
  }

  list(
    prefix: string,
    startAfter: string | undefined,
    options?: CallOptions,
  ): AsyncIterable<ObjectInfo> {
    this.#of(prefix).lists++;
    return this.inner.list(prefix, startAfter, options);
  }

  delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    if (keys.length > 0) this.#of(keys[0]!).deletes++;
    return this.inner.delete(keys, options);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  /** Undefined where no call was made yet. */
  find(directory: string): DirectoryCalls | undefined {
    return this.#calls.get(directory);
  }

  /** Forgets directories of topics that are gone, once they are more than the others. */
  trim(topics: Topics): void {
    if (this.#calls.size <= 2 * topics.topicCount + TRIMMED_FROM) return;
    const live = new Set(Array.from(topics.all(), ({ directory }) => directory));
    for (const directory of this.#calls.keys()) {
      if (!directory.startsWith(".") && !live.has(directory)) this.#calls.delete(directory);
    }
  }

  #of(key: string): DirectoryCalls {
    const start = this.namespace.length + 1;
    const end = key.indexOf("/", start);
    const directory = end < 0 ? key.slice(start) : key.slice(start, end);
    let calls = this.#calls.get(directory);
    if (calls === undefined) {
      calls = { puts: 0, gets: 0, lists: 0, deletes: 0 };
      this.#calls.set(directory, calls);
    }
    return calls;
  }
}
