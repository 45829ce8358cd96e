/** Grows with every commit of the store; never reused. */
export type Revision = number;

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** The revision of the key's last write. */
  readonly revision: Revision;
}

/** Holds when the key's last write has this revision; 0 stands for "absent". */
export interface Compare {
  readonly key: string;
  readonly revision: Revision;
}

export type Op =
  | { readonly put: string; readonly value: Uint8Array; readonly lease?: Lease }
  | { readonly delete: string };

export interface Transaction {
  readonly if: readonly Compare[];
  readonly then: readonly Op[];
}

export type CommitResult = { readonly ok: true; readonly revision: Revision } | {
  readonly ok: false;
};

export type WatchEvent =
  | { readonly type: "put"; readonly entry: Entry }
  | { readonly type: "delete"; readonly key: string; readonly revision: Revision };

/** The events of one revision, or word that history was compacted: list again and start over. */
export type WatchBatch =
  | { readonly revision: Revision; readonly events: readonly WatchEvent[] }
  | { readonly compacted: true };

export interface Lease {
  readonly id: string;
  readonly ttlMs: number;
  /** Resolves when the lease is lost (expired or revoked); its keys are gone then. */
  readonly lost: Promise<void>;
  /** Ends the lease and deletes its keys. Idempotent. */
  revoke(): Promise<void>;
}

/**
 * A linearizable key-value store with revisions. Keys are UTF-8 paths; listings go by the keys'
 * UTF-8 bytes (core/metadata/key_order.ts). A commit is atomic and durable when it returns.
 * Failures are `MetadataError`s; after one a commit may or may not have taken effect: read before
 * trying again. Every call settles in bounded time, whatever happens to the store: requests wait
 * for them.
 */
export interface MetadataStore {
  /**
   * Optional. Resolves when this process can never use the store again, and should not go on with
   * what it remembers of it: the store was replaced by an older copy of itself, or what it holds is
   * unknown until somebody opens it anew. A store that cannot come to that, such as one in memory,
   * leaves it out.
   */
  readonly failed?: Promise<MetadataError>;
  get(key: string): Promise<Entry | undefined>;
  /** All entries below `prefix` in key order, as of one revision. */
  list(prefix: string): Promise<{ entries: Entry[]; revision: Revision }>;
  /**
   * Applies all of `then` when all of `if` hold, else nothing. At most one operation per key. A put
   * under a lost lease fails with outcome "retry", having done nothing.
   */
  commit(tx: Transaction): Promise<CommitResult>;
  /** Events below `prefix` with a revision greater than `from`, in order, without gaps. */
  watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<WatchBatch>;
  /** A lease that the driver keeps alive until it is revoked or cannot be kept. */
  lease(ttlMs: number): Promise<Lease>;
  /** A consistent copy of everything but leases and leased keys. */
  snapshot(): AsyncIterable<Uint8Array>;
  /** Replaces everything by a snapshot. */
  restore(from: AsyncIterable<Uint8Array>): Promise<void>;
  close(): Promise<void>;
}

/** `retry`: unreachable or overloaded, try later. `fatal`: somebody must act first. */
export class MetadataError extends Error {
  override name = "MetadataError";

  constructor(
    readonly outcome: "retry" | "fatal",
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
