import { METADATA_RETRY_MAX_MS, METADATA_RETRY_MIN_MS } from "../config/limits.ts";
import { type Runtime, sleep } from "../runtime/mod.ts";
import type { Entry, MetadataStore, Revision, WatchEvent } from "./metadata_store.ts";

export interface FollowerOptions {
  readonly runtime: Runtime;
  readonly store: MetadataStore;
  readonly prefix: string;
  /** For the log: "topics", "assignments". */
  readonly what: string;
  /** Everything below the prefix as of `revision`; replaces what was known. */
  load(entries: readonly Entry[], revision: Revision): void;
  /** What one revision changed. */
  apply(events: readonly WatchEvent[], revision: Revision): void;
}

/**
 * Keeps a view of everything below a prefix current: lists, then watches, and lists again after a
 * fault or a gap. Through an outage the view stays as it was (I10).
 */
export class Follower {
  revision: Revision = 0;
  readonly #stop = new AbortController();
  #pause: AbortController | undefined;
  #following: Promise<void> | undefined;

  constructor(readonly options: FollowerOptions) {}

  /** Lists once; rejects when the store cannot be read. Then follows until `stop`. */
  async start(): Promise<void> {
    await this.#list();
    this.#following = this.#follow();
  }

  /** Lists now, and goes on from there: the view is no older than this call when it resolves. */
  async refresh(): Promise<void> {
    await this.#list();
    this.hurry();
  }

  /** The store answers again: no reason to sit a pause out. */
  hurry(): void {
    this.#pause?.abort();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  async #list(): Promise<void> {
    const { store, prefix, load } = this.options;
    const before = this.revision;
    const { entries, revision } = await store.list(prefix);
    // The watch, or another listing, has told more meanwhile, and it would not be told again.
    if (revision < this.revision && this.revision > before) return;
    load(entries, revision);
    this.revision = Math.max(this.revision, revision);
  }

  async #follow(): Promise<void> {
    const { store, prefix, apply, runtime, what } = this.options;
    const { signal } = this.#stop;
    let pauseMs = METADATA_RETRY_MIN_MS;
    while (!signal.aborted) {
      try {
        for await (const batch of store.watch(prefix, this.revision, signal)) {
          pauseMs = METADATA_RETRY_MIN_MS;
          if ("compacted" in batch) break;
          // a refresh may have brought it already, and more
          if (batch.revision <= this.revision) continue;
          apply(batch.events, batch.revision);
          this.revision = batch.revision;
        }
        if (signal.aborted) return;
        await this.#list();
      } catch (error) {
        if (signal.aborted) return;
        runtime.log.warn(`${what} are not followed at the moment; trying again`, {
          error,
          pauseMs,
        });
        this.#pause = new AbortController();
        await sleep(runtime.timers, pauseMs, AbortSignal.any([signal, this.#pause.signal]));
        this.#pause = undefined;
        pauseMs = Math.min(pauseMs * 2, METADATA_RETRY_MAX_MS);
      }
    }
  }
}
