import type { LatencyHistogram } from "../runtime/latency_histogram.ts";

/** Options of every call on a store. */
export interface CallOptions {
  /**
   * Aborting means "stop waiting", not "undone": a write whose call was aborted may have taken
   * effect, or may take effect later.
   */
  readonly signal?: AbortSignal;
  /** How often this call was made before, in vain: only the store's figures look at it. */
  readonly attempt?: number;
  /**
   * For `get` and `getInto`: an answer from a replica that is behind will do. Only for objects that
   * are known to exist and whose key never gets other bytes; nothing may be decided from it. A
   * store without replicas ignores it.
   */
  readonly staleOk?: boolean;
  /**
   * For `putIfAbsent`: the object is deleted before long, about when those are that are created
   * around it. A store may keep such objects together.
   */
  readonly transient?: boolean;
}

export interface ObjectInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
}

/** What suits this store; the broker's settings override it. */
export interface StoreAdvice {
  /** Least time between commits in milliseconds (DESIGN 5). */
  readonly flushIntervalMs: number;
  /** Commits in flight at once (K). */
  readonly parallelUploads: number;
  /** Bytes of one commit object at most. */
  readonly commitBytes: number;
  /** Reads are made in aligned ranges of this many bytes. */
  readonly rangeBytes: number;
  /** What one GET of a sequential reader brings: more where requests cost, less where not. */
  readonly readAheadBytes: number;
}

export interface ByteRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** What a store that reads from a replica counts; counters only grow. */
export interface ReplicaFigures {
  /** Reads for which an answer from the replica would do. */
  readonly reads: number;
  /** Of these, what the primary answered in its place: the sum of the next three. */
  readonly fallbacks: number;
  /** The replica did not have the object yet, or not whole. */
  readonly misses: number;
  /** It failed, or took too long. */
  readonly failures: number;
  /** It was not asked, because it had failed a moment ago. */
  readonly skipped: number;
  /** Of all these reads, whoever answered. */
  readonly latency: LatencyHistogram;
}

/**
 * A flat, strongly consistent object store. Keys are UTF-8 paths of at most 1,024 bytes, without
 * empty, `.` or `..` parts. Objects appear whole or not at all, and are durable when a write
 * returns. A body is not read any more once its call has settled, by an abort too, so its buffers
 * can be used again. Failures are `StoreError`s, whose `outcome` says what the caller may do.
 */
export interface ObjectStore {
  /**
   * Creates the object unless the key exists; exactly one of several rivals gets "created".
   * A `StoreError` with outcome "retry" or "throttled" leaves it open whether the object was
   * created: read it back and compare.
   */
  putIfAbsent(
    key: string,
    body: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<"created" | "exists">;
  /** Creates or replaces the object. */
  put(key: string, body: readonly Uint8Array[], options?: CallOptions): Promise<void>;
  /**
   * The object's bytes, or those of `range` (cut at the object's end; empty where the range starts
   * at or behind it); undefined where there is no such object. The array belongs to the caller.
   */
  get(
    key: string,
    range: ByteRange | undefined,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined>;
  /**
   * Optional, for stores that can spare the allocation: fills `into`, buffer after buffer, with the
   * object's bytes from `start` on. Returns how many there were (fewer at the object's end), or
   * undefined where there is no such object. After a failed or aborted call the driver may still be
   * writing into the buffers: never use them again.
   */
  getInto?(
    key: string,
    start: number,
    into: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<number | undefined>;
  /** All objects whose key starts with `prefix` and is greater than `startAfter`, in key order. */
  list(
    prefix: string,
    startAfter: string | undefined,
    options?: CallOptions,
  ): AsyncIterable<ObjectInfo>;
  /** Deletes; absent keys are fine. */
  delete(keys: readonly string[], options?: CallOptions): Promise<void>;
  readonly advice: StoreAdvice;
  /** Bytes of objects that the store keeps in memory of its own, if it does. */
  readonly heldBytes?: number;
  /** Where the store reads from a replica. */
  readonly replica?: ReplicaFigures | undefined;
  /** Calls after it fail with outcome "fatal"; those on their way may still finish. Idempotent. */
  close(): Promise<void>;
}

/**
 * - `throttled`: the store asks for less; may or may not have taken effect.
 * - `retry`: passing fault or unknown result; may or may not have taken effect.
 * - `fatal`: trying again cannot help (credentials, missing bucket, a key that is refused).
 */
export type StoreOutcome = "throttled" | "retry" | "fatal";

/** A failed call; drivers decide `outcome` from status and code, never from message text. */
export class StoreError extends Error {
  override name = "StoreError";

  constructor(readonly outcome: StoreOutcome, message: string, options?: { cause?: unknown }) {
    super(message, options);
  }
}
