import type {
  CommitResult,
  Entry,
  Lease,
  MetadataError,
  MetadataStore,
  Revision,
  Transaction,
  WatchBatch,
} from "./metadata_store.ts";

/** A metadata store, and how far whoever uses it has seen it. */
export class SeenMetadata implements MetadataStore {
  /** The greatest that any answer told; 0: none has. */
  revision: Revision = 0;
  readonly failed?: Promise<MetadataError>;

  constructor(readonly inner: MetadataStore) {
    if (inner.failed !== undefined) this.failed = inner.failed;
  }

  async get(key: string): Promise<Entry | undefined> {
    const entry = await this.inner.get(key);
    if (entry !== undefined) this.#saw(entry.revision);
    return entry;
  }

  async list(prefix: string): Promise<{ entries: Entry[]; revision: Revision }> {
    const listing = await this.inner.list(prefix);
    this.#saw(listing.revision);
    return listing;
  }

  async commit(tx: Transaction): Promise<CommitResult> {
    const result = await this.inner.commit(tx);
    if (result.ok) this.#saw(result.revision);
    return result;
  }

  async *watch(prefix: string, from: Revision, signal: AbortSignal): AsyncGenerator<WatchBatch> {
    for await (const batch of this.inner.watch(prefix, from, signal)) {
      if (!("compacted" in batch)) this.#saw(batch.revision);
      yield batch;
    }
  }

  lease(ttlMs: number): Promise<Lease> {
    return this.inner.lease(ttlMs);
  }

  snapshot(): AsyncIterable<Uint8Array> {
    return this.inner.snapshot();
  }

  restore(from: AsyncIterable<Uint8Array>): Promise<void> {
    return this.inner.restore(from);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  #saw(revision: Revision): void {
    this.revision = Math.max(this.revision, revision);
  }
}
