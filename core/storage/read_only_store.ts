import {
  type ByteRange,
  type CallOptions,
  type ObjectInfo,
  type ObjectStore,
  type ReplicaFigures,
  type StoreAdvice,
  StoreError,
} from "./object_store.ts";

/**
 * A store that is read and listed alone: every write and deletion fails here, before it could reach
 * the store, whatever its credentials allow.
 */
export class ReadOnlyStore implements ObjectStore {
  readonly getInto?: NonNullable<ObjectStore["getInto"]>;

  constructor(readonly inner: ObjectStore) {
    if (inner.getInto !== undefined) {
      this.getInto = (key, start, into, options) => inner.getInto!(key, start, into, options);
    }
  }

  get advice(): StoreAdvice {
    return this.inner.advice;
  }

  get replica(): ReplicaFigures | undefined {
    return this.inner.replica;
  }

  putIfAbsent(): Promise<"created" | "exists"> {
    return Promise.reject(refused());
  }

  put(): Promise<void> {
    return Promise.reject(refused());
  }

  delete(): Promise<void> {
    return Promise.reject(refused());
  }

  get(key: string, range: ByteRange | undefined, options?: CallOptions) {
    return this.inner.get(key, range, options);
  }

  list(
    prefix: string,
    startAfter: string | undefined,
    options?: CallOptions,
  ): AsyncIterable<ObjectInfo> {
    return this.inner.list(prefix, startAfter, options);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

function refused(): StoreError {
  return new StoreError("fatal", "a read-only broker writes nothing to the object store");
}
