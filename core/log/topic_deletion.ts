/**
 * The removal of deleted topics' objects: at once, picked up by the next incarnation where a crash
 * cut it off, and once more a day later. The record of the deletion stays until then, as a
 * tombstone: a broker that was replaced and doesn't know it, or a late write, may have put
 * something into the directory meanwhile. No other topic ever gets that directory (I8).
 */
import type { PendingDeletion, TopicRegistry } from "../metadata/topics.ts";
import type { Timer } from "../runtime/runtime.ts";
import { topicPrefix } from "../storage/keys.ts";
import { StoreError } from "../storage/object_store.ts";
import type { LogContext } from "./log_context.ts";
import type { Logs } from "./logs.ts";

/** Keys deleted with one call. */
const DELETE_BATCH = 500;
/** A tombstone is met for this long before it goes: wall clocks jump when machines start. */
const MET_MS = 600_000;
/** After a failure. */
const RETRY_MS = 1_000;

export interface TopicDeletionsOptions {
  readonly context: LogContext;
  readonly logs: Logs;
  readonly topics: TopicRegistry;
  /** How long a tombstone stays after the first removal. */
  readonly tombstoneMs: number;
}

export class TopicDeletions {
  #deleting: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #stopped = false;
  /** Deletions that an earlier incarnation left unfinished. */
  #inherited = new Set<string>();
  /** Tombstones, and since when this incarnation knows them, in monotonic time. */
  #metMs = new Map<string, number>();

  constructor(readonly options: TopicDeletionsOptions) {}

  start(): void {
    this.#inherited = new Set(this.options.topics.pendingDeletions().map(({ id }) => id));
    this.resume();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#deleting;
  }

  /** Deletes the objects of topics that metadata says are deleted. */
  resume(): void {
    this.#deleting = this.#deleting.then(() => this.#deleteTopics());
  }

  /** The second removal, of topics whose time has come; rejects on faults. */
  async sweepTombstones(): Promise<void> {
    const { context, topics, tombstoneMs } = this.options;
    const { clock } = context.runtime;
    const nowMs = clock.monotonicMs();
    const tombstones = topics.tombstones();
    this.#metMs = new Map(tombstones.map(({ id }) => [id, this.#metMs.get(id) ?? nowMs]));
    for (const { id, directory, sweptAtMs } of tombstones) {
      const met = nowMs - this.#metMs.get(id)! >= Math.min(MET_MS, tombstoneMs);
      if (this.#stopped || !met || sweptAtMs + tombstoneMs > clock.wallMs()) continue;
      const left = await this.#deletePrefix(topicPrefix(context.namespace, directory));
      if (left > 0) {
        context.runtime.log.info("swept what was written after a topic's deletion", { id, left });
      }
      await topics.finishDeletion(id);
    }
  }

  async #deleteTopics(): Promise<void> {
    const { context, topics } = this.options;
    for (const deletion of topics.pendingDeletions()) {
      if (this.#stopped) return;
      try {
        await this.#deleteTopic(deletion);
      } catch (error) {
        if (this.#stopped || context.signal.aborted) return;
        const { refusesReads, refusesWrites } = context.health;
        // Said once, by the store's health.
        const away = refusesReads || refusesWrites;
        const level = !(error instanceof StoreError) ? "error" : away ? "debug" : "warn";
        const { id } = deletion;
        context.runtime.log[level]("objects of a deleted topic are removed later", { id, error });
        this.#timer?.cancel();
        this.#timer = context.runtime.timers.after(RETRY_MS, () => this.resume());
      }
    }
  }

  async #deleteTopic({ id, directory }: PendingDeletion): Promise<void> {
    const { context, logs, topics } = this.options;
    await logs.drop(id);
    const objects = await this.#deletePrefix(topicPrefix(context.namespace, directory));
    await topics.noteSwept(id, context.runtime.clock.wallMs());
    const resumed = this.#inherited.delete(id);
    context.runtime.log.info("removed the objects of a deleted topic", { id, objects, resumed });
  }

  async #deletePrefix(prefix: string): Promise<number> {
    const { store, signal } = this.options.context;
    let keys: string[] = [];
    let count = 0;
    for await (const { key } of store.list(prefix, undefined, { signal })) {
      count++;
      keys.push(key);
      if (keys.length < DELETE_BATCH) continue;
      await store.delete(keys, { signal });
      keys = [];
    }
    if (keys.length > 0) await store.delete(keys, { signal });
    return count;
  }
}
