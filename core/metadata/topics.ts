/**
 * The topics of the cluster: a view in memory that follows the store by list and watch, and the
 * changes to it, each one compare-and-set transaction (I7). Reads never touch the store, so they
 * work through a metadata outage (I10); changes then get REQUEST_TIMED_OUT, which clients try
 * again.
 */
import type { Config } from "../config/config.ts";
import { METADATA_COMMITS_PARALLEL, METADATA_VIEW_WAIT_MS } from "../config/limits.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { type Runtime, Semaphore } from "../runtime/mod.ts";
import { seal, unseal } from "./envelope.ts";
import { Follower } from "./follower.ts";
import { LIVE_TOPICS_PREFIX, topicDeletionKey, topicKey, TOPICS_PREFIX } from "./keys.ts";
import { MetadataError, type MetadataStore, type Revision } from "./metadata_store.ts";
import { TOPIC_DELETION } from "./records.ts";
import {
  type PendingDeletion,
  type TopicChange,
  type TopicInfo,
  topicOf,
  TopicView,
} from "./topic_view.ts";
import {
  type AddPartitions,
  type AlterConfigs,
  type CreateTopic,
  outcomeOf,
  type TopicOutcome,
  type TopicTarget,
  TopicWriter,
} from "./topic_writer.ts";

export type { PendingDeletion, TopicChange, TopicInfo } from "./topic_view.ts";
export type {
  AddPartitions,
  AlterConfigs,
  CreateTopic,
  TopicOutcome,
  TopicTarget,
} from "./topic_writer.ts";

export interface TopicRegistryOptions {
  readonly runtime: Runtime;
  readonly store: MetadataStore;
  readonly config: Config;
}

interface ViewWaiter {
  readonly revision: Revision;
  done(reached: boolean): void;
}

export class TopicRegistry {
  readonly #runtime: Runtime;
  readonly #store: MetadataStore;
  readonly #view = new TopicView();
  readonly #writer: TopicWriter;
  readonly #listeners = new Set<(change: TopicChange) => void>();
  readonly #waiters = new Set<ViewWaiter>();
  readonly #parallel = new Semaphore(METADATA_COMMITS_PARALLEL);
  readonly #follower: Follower;
  #stopped = false;

  constructor({ runtime, store, config }: TopicRegistryOptions) {
    this.#runtime = runtime;
    this.#store = store;
    this.#writer = new TopicWriter(runtime, store, config, this.#view, (r) => this.#reached(r));
    this.#follower = new Follower({
      runtime,
      store,
      prefix: TOPICS_PREFIX,
      what: "topics",
      load: (entries, revision) => this.#tell(this.#view.load(entries, revision)),
      apply: (events, revision) => this.#tell(this.#view.apply(events, revision)),
    });
  }

  /** Loads the view and follows the store from then on; rejects when the store cannot be read. */
  start(): Promise<void> {
    return this.#follower.start();
  }

  /** Ends following; changes that wait for the view are answered REQUEST_TIMED_OUT. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const waiter of [...this.#waiters]) waiter.done(false);
    await this.#follower.stop();
  }

  byName(name: string): TopicInfo | undefined {
    return this.#view.byName(name);
  }

  byId(id: string): TopicInfo | undefined {
    return this.#view.byId(id);
  }

  /** All topics, in the order in which they were met. */
  all(): Iterable<TopicInfo> {
    return this.#view.all();
  }

  get topicCount(): number {
    return this.#view.topicCount;
  }

  /** Partitions of all topics. */
  get partitionCount(): number {
    return this.#view.partitionCount;
  }

  /**
   * Calls `listener` after each change of the view, in order; returns the function that ends it.
   * The topics that are there already are not told.
   */
  onChange(listener: (change: TopicChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Creates topics, each on its own: outcomes in the order of the requests. Once an outcome is
   * here, the view has the topic (for TOPIC_ALREADY_EXISTS too).
   */
  create(requests: readonly CreateTopic[], validateOnly = false): Promise<TopicOutcome[]> {
    return this.#each(requests, (request) => this.#writer.create(request, validateOnly));
  }

  /**
   * Whether topics of these names can be told from none by now: asks the store for those that the
   * view doesn't have, since another broker may have made them while the watch was behind.
   */
  async knows(names: readonly string[]): Promise<boolean> {
    try {
      const known = await Promise.all(names.map((name) =>
        this.#view.byName(name) !== undefined ||
        this.#parallel.within(() => this.#caughtUpWith({ name }))
      ));
      return known.every((each) => each);
    } catch (error) {
      if (error instanceof MetadataError) return false;
      throw error;
    }
  }

  /** Deletes topics, by id or name; their objects are `pendingDeletions` from then on. */
  delete(targets: readonly TopicTarget[]): Promise<TopicOutcome[]> {
    return this.#each(targets, async (target) => {
      await this.#caughtUpWith(target);
      return await this.#writer.delete(target);
    });
  }

  addPartitions(
    requests: readonly AddPartitions[],
    validateOnly = false,
  ): Promise<TopicOutcome[]> {
    return this.#each(requests, async (request) => {
      await this.#caughtUpWith(request);
      return await this.#writer.addPartitions(request, validateOnly);
    });
  }

  alterConfigs(
    requests: readonly AlterConfigs[],
    validateOnly = false,
  ): Promise<TopicOutcome[]> {
    return this.#each(requests, async (request) => {
      await this.#caughtUpWith(request);
      return await this.#writer.alterConfigs(request, validateOnly);
    });
  }

  /** Deleted topics whose objects may still be there. */
  pendingDeletions(): PendingDeletion[] {
    return this.#view.deletions().filter(({ sweptAtMs }) => sweptAtMs === 0);
  }

  /** Deleted topics whose objects were removed once, and are looked for once more. */
  tombstones(): PendingDeletion[] {
    return this.#view.deletions().filter(({ sweptAtMs }) => sweptAtMs !== 0);
  }

  /** The objects of a deleted topic are removed; its record stays as a tombstone. Idempotent. */
  async noteSwept(id: string, nowMs: number): Promise<void> {
    const key = topicDeletionKey(id);
    const entry = await this.#store.get(key);
    if (entry === undefined) return;
    const record = unseal(TOPIC_DELETION, key, entry.value);
    if (record.swept_at_ms !== 0) return void await this.#reached(entry.revision);
    const value = seal(TOPIC_DELETION, { ...record, swept_at_ms: Math.max(1, Math.floor(nowMs)) });
    const { revision } = entry;
    const result = await this.#store.commit({
      if: [{ key, revision }],
      then: [{ put: key, value }],
    });
    if (result.ok) await this.#reached(result.revision);
  }

  /** Nothing can be left of a deleted topic: forgets the deletion. Idempotent. */
  async finishDeletion(id: string): Promise<void> {
    const revision = this.#view.deletionRevision(id);
    if (revision === undefined) return;
    const key = topicDeletionKey(id);
    const result = await this.#store.commit({ if: [{ key, revision }], then: [{ delete: key }] });
    if (result.ok) await this.#reached(result.revision);
  }

  /**
   * Before a change is refused for a topic that the view doesn't have: asks the store, since
   * another broker may have made it while the watch was behind. False: one is there that the view
   * does not get in time.
   */
  async #caughtUpWith(target: TopicTarget): Promise<boolean> {
    if ("id" in target) {
      if (this.#view.byId(target.id) !== undefined) return true;
      const { entries } = await this.#store.list(LIVE_TOPICS_PREFIX);
      const found = entries.find((entry) => topicOf(entry).id === target.id);
      return found === undefined || await this.#reached(found.revision);
    }
    if (this.#view.byName(target.name) !== undefined) return true;
    const found = await this.#store.get(topicKey(target.name));
    return found === undefined || await this.#reached(found.revision);
  }

  async #each<T>(
    items: readonly T[],
    run: (item: T) => Promise<TopicOutcome>,
  ): Promise<TopicOutcome[]> {
    return await Promise.all(items.map(async (item) => {
      try {
        return await this.#parallel.within(() => run(item));
      } catch (error) {
        if (!(error instanceof MetadataError)) throw error;
        this.#runtime.log.warn("a topic change failed, because metadata is not available", {
          error,
        });
        return outcomeOf(
          error.outcome === "retry" ? ErrorCode.REQUEST_TIMED_OUT : ErrorCode.KAFKA_STORAGE_ERROR,
          `metadata is not available: ${error.message}`,
        );
      }
    }));
  }

  /** Resolves once the view holds `revision`: true, or false when it takes too long. */
  #reached(revision: Revision): Promise<boolean> {
    if (this.#view.revision >= revision) return Promise.resolve(true);
    if (this.#stopped) return Promise.resolve(false);
    return new Promise((resolve) => {
      const waiter: ViewWaiter = {
        revision,
        done: (reached) => {
          timer.cancel();
          this.#waiters.delete(waiter);
          resolve(reached);
        },
      };
      const timer = this.#runtime.timers.after(METADATA_VIEW_WAIT_MS, () => waiter.done(false));
      this.#waiters.add(waiter);
      this.#follower.hurry();
    });
  }

  #tell(changes: readonly TopicChange[]): void {
    for (const change of changes) {
      for (const listener of [...this.#listeners]) listener(change);
    }
    for (const waiter of [...this.#waiters]) {
      if (waiter.revision <= this.#view.revision) waiter.done(true);
    }
  }
}
