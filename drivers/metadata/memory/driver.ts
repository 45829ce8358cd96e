/**
 * MetadataStore in memory, for tests and simulation. `MemoryMetadata` is the service: it outlives
 * brokers. Each broker incarnation gets a view by `connect()`; the view can be cut off, crash or
 * misbehave (`MemoryFaults`), and its leases die with it. Nothing here is asynchronous but the
 * promises of the contract, and time comes from the Runtime: runs replay from a seed.
 */
import {
  type CommitResult,
  type Entry,
  type Lease,
  MetadataError,
  type MetadataStore,
  type Revision,
  type Transaction,
  type WatchBatch,
  type WatchEvent,
} from "../../../core/metadata/metadata_store.ts";
import { decodeSnapshot, encodeSnapshot } from "../../../core/metadata/snapshot_format.ts";
import { WatchFeed } from "../../../core/metadata/watch_feed.ts";
import { deferred, invariant, type Runtime, type Timer } from "../../../core/runtime/mod.ts";
import { closedError, disconnectedError, lostLeaseError } from "./errors.ts";
import { OrderedMap } from "./ordered_map.ts";
import { MEMORY_SETTINGS, type MemorySettings } from "./settings.ts";

export type MemoryCall = "get" | "list" | "commit" | "watch" | "lease" | "snapshot" | "restore";

/**
 * Awaited before a call takes effect, and before its result is handed over ("watch": per batch).
 * Either may delay, or throw a MetadataError: one thrown by `after` is a lost reply.
 */
export interface MemoryFaults {
  before?(call: MemoryCall, key: string): Promise<void> | void;
  after?(call: MemoryCall, key: string): Promise<void> | void;
}

/** All that is not under a lease, with its revisions: what a backup of the service's files has. */
export interface MemoryCopy {
  readonly revision: Revision;
  readonly entries: readonly Entry[];
}

interface Stored extends Entry {
  readonly lease: MemoryLease | undefined;
}

/** The service that all views share. */
export class MemoryMetadata {
  readonly #keys = new OrderedMap<Stored>();
  #revision: Revision = 0;
  #leases = 0;
  readonly #feed: WatchFeed;

  constructor(
    private readonly runtime: Pick<Runtime, "timers">,
    settings: MemorySettings = MEMORY_SETTINGS,
  ) {
    this.#feed = new WatchFeed(0, settings.watch);
  }

  get revision(): Revision {
    return this.#revision;
  }

  /** A broker's connection. */
  connect(faults: MemoryFaults = {}): MemoryMetadataView {
    return new MemoryMetadataView(this, faults);
  }

  get(key: string): Entry | undefined {
    const stored = this.#keys.get(key);
    return stored && entryOf(stored);
  }

  list(prefix: string): { entries: Entry[]; revision: Revision } {
    const entries = Array.from(this.#keys.below(prefix), entryOf);
    return { entries, revision: this.#revision };
  }

  commit(tx: Transaction): CommitResult {
    const written = new Set(tx.then.map((op) => "put" in op ? op.put : op.delete));
    invariant(written.size === tx.then.length, "at most one operation per key");
    for (const { key, revision } of tx.if) {
      if ((this.#keys.get(key)?.revision ?? 0) !== revision) return { ok: false };
    }
    for (const op of tx.then) {
      if ("put" in op && op.lease !== undefined && !leaseOf(op.lease).alive) throw lostLeaseError();
    }
    const revision = ++this.#revision;
    const events: WatchEvent[] = [];
    for (const op of tx.then) {
      if ("put" in op) events.push(this.#put(op.put, op.value, revision, op.lease));
      else if (this.#delete(op.delete)) events.push({ type: "delete", key: op.delete, revision });
    }
    this.#feed.publish(revision, events);
    return { ok: true, revision };
  }

  watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<WatchBatch> {
    return this.#feed.watch(prefix, from, signal);
  }

  lease(ttlMs: number): MemoryLease {
    invariant(ttlMs > 0, "a lease needs a positive time to live");
    return new MemoryLease(String(++this.#leases), ttlMs, this.runtime, (lease) => {
      const keys = [...lease.keys];
      if (keys.length > 0) this.commit({ if: [], then: keys.map((key) => ({ delete: key })) });
    });
  }

  /** Everything but leased keys. */
  *permanent(): Generator<Stored> {
    for (const stored of this.#keys.below("")) if (stored.lease === undefined) yield stored;
  }

  copy(): MemoryCopy {
    return { revision: this.#revision, entries: Array.from(this.permanent(), entryOf) };
  }

  /** As if the copy's files had been put back: revisions are given out again. */
  putBack({ revision, entries }: MemoryCopy): void {
    for (const stored of [...this.#keys.below("")]) this.#delete(stored.key);
    for (const entry of entries) this.#keys.set(entry.key, { ...entry, lease: undefined });
    this.#revision = revision;
    this.#feed.reset(revision);
  }

  replace(entries: readonly { key: string; value: Uint8Array }[]): void {
    for (const stored of [...this.#keys.below("")]) this.#delete(stored.key);
    const revision = ++this.#revision;
    for (const { key, value } of entries) this.#put(key, value, revision, undefined);
    this.#feed.reset(revision);
  }

  #put(key: string, value: Uint8Array, revision: Revision, lease: Lease | undefined): WatchEvent {
    this.#keys.get(key)?.lease?.keys.delete(key);
    const owner = lease === undefined ? undefined : leaseOf(lease);
    owner?.keys.add(key);
    const stored: Stored = { key, value, revision, lease: owner };
    this.#keys.set(key, stored);
    return { type: "put", entry: entryOf(stored) };
  }

  #delete(key: string): boolean {
    this.#keys.get(key)?.lease?.keys.delete(key);
    return this.#keys.delete(key);
  }
}

function entryOf({ key, value, revision }: Stored): Entry {
  return { key, value, revision };
}

function leaseOf(lease: Lease): MemoryLease {
  invariant(lease instanceof MemoryLease, "a lease of another store");
  return lease;
}

/** Alive as long as its view is connected; a cut-off view's lease ends `ttlMs` later. */
class MemoryLease implements Lease {
  readonly keys = new Set<string>();
  alive = true;
  readonly #lost = deferred<void>();
  #expiry: Timer | undefined;

  constructor(
    readonly id: string,
    readonly ttlMs: number,
    private readonly runtime: Pick<Runtime, "timers">,
    private readonly ended: (lease: MemoryLease) => void,
  ) {}

  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  end(): void {
    this.#expiry?.cancel();
    if (!this.alive) return;
    this.alive = false;
    this.ended(this);
    this.#lost.resolve();
  }

  // deno-lint-ignore require-await -- the contract's shape
  async revoke(): Promise<void> {
    this.end();
  }

  cutOff(): void {
    if (!this.alive || this.#expiry !== undefined) return;
    this.#expiry = this.runtime.timers.after(this.ttlMs, () => this.end());
  }

  resume(): void {
    this.#expiry?.cancel();
    this.#expiry = undefined;
  }
}

/** One broker's connection to the service. */
export class MemoryMetadataView implements MetadataStore {
  #state: "connected" | "cut off" | "closed" = "connected";
  #connection = new AbortController();
  readonly #leases = new Set<MemoryLease>();

  constructor(private readonly service: MemoryMetadata, private readonly faults: MemoryFaults) {}

  /** Cuts the view off: its calls and watches fail until `reconnect`, its leases run out. */
  disconnect(): void {
    if (this.#state !== "connected") return;
    this.#state = "cut off";
    this.#connection.abort();
    for (const lease of this.#leases) lease.cutOff();
  }

  reconnect(): void {
    if (this.#state !== "cut off") return;
    this.#state = "connected";
    this.#connection = new AbortController();
    for (const lease of this.#leases) lease.resume();
  }

  /** The process behind the view sleeps: its leases run out unless it wakes up in time. */
  suspend(): void {
    for (const lease of this.#leases) lease.cutOff();
  }

  wake(): void {
    if (this.#state !== "connected") return;
    for (const lease of this.#leases) lease.resume();
  }

  /** The process behind the view died: leases run out by themselves, nothing works again. */
  crash(): void {
    this.disconnect();
    this.#state = "closed";
  }

  /** Lets every lease of this view expire now, as after a long pause. */
  expireLeases(): void {
    for (const lease of [...this.#leases]) lease.end();
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#call("get", key, () => this.service.get(key));
  }

  list(prefix: string): Promise<{ entries: Entry[]; revision: Revision }> {
    return this.#call("list", prefix, () => this.service.list(prefix));
  }

  commit(tx: Transaction): Promise<CommitResult> {
    const first = tx.then[0] ?? tx.if[0];
    const key = first === undefined
      ? ""
      : "put" in first
      ? first.put
      : "delete" in first
      ? first.delete
      : first.key;
    // the caller may change its bytes once the call has returned
    const then = tx.then.map((op) => "put" in op ? { ...op, value: op.value.slice() } : op);
    const own = { if: [...tx.if], then };
    return this.#call("commit", key, () => this.service.commit(own));
  }

  async *watch(prefix: string, from: Revision, signal: AbortSignal): AsyncGenerator<WatchBatch> {
    this.#check();
    const connection = this.#connection.signal;
    const either = AbortSignal.any([signal, connection]);
    for await (const batch of this.service.watch(prefix, from, either)) {
      await this.faults.after?.("watch", prefix);
      if (connection.aborted) break;
      yield batch;
    }
    if (connection.aborted && !signal.aborted) throw disconnectedError();
  }

  lease(ttlMs: number): Promise<Lease> {
    return this.#call("lease", "", () => {
      const lease = this.service.lease(ttlMs);
      this.#leases.add(lease);
      void lease.lost.then(() => this.#leases.delete(lease));
      return lease;
    });
  }

  async *snapshot(): AsyncGenerator<Uint8Array> {
    const entries = await this.#call("snapshot", "", () => [...this.service.permanent()]);
    yield* encodeSnapshot(entries);
  }

  async restore(from: AsyncIterable<Uint8Array>): Promise<void> {
    const entries = await decodeSnapshot(from);
    await this.#call("restore", "", () => this.service.replace(entries));
  }

  // deno-lint-ignore require-await -- the contract's shape
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    if (this.#state === "connected") this.expireLeases();
    this.disconnect();
    this.#state = "closed";
  }

  async #call<T>(call: MemoryCall, key: string, effect: () => T): Promise<T> {
    this.#check();
    await this.faults.before?.(call, key);
    this.#check();
    const result = effect();
    await this.faults.after?.(call, key);
    this.#check();
    return result;
  }

  #check(): void {
    if (this.#state === "closed") throw closedError();
    if (this.#state === "cut off") throw disconnectedError();
  }
}

/** For fault hooks: what an unreachable store answers. */
export function unreachableMetadata(): MetadataError {
  return disconnectedError();
}
