/**
 * MetadataStore on SQLite in the data directory, for one broker process.
 *
 * Transactions wait in a queue; what has gathered there becomes one SQLite transaction, one fsync.
 * SQLite itself never syncs (synchronous=OFF), since that would stop the event loop; the thread
 * pool does it, in the order that makes its write-ahead log safe against power loss:
 * 1. a group's frames are written to the log by COMMIT, then the log is fdatasync'ed, and only then
 *     is anybody answered: with the result, with a refusal, or with data read in the meantime;
 *  2. a checkpoint copies only synced frames into the database file, and the file is fdatasync'ed
 *     before the next transaction, which is the first that may start the log over.
 * A torn tail of the log fails SQLite's checksums and is dropped: nothing of it was acknowledged.
 * After a failed sync the store refuses everything, and says so by `failed`: only reading the files
 * anew, which the next start does, tells what they hold.
 *
 * A lease cannot outlive the process, and no one else can see the keys: so leases end by revocation
 * and close alone, and what a killed process left under leases is deleted at the next open.
 */
import {
  type CommitResult,
  type Entry,
  type Lease,
  type MetadataError,
  type MetadataStore,
  type Revision,
  type Transaction,
  type WatchBatch,
  type WatchEvent,
} from "../../../core/metadata/metadata_store.ts";
import { decodeSnapshot, encodeSnapshot } from "../../../core/metadata/snapshot_format.ts";
import { WatchFeed } from "../../../core/metadata/watch_feed.ts";
import { deferred, invariant } from "../../../core/runtime/mod.ts";
import { Database } from "./database.ts";
import {
  closedError,
  lostLeaseError,
  openError,
  overloadedError,
  syncError,
  writeError,
} from "./errors.ts";
import { type DirectoryLock, lockDirectory, SyncedFiles } from "./files.ts";
import { EMBEDDED_LIMITS, type EmbeddedSettings } from "./settings.ts";

/**
 * A queued change. `apply` runs inside the group's SQLite transaction, `done` once it is durable.
 */
interface Job {
  readonly bytes: number;
  apply(): void;
  done(): void;
  failed(error: MetadataError): void;
}

/**
 * Opens, or creates, the store in `settings.dataDir`. Rejects with a fatal MetadataError whose
 * message is for the operator: in use, not writable, damaged, of another version.
 */
export async function openEmbeddedMetadata(settings: EmbeddedSettings): Promise<MetadataStore> {
  const { dataDir } = settings;
  let lock: DirectoryLock | undefined;
  let database: Database | undefined;
  try {
    lock = await lockDirectory(dataDir);
    database = new Database(dataDir);
    const revision = database.revision() + 1;
    database.begin();
    database.deleteLeased();
    database.commit(revision);
    const files = await SyncedFiles.open(dataDir);
    await files.syncLog();
    return new EmbeddedMetadata(settings, lock, database, files, revision);
  } catch (error) {
    database?.close();
    lock?.release();
    throw openError(dataDir, error);
  }
}

class EmbeddedMetadata implements MetadataStore {
  #revision: Revision;
  readonly #feed: WatchFeed;
  #queue: Job[] = [];
  #running: Promise<void> | undefined;
  /** Settles when what can be read now is durable; undefined when it is. */
  #syncing: Promise<void> | undefined;
  #unsavedBytes = 0;
  #failure: MetadataError | undefined;
  readonly #failed = deferred<MetadataError>();
  #closed: Promise<void> | undefined;
  readonly #closing = new AbortController();
  readonly #leases = new Set<EmbeddedLease>();
  #leaseCount = 0;

  constructor(
    settings: EmbeddedSettings,
    private readonly lock: DirectoryLock,
    private readonly database: Database,
    private readonly files: SyncedFiles,
    revision: Revision,
  ) {
    this.#revision = revision;
    this.#feed = new WatchFeed(revision, settings.watch ?? EMBEDDED_LIMITS.watch);
  }

  get failed(): Promise<MetadataError> {
    return this.#failed.promise;
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#read(() => this.database.get(key));
  }

  list(prefix: string): Promise<{ entries: Entry[]; revision: Revision }> {
    return this.#read(() => ({ entries: this.database.below(prefix), revision: this.#revision }));
  }

  commit(tx: Transaction): Promise<CommitResult> {
    const written = new Set(tx.then.map((op) => "put" in op ? op.put : op.delete));
    invariant(written.size === tx.then.length, "at most one operation per key");
    // the caller may change its bytes once the call has returned
    const then = tx.then.map((op) => "put" in op ? { ...op, value: op.value.slice() } : op);
    let bytes = 0;
    for (const op of then) if ("put" in op) bytes += op.value.length + op.put.length;
    return this.#enqueue(bytes, () => this.#apply({ if: [...tx.if], then }));
  }

  async *watch(prefix: string, from: Revision, signal: AbortSignal): AsyncGenerator<WatchBatch> {
    this.#check();
    const closing = this.#closing.signal;
    yield* this.#feed.watch(prefix, from, AbortSignal.any([signal, closing]));
    if (closing.aborted && !signal.aborted) throw this.#failure ?? closedError();
  }

  // deno-lint-ignore require-await -- the contract's shape
  async lease(ttlMs: number): Promise<Lease> {
    this.#check();
    invariant(ttlMs > 0, "a lease needs a positive time to live");
    const lease = new EmbeddedLease(String(++this.#leaseCount), ttlMs, async () => {
      this.#leases.delete(lease);
      if (this.#failure === undefined) await this.#deleteKeys(lease);
    });
    this.#leases.add(lease);
    return lease;
  }

  async *snapshot(): AsyncGenerator<Uint8Array> {
    const entries = await this.#read(() => this.database.permanent());
    yield* encodeSnapshot(entries);
  }

  async restore(from: AsyncIterable<Uint8Array>): Promise<void> {
    const entries = await decodeSnapshot(from);
    const bytes = entries.reduce((sum, entry) => sum + entry.value.length, 0);
    await this.#enqueue(bytes, () => {
      this.database.deleteAll();
      const revision = ++this.#revision;
      for (const { key, value } of entries) this.database.put(key, value, revision, false);
      return {
        result: undefined,
        publish: () => {
          for (const lease of this.#leases) lease.keys.clear();
          this.#feed.reset(revision);
        },
      };
    });
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#leases].map((lease) => lease.revoke()));
    this.#closing.abort();
    await this.#running;
    try {
      if (this.#failure === undefined) await this.#checkpoint();
    } finally {
      // SQLite deletes the write-ahead log here; the database file holds all of it, synced
      this.database.close();
      await this.files.close();
      this.lock.release();
    }
  }

  /** Runs `read`, and hands its result over once what it saw is durable. */
  async #read<T>(read: () => T): Promise<T> {
    this.#check();
    let result: T;
    try {
      result = read();
    } catch (error) {
      throw writeError(error);
    }
    await this.#syncing;
    return result;
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing.signal.aborted) throw closedError();
  }

  #enqueue<T>(
    bytes: number,
    apply: () => { result: T; publish(): void },
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#check();
      if (this.#queue.length >= EMBEDDED_LIMITS.queuedTransactions) throw overloadedError();
      let applied: { result: T; publish(): void } | undefined;
      this.#queue.push({
        bytes,
        apply: () => applied = apply(),
        done: () => {
          applied!.publish();
          resolve(applied!.result);
        },
        failed: reject,
      });
      this.#running ??= this.#run();
    });
  }

  /** Writes group after group until nothing waits; never rejects. */
  async #run(): Promise<void> {
    // lets transactions of the same burst join the first group; later ones join the next, which
    // gathers while the first is made durable
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0, EMBEDDED_LIMITS.groupTransactions);
      try {
        this.#check();
        const written = this.#write(group);
        if (written.length === 0) continue;
        await this.#sync();
        for (const job of written) job.done();
        if (this.#unsavedBytes >= EMBEDDED_LIMITS.checkpointBytes) await this.#checkpoint();
      } catch (error) {
        for (const job of group) job.failed(writeError(error));
      }
    }
    // in the same step as the last look at the queue, so that no job is left behind
    this.#running = undefined;
  }

  /**
   * One SQLite transaction; returns the jobs that it holds. Those refused alone are failed here.
   */
  #write(group: readonly Job[]): Job[] {
    const before = this.#revision;
    const written: Job[] = [];
    try {
      this.database.begin();
      for (const job of group) {
        try {
          job.apply();
          written.push(job);
          this.#unsavedBytes += job.bytes + 4096;
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          job.failed(error.reason);
        }
      }
      this.database.commit(this.#revision);
      return written;
    } catch (error) {
      this.#revision = before;
      this.database.rollback();
      throw writeError(error);
    }
  }

  async #sync(): Promise<void> {
    const syncing = this.files.syncLog().catch((error) => {
      this.#fail(syncError(error));
      throw this.#failure;
    });
    this.#syncing = syncing;
    try {
      await syncing;
    } finally {
      this.#syncing = undefined;
    }
  }

  async #checkpoint(): Promise<void> {
    try {
      this.database.checkpoint();
      await this.files.syncDatabase();
      this.#unsavedBytes = 0;
    } catch (error) {
      this.#fail(syncError(error));
    }
  }

  #fail(error: MetadataError): void {
    this.#failure ??= error;
    this.#failed.resolve(this.#failure);
    this.#closing.abort();
    for (const lease of [...this.#leases]) void lease.revoke();
  }

  #apply(tx: Transaction): { result: CommitResult; publish(): void } {
    for (const { key, revision } of tx.if) {
      if (this.database.revisionOf(key) !== revision) {
        return { result: { ok: false }, publish: () => {} };
      }
    }
    for (const op of tx.then) {
      if ("put" in op && op.lease && !leaseOf(op.lease).alive) throw new Refused(lostLeaseError());
    }
    const revision = ++this.#revision;
    const events: WatchEvent[] = [];
    for (const op of tx.then) {
      if ("put" in op) {
        this.database.put(op.put, op.value, revision, op.lease !== undefined);
        events.push({ type: "put", entry: { key: op.put, value: op.value, revision } });
      } else if (this.database.delete(op.delete)) {
        events.push({ type: "delete", key: op.delete, revision });
      }
    }
    return {
      result: { ok: true, revision },
      publish: () => {
        for (const op of tx.then) this.#own("put" in op ? op.put : op.delete, op);
        this.#feed.publish(revision, events);
      },
    };
  }

  /** Keeps track of which lease a key belongs to after `op`. */
  #own(key: string, op: Transaction["then"][number]): void {
    for (const lease of this.#leases) lease.keys.delete(key);
    if ("put" in op && op.lease !== undefined) leaseOf(op.lease).keys.add(key);
  }

  async #deleteKeys(lease: EmbeddedLease): Promise<void> {
    // after every write that was queued before it, so that no key of the lease is missed
    await this.#enqueue(0, () => {
      const keys = [...lease.keys];
      return this.#apply({ if: [], then: keys.map((key) => ({ delete: key })) });
    });
  }
}

/** A job that cannot be done, without harm to the others of its group. */
class Refused extends Error {
  constructor(readonly reason: MetadataError) {
    super(reason.message);
  }
}

class EmbeddedLease implements Lease {
  readonly keys = new Set<string>();
  alive = true;
  readonly #lost = deferred<void>();
  #revoked: Promise<void> | undefined;

  constructor(
    readonly id: string,
    readonly ttlMs: number,
    private readonly ended: () => Promise<void>,
  ) {}

  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  revoke(): Promise<void> {
    this.alive = false;
    return this.#revoked ??= this.ended().finally(() => this.#lost.resolve());
  }
}

function leaseOf(lease: Lease): EmbeddedLease {
  invariant(lease instanceof EmbeddedLease, "a lease of another store");
  return lease;
}
