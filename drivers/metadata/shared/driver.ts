/**
 * One metadata store for several brokers of one process: each has a connection with leases of its
 * own, which end when that broker ends, not when the process does.
 */
import {
  type CommitResult,
  type Entry,
  type Lease,
  type MetadataError,
  type MetadataStore,
  type Op,
  type Revision,
  type Transaction,
  type WatchBatch,
} from "../../../core/metadata/metadata_store.ts";
import { invariant, type Timer } from "../../../core/runtime/mod.ts";
import { closedError } from "./errors.ts";
import type { SharedSettings } from "./settings.ts";

export class SharedMetadata {
  /** Leases that nobody keeps alive any more, until their time is up. */
  readonly #abandoned = new Map<Lease, Timer>();

  constructor(private readonly settings: SharedSettings) {}

  connect(): SharedConnection {
    return new SharedConnection(this.settings.store, (lease) => this.#abandon(lease));
  }

  /** Ends the leases of abandoned connections before their time. */
  async expire(): Promise<void> {
    const leases = [...this.#abandoned.keys()];
    for (const timer of this.#abandoned.values()) timer.cancel();
    this.#abandoned.clear();
    await Promise.all(leases.map((lease) => lease.revoke()));
  }

  /** Closes the store itself, and with it every connection. */
  async close(): Promise<void> {
    for (const timer of this.#abandoned.values()) timer.cancel();
    this.#abandoned.clear();
    await this.settings.store.close();
  }

  #abandon(lease: Lease): void {
    const timer = this.settings.timers.after(lease.ttlMs, () => {
      this.#abandoned.delete(lease);
      // fails where the store does, and then every lease has ended with it
      lease.revoke().catch(() => {});
    });
    this.#abandoned.set(lease, timer);
  }
}

/** One broker's part in the store; closing it leaves the store open. */
export class SharedConnection implements MetadataStore {
  readonly #leases = new Set<SharedLease>();
  readonly #closing = new AbortController();
  #state: "open" | "abandoned" | "closed" = "open";

  constructor(
    private readonly store: MetadataStore,
    private readonly abandoned: (lease: Lease) => void,
  ) {}

  get failed(): Promise<MetadataError> {
    return this.store.failed ?? new Promise(() => {});
  }

  /**
   * As if the process behind the connection had died: no call works from here on, watches bring
   * nothing more, and leases run out by themselves.
   */
  abandon(): void {
    if (this.#state !== "open") return;
    this.#state = "abandoned";
    for (const lease of this.#leases) this.abandoned(lease.inner);
    this.#leases.clear();
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#check();
    return await this.store.get(key);
  }

  async list(prefix: string): Promise<{ entries: Entry[]; revision: Revision }> {
    this.#check();
    return await this.store.list(prefix);
  }

  // not async: the store copies what the caller may change once the call has returned
  commit(tx: Transaction): Promise<CommitResult> {
    if (this.#state !== "open") return Promise.reject(closedError());
    return this.store.commit({ if: tx.if, then: tx.then.map(withInnerLease) });
  }

  async *watch(prefix: string, from: Revision, signal: AbortSignal): AsyncGenerator<WatchBatch> {
    this.#check();
    const closing = this.#closing.signal;
    const either = AbortSignal.any([signal, closing]);
    for await (const batch of this.store.watch(prefix, from, either)) {
      if (this.#state === "open") yield batch;
    }
    if (closing.aborted && !signal.aborted) throw closedError();
  }

  async lease(ttlMs: number): Promise<Lease> {
    this.#check();
    const inner = await this.store.lease(ttlMs);
    const lease = new SharedLease(inner, () => this.#state !== "abandoned");
    if (this.#state !== "open") {
      await inner.revoke();
      throw closedError();
    }
    this.#leases.add(lease);
    void inner.lost.then(() => this.#leases.delete(lease));
    return lease;
  }

  async *snapshot(): AsyncGenerator<Uint8Array> {
    this.#check();
    yield* this.store.snapshot();
  }

  async restore(from: AsyncIterable<Uint8Array>): Promise<void> {
    this.#check();
    await this.store.restore(from);
  }

  /** Ends the connection's leases and watches. Idempotent. */
  async close(): Promise<void> {
    if (this.#state === "open") {
      this.#state = "closed";
      await Promise.allSettled([...this.#leases].map((lease) => lease.revoke()));
    }
    this.#closing.abort();
  }

  #check(): void {
    if (this.#state !== "open") throw closedError();
  }
}

/** A dead broker ends no lease: to revoke one does nothing once its connection is abandoned. */
class SharedLease implements Lease {
  constructor(readonly inner: Lease, private readonly revocable: () => boolean) {}

  get id(): string {
    return this.inner.id;
  }

  get ttlMs(): number {
    return this.inner.ttlMs;
  }

  get lost(): Promise<void> {
    return this.inner.lost;
  }

  async revoke(): Promise<void> {
    if (this.revocable()) await this.inner.revoke();
  }
}

function withInnerLease(op: Op): Op {
  if (!("put" in op) || op.lease === undefined) return op;
  invariant(op.lease instanceof SharedLease, "a lease of another store");
  return { ...op, lease: op.lease.inner };
}
