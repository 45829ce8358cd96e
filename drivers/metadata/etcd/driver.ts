/**
 * MetadataStore on etcd (v3 API, 3.4 and later), for a cluster of brokers.
 *
 * A commit is one etcd transaction. It is sent once, over a connection that has just answered; when
 * no answer comes back its outcome is open and the contract's "retry" says so. Reads are
 * linearizable and are repeated on the other endpoints. The layout of keys is in keyspace.ts.
 *
 * Revisions are etcd's own. They go back only when etcd is replaced by an older copy of itself, for
 * example restored from a snapshot: the store then refuses everything (`failed`), since what this
 * process remembers may never have happened, and a compare could hold by accident.
 */
import { encodeUtf8 } from "../../../core/bytes/mod.ts";
import {
  type CommitResult,
  type Entry,
  type Lease,
  MetadataError,
  type MetadataStore,
  type Revision,
  type Transaction,
  type WatchBatch,
} from "../../../core/metadata/metadata_store.ts";
import {
  decodeSnapshot,
  encodeSnapshot,
  type SnapshotEntry,
} from "../../../core/metadata/snapshot_format.ts";
import { deferred, invariant, type Runtime, sleep } from "../../../core/runtime/mod.ts";
import { Connection } from "./connection.ts";
import {
  EtcdFault,
  lostLeaseError,
  metadataError,
  openError,
  Status,
  tooLargeError,
} from "./errors.ts";
import { type Generation, generationOf, Keyspace } from "./keyspace.ts";
import { EtcdLease } from "./lease.ts";
import { type Listing, listKeys } from "./listing.ts";
import {
  compareRevision,
  entryOf,
  type LeaseAnswer,
  type RangeAnswer,
  type TxnAnswer,
} from "./messages.ts";
import { ETCD_LIMITS, type EtcdSettings, readTlsFiles } from "./settings.ts";
import { watchKeys } from "./watch.ts";

/**
 * Connects. Rejects within two time-outs and a little with a fatal MetadataError for the
 * operator: unreachable, certificate or password refused.
 */
export async function openEtcdMetadata(
  settings: EtcdSettings,
  runtime: Runtime,
): Promise<MetadataStore> {
  const tls = await readTlsFiles(settings);
  const store = new EtcdMetadata(settings, tls, runtime);
  const endMs = runtime.clock.monotonicMs() + ETCD_LIMITS.openTimeouts * settings.timeoutMs;
  for (;;) {
    try {
      await store.refresh();
      return store;
    } catch (error) {
      const passing = error instanceof MetadataError && error.outcome === "retry";
      if (!passing || runtime.clock.monotonicMs() >= endMs) {
        await store.close();
        throw openError(settings.endpoints, error);
      }
      await sleep(runtime.timers, ETCD_LIMITS.pauseMinMs);
    }
  }
}

class EtcdMetadata implements MetadataStore {
  readonly #keys: Keyspace;
  readonly #connection: Connection;
  readonly #runtime: Runtime;
  readonly #leases = new Set<EtcdLease>();
  readonly #failed = deferred<MetadataError>();
  #generation: Generation = { number: 1, revision: 0 };
  #closed: Promise<void> | undefined;

  constructor(
    settings: EtcdSettings,
    tls: Awaited<ReturnType<typeof readTlsFiles>>,
    runtime: Runtime,
  ) {
    this.#runtime = runtime;
    this.#keys = new Keyspace(settings.prefix);
    this.#connection = new Connection({
      settings,
      tls,
      runtime,
      probeKey: this.#keys.generationKey,
      onLost: (error) => {
        runtime.log.error("metadata was lost", { error });
        for (const lease of [...this.#leases]) lease.end();
        this.#failed.resolve(error);
      },
    });
  }

  get failed(): Promise<MetadataError> {
    return this.#failed.promise;
  }

  /** Asks which generation counts. */
  async refresh(): Promise<{ generation: Generation; revision: Revision }> {
    const answer = await this.#range({ key: this.#keys.generationKey });
    this.#generation = generationOf(answer.kvs[0]);
    return { generation: this.#generation, revision: Number(answer.header.revision) };
  }

  async get(key: string): Promise<Entry | undefined> {
    return await this.#inGeneration(async (generation) => {
      const request = {
        compare: [],
        success: [
          { request_range: { key: this.#keys.generationKey } },
          { request_range: { key: this.#keys.key(generation, key) } },
        ],
        failure: [],
      };
      const { responses } = await this.#asking(() =>
        this.#connection.read<TxnAnswer>("KV", "txn", request)
      );
      const [named, found] = responses.map((each) => each.response_range!);
      if (!this.#counts(generation, generationOf(named!.kvs[0]))) return "replaced";
      const [kv] = found!.kvs;
      return kv && entryOf(this.#keys, generation, kv);
    });
  }

  async list(prefix: string): Promise<{ entries: Entry[]; revision: Revision }> {
    const { kvs, generation, revision } = await this.#all(prefix);
    return { entries: kvs.map((kv) => entryOf(this.#keys, generation, kv)), revision };
  }

  async commit(tx: Transaction): Promise<CommitResult> {
    const written = new Set(tx.then.map((op) => "put" in op ? op.put : op.delete));
    invariant(written.size === tx.then.length, "at most one operation per key");
    // the caller may change its bytes once the call has returned
    const then = tx.then.map((op) => "put" in op ? { ...op, value: op.value.slice() } : op);
    const own = { if: [...tx.if], then };
    return await this.#inGeneration((generation) => this.#commit(generation, own));
  }

  async *watch(prefix: string, from: Revision, signal: AbortSignal): AsyncGenerator<WatchBatch> {
    this.#connection.check();
    const { closing } = this.#connection;
    const host = {
      connection: this.#connection,
      keys: this.#keys,
      runtime: this.#runtime,
      generation: () => this.refresh(),
    };
    yield* watchKeys(host, prefix, from, AbortSignal.any([signal, closing]));
    if (closing.aborted && !signal.aborted) throw this.#connection.reason;
  }

  async lease(ttlMs: number): Promise<Lease> {
    invariant(ttlMs > 0, "a lease needs a positive time to live");
    const askedMs = this.#runtime.clock.monotonicMs();
    // a grant whose answer is lost leaves an empty lease, which runs out
    const request = { ID: "0", TTL: String(Math.ceil(ttlMs / 1000)) };
    const answer = await this.#asking(() =>
      this.#connection.read<LeaseAnswer>("Lease", "leaseGrant", request)
    );
    // etcd has a least time to live, about one and a half election time-outs
    const granted = Math.max(ttlMs, Number(answer.TTL) * 1000);
    const lease = new EtcdLease(answer.ID, granted, this.#connection, this.#runtime);
    this.#leases.add(lease);
    void lease.lost.then(() => this.#leases.delete(lease));
    lease.keepAlive(askedMs);
    return lease;
  }

  async *snapshot(): AsyncGenerator<Uint8Array> {
    const { kvs, generation } = await this.#all("");
    const permanent = kvs.filter((kv) => kv.lease === "0");
    yield* encodeSnapshot(permanent.map((kv) => entryOf(this.#keys, generation, kv)));
  }

  async restore(from: AsyncIterable<Uint8Array>): Promise<void> {
    const entries = await decodeSnapshot(from);
    const before = (await this.refresh()).generation;
    const reserved = await this.#asking(() =>
      this.#connection.once<TxnAnswer>("put", { key: this.#keys.restoringKey, value: EMPTY })
    );
    const generation = { number: Number(reserved.header.revision), revision: 0 };
    await this.#fill(generation, entries);
    const { generationKey } = this.#keys;
    const value = encodeUtf8(String(generation.number));
    const flipped = await this.#asking(() =>
      this.#connection.once<TxnAnswer>("txn", {
        compare: [compareRevision(generationKey, before.revision)],
        success: [{ request_put: { key: generationKey, value } }],
        failure: [],
      })
    );
    if (!flipped.succeeded) {
      throw new MetadataError("retry", "the metadata is being restored by somebody else, too");
    }
    this.#generation = { ...generation, revision: Number(flipped.header.revision) };
    for (const range of this.#keys.others(generation)) {
      await this.#asking(() => this.#connection.read("KV", "deleteRange", range));
    }
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    const leases = [...this.#leases];
    const limit = new AbortController();
    const late = sleep(this.#runtime.timers, ETCD_LIMITS.closeMs, limit.signal);
    const revoked = Promise.allSettled(leases.map((lease) => lease.revoke()));
    await Promise.race([revoked, late]);
    limit.abort();
    await this.#connection.close();
    for (const lease of leases) lease.end();
    await revoked;
    for (const lease of leases) await lease.settled();
  }

  async #commit(generation: Generation, tx: Transaction): Promise<CommitResult | "replaced"> {
    const request = this.#transaction(generation, tx);
    const bytes = sizeOf(tx);
    const operations = Math.max(request.compare.length, request.success.length);
    let answer: TxnAnswer;
    try {
      answer = await this.#connection.once<TxnAnswer>("txn", request);
    } catch (error) {
      if (!(error instanceof EtcdFault)) throw error;
      const { code } = error;
      const large = bytes > ETCD_LIMITS.requestBytes;
      if (code === Status.NOT_FOUND) throw lostLeaseError();
      if (
        code === Status.INVALID_ARGUMENT && (large || operations > ETCD_LIMITS.transactionOps) ||
        code === Status.RESOURCE_EXHAUSTED && large
      ) throw tooLargeError(bytes, operations, error.message);
      throw metadataError(error);
    }
    if (answer.succeeded) return { ok: true, revision: Number(answer.header.revision) };
    const now = generationOf(answer.responses[0]?.response_range?.kvs[0]);
    return this.#counts(generation, now) ? { ok: false } : "replaced";
  }

  #transaction(generation: Generation, tx: Transaction) {
    const keys = this.#keys;
    const success = tx.then.map((op) => {
      if ("delete" in op) return { request_delete_range: { key: keys.key(generation, op.delete) } };
      const lease = op.lease === undefined ? "0" : leaseOf(op.lease).id;
      return { request_put: { key: keys.key(generation, op.put), value: op.value, lease } };
    });
    return {
      compare: [
        compareRevision(keys.generationKey, generation.revision),
        ...tx.if.map(({ key, revision }) => compareRevision(keys.key(generation, key), revision)),
      ],
      success,
      failure: [{ request_range: { key: keys.generationKey } }],
    };
  }

  /** Whether the generation of a call still counts; if not, takes note of the one that does. */
  #counts(generation: Generation, now: Generation): boolean {
    if (now.revision === generation.revision) return true;
    this.#generation = now;
    return false;
  }

  /** Runs `call` again where the metadata was replaced in between; it had no effect then. */
  async #inGeneration<T>(call: (generation: Generation) => Promise<T | "replaced">): Promise<T> {
    for (;;) {
      const result = await call(this.#generation);
      if (result !== "replaced") return result;
    }
  }

  async #all(prefix: string): Promise<Listing> {
    const listing = await this.#asking(() =>
      listKeys(this.#connection, this.#keys, this.#generation, prefix)
    );
    this.#generation = listing.generation;
    return listing;
  }

  /** Writes the entries of a generation that does not count yet. */
  async #fill(generation: Generation, entries: readonly SnapshotEntry[]): Promise<void> {
    for (const piece of pieces(entries)) {
      const success = piece.map(({ key, value }) => ({
        request_put: { key: this.#keys.key(generation, key), value },
      }));
      try {
        // nobody else writes there: repeating does no harm
        await this.#connection.read("KV", "txn", { compare: [], success, failure: [] });
      } catch (error) {
        if (!(error instanceof EtcdFault)) throw error;
        const bytes = piece.reduce((sum, { value }) => sum + value.length, 0);
        if (error.passing || bytes <= ETCD_LIMITS.requestBytes) throw metadataError(error);
        throw tooLargeError(bytes, piece.length, error.message);
      }
    }
  }

  #range(request: unknown): Promise<RangeAnswer> {
    return this.#asking(() => this.#connection.read<RangeAnswer>("KV", "range", request));
  }

  async #asking<T>(call: () => Promise<T>): Promise<T> {
    try {
      this.#connection.check();
      return await call();
    } catch (error) {
      throw error instanceof EtcdFault ? metadataError(error) : error;
    }
  }
}

const EMPTY = new Uint8Array(0);

function sizeOf({ then }: Transaction): number {
  let bytes = 0;
  for (const op of then) if ("put" in op) bytes += op.put.length + op.value.length;
  return bytes;
}

/** Cuts a restore into transactions that etcd takes. */
function* pieces(entries: readonly SnapshotEntry[]): Generator<SnapshotEntry[]> {
  let piece: SnapshotEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = entry.key.length + entry.value.length;
    const full = piece.length === ETCD_LIMITS.transactionOps ||
      bytes + size > ETCD_LIMITS.pageBytes;
    if (full && piece.length > 0) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(entry);
    bytes += size;
  }
  if (piece.length > 0) yield piece;
}

function leaseOf(lease: Lease): EtcdLease {
  invariant(lease instanceof EtcdLease, "a lease of another store");
  if (!lease.alive) throw lostLeaseError();
  return lease;
}
