/**
 * The background work on logs: rewriting WAL into segments, merging small ones, deleting covered
 * WAL objects, retention, the removal of deleted topics, the orphan sweep. One after the other, in
 * small steps, and behind the clients; but the more WAL piles up, the less it waits for them.
 */
import type { TopicRegistry } from "../metadata/topics.ts";
import type { Timer } from "../runtime/runtime.ts";
import type { LogContext } from "./log_context.ts";
import type { Logs } from "./logs.ts";
import { mergeSegments } from "./merge.ts";
import { PartitionLogState } from "./partition_log.ts";
import { Relief } from "./relief.ts";
import { deleteRemoved, enforceRetention } from "./retention.ts";
import { Sweeper } from "./sweeper.ts";
import { TopicDeletions } from "./topic_deletion.ts";
import type { WalLedger } from "./wal_ledger.ts";

/** Between two rounds; shorter where WAL is to be rewritten that soon (simulations). */
const TICK_MS = 1_000;
const TICK_MS_MIN = 100;
/** A partition whose segments cannot be merged is left alone for this long. */
const MERGE_RETRY_MS = 60_000;

export interface HousekeepingOptions {
  readonly context: LogContext;
  readonly logs: Logs;
  readonly topics: TopicRegistry;
  readonly ledger: WalLedger;
  /** Uncovered WAL from which on the oldest is rewritten (KAFSCALE_WAL_BYTES). */
  readonly walBytes: number;
  readonly retentionCheckMs: number;
  /** Entries that have been in the WAL for this long are rewritten, however few they are. */
  readonly walAgeMs: number;
  /** Between two orphan sweeps; also how long tombstones of deleted topics stay. */
  readonly orphanSweepMs: number;
  /** Whether chains of this broker's former incarnations are for this one alone to sweep. */
  readonly ownsChains: boolean;
}

/** Figures for metrics. */
export interface HousekeepingStats {
  rewrittenBytes: number;
  rewrites: number;
  failures: number;
  /** Segments that became part of a larger one. */
  mergedSegments: number;
}

export class Housekeeping {
  readonly stats: HousekeepingStats = {
    rewrittenBytes: 0,
    rewrites: 0,
    failures: 0,
    mergedSegments: 0,
  };
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #nextRetentionMs = 0;
  readonly #relief: Relief;
  readonly #deletions: TopicDeletions;
  readonly #sweeper: Sweeper;
  /** In monotonic time. */
  readonly #mergeAgainMs = new WeakMap<PartitionLogState, number>();
  #flushing: Promise<void> | undefined;

  constructor(readonly options: HousekeepingOptions) {
    const { orphanSweepMs } = options;
    this.#relief = new Relief({
      ...options,
      stats: this.stats,
      stopped: () => this.#stopped,
      guarded: (state, work) => this.#guarded(state, work),
    });
    this.#deletions = new TopicDeletions({ ...options, tombstoneMs: orphanSweepMs });
    const deletions = this.#deletions;
    this.#sweeper = new Sweeper({ ...options, deletions, intervalMs: orphanSweepMs });
  }

  start(): void {
    const { runtime } = this.options.context;
    this.#nextRetentionMs = runtime.clock.monotonicMs() + this.options.retentionCheckMs;
    this.#relief.start();
    this.#schedule();
    this.#deletions.start();
  }

  /** Resolves when the step at hand is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    const deletions = this.#deletions.stop();
    await this.#running;
    await this.#flushing?.catch(() => {});
    await deletions;
  }

  /** Rewrites everything now (ops: flush); calls at the same time share one round. */
  rewriteAll(): Promise<void> {
    this.#flushing ??= this.#relief.everything().finally(() => this.#flushing = undefined);
    return this.#flushing;
  }

  /**
   * Deletes the objects of topics that metadata says are deleted; picks up where a crash left off.
   */
  resumeDeletions(): void {
    this.#deletions.resume();
  }

  #schedule(): void {
    if (this.#stopped) return;
    const tickMs = Math.max(TICK_MS_MIN, Math.min(TICK_MS, this.options.walAgeMs));
    this.#timer = this.options.context.runtime.timers.after(tickMs, () => {
      this.#running = this.#tick().finally(() => this.#schedule());
    });
  }

  async #tick(): Promise<void> {
    const { context, ledger } = this.options;
    if (this.#storeIsAway) return;
    try {
      await this.#relief.run();
      await ledger.sweep();
      if (this.#stopped) return;
      await this.#merge();
      if (this.#stopped) return;
      await this.#sweeper.tick((state, work) => this.#guarded(state, work));
      if (this.#stopped) return;
      if (context.runtime.clock.monotonicMs() >= this.#nextRetentionMs) await this.#retain();
    } catch (error) {
      if (this.#stopped || context.signal.aborted) return;
      this.stats.failures++;
      context.runtime.log.error("background work on the log failed and is tried again", { error });
    }
  }

  get #storeIsAway(): boolean {
    const { health } = this.options.context;
    return health.refusesReads || health.refusesWrites;
  }

  /** One partition's fault must not keep the others from being looked after. */
  async #guarded(state: PartitionLogState, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#stopped || this.options.context.signal.aborted) return;
      this.stats.failures++;
      // Said once, by the store's health.
      if (this.#storeIsAway) return;
      this.options.context.runtime.log.error(
        "background work on a partition failed and is tried again",
        { topic: state.topic, partition: state.partition, error },
      );
    }
  }

  /** Carries out what manifests plan, while clients are quiet. */
  async #merge(): Promise<void> {
    const { context, logs } = this.options;
    const { clock } = context.runtime;
    for (const state of logs.loaded()) {
      if (state.checkpoint.merge === undefined || state.closed !== 0) continue;
      if (clock.monotonicMs() < (this.#mergeAgainMs.get(state) ?? 0)) continue;
      if (this.#stopped || !this.#relief.calm) return;
      // Taken back where it succeeds.
      this.#mergeAgainMs.set(state, clock.monotonicMs() + MERGE_RETRY_MS);
      await this.#guarded(state, async () => {
        this.stats.mergedSegments += await mergeSegments(state);
        this.#mergeAgainMs.delete(state);
      });
      // One at a time, then: what is merged later costs little, WAL that piles up does.
      if (this.#relief.behind) return;
    }
  }

  async #retain(): Promise<void> {
    const { context, logs, topics, retentionCheckMs } = this.options;
    for (const topic of topics.all()) {
      for (let partition = 0; partition < topic.partitionCount; partition++) {
        if (this.#stopped) return;
        const state = await logs.state(topic.id, partition);
        if (!(state instanceof PartitionLogState) || state.closed !== 0) continue;
        await this.#guarded(state, async () => {
          await enforceRetention(state);
          await deleteRemoved(state);
        });
      }
    }
    this.#nextRetentionMs = context.runtime.clock.monotonicMs() + retentionCheckMs;
  }
}
