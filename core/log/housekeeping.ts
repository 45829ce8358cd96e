/**
 * The background work on logs: rewriting WAL into segments, merging small ones, deleting covered
 * WAL objects, retention, the removal of deleted topics, the orphan sweep. One thing at a time, in
 * small steps, and behind the clients: while they write or read a lot rewriting waits, up to a hard
 * limit of uncovered WAL.
 */
import type { TopicRegistry } from "../metadata/topics.ts";
import type { Timer } from "../runtime/runtime.ts";
import { sleep } from "../runtime/sleep.ts";
import {
  GATHERED_BYTES_MAX,
  WAL_BATCHES_MAX,
  WAL_BYTES_HARD,
  WAL_OBJECTS_HARD,
  WAL_OBJECTS_MAX,
  WAL_OBJECTS_RELAXED,
} from "../config/limits.ts";
import type { LogContext } from "./log_context.ts";
import type { Logs } from "./logs.ts";
import { mergeSegments } from "./merge.ts";
import { builtSegmentBytes } from "./merge_plan.ts";
import { PartitionLogState } from "./partition_log.ts";
import { deleteRemoved, enforceRetention } from "./retention.ts";
import { rewriteTail } from "./rewrite.ts";
import { Sweeper } from "./sweeper.ts";
import { TopicDeletions } from "./topic_deletion.ts";
import { WalGather } from "./wal_gather.ts";
import type { WalLedger } from "./wal_ledger.ts";

/** Between two rounds; shorter where WAL is to be rewritten that soon (simulations). */
const TICK_MS = 1_000;
const TICK_MS_MIN = 100;
/** More bytes written and read than this in a second: clients are busy, and rewriting waits. */
const BUSY_BYTES = 8 << 20;
const BUSY_WINDOW_MS = 1_000;
/** Rewriting that always finds more to do lets the other work have its turn after this time. */
const RELIEF_MS = 10_000;
/** Ticks without that before rewriting starts: clients that read what they just wrote, or whose
 * group takes a moment to form, come back within this time. */
const QUIET_TICKS = 5;
/** Rewriting beside clients that do a little takes a quarter of the time; half, when it must. */
const PAUSE_PER_WORK = 3;
const PAUSE_PER_WORK_PILED_HIGH = 1;
/** What rewriting a partition costs: segment, index, manifest, and the listing behind it. */
const REWRITE_REQUESTS = 4;
/** Tails that are read from the WAL together; between two such groups it is looked who waits. */
const GROUP_PARTITIONS_MAX = 256;
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
  /** What clients had written and read, and when that was looked at. */
  #traffic = { bytes: 0, atMs: 0 };
  #quietTicks = QUIET_TICKS;
  #nextRetentionMs = 0;
  readonly #deletions: TopicDeletions;
  readonly #sweeper: Sweeper;
  /** In monotonic time. */
  readonly #mergeAgainMs = new WeakMap<PartitionLogState, number>();
  #flushing: Promise<void> | undefined;

  constructor(readonly options: HousekeepingOptions) {
    const { orphanSweepMs } = options;
    this.#deletions = new TopicDeletions({ ...options, tombstoneMs: orphanSweepMs });
    const deletions = this.#deletions;
    this.#sweeper = new Sweeper({ ...options, deletions, intervalMs: orphanSweepMs });
  }

  start(): void {
    const { runtime } = this.options.context;
    this.#nextRetentionMs = runtime.clock.monotonicMs() + this.options.retentionCheckMs;
    this.#traffic = { bytes: this.#trafficBytes(), atMs: runtime.clock.monotonicMs() };
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
    this.#flushing ??= this.#rewriteAll().finally(() => this.#flushing = undefined);
    return this.#flushing;
  }

  async #rewriteAll(): Promise<void> {
    const { logs, ledger } = this.options;
    for (const { topicId, partition } of [...logs.recovered.waiting()]) {
      await logs.state(topicId, partition);
    }
    for (const state of [...logs.loaded()]) await this.#rewriteWhole(state);
    await ledger.sweep();
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
      await this.#relieve();
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

  /** Rewrites what is due: full segments when producers are quiet, the oldest when WAL piles up. */
  async #relieve(): Promise<void> {
    const { context, logs, ledger, walBytes } = this.options;
    const hard = () => this.#piledHigh();
    const { clock } = context.runtime;
    if (!this.#busy()) this.#quietTicks++;
    if (this.#quietTicks < QUIET_TICKS && !hard()) return;
    const untilMs = clock.monotonicMs() + RELIEF_MS;
    const oldMs = context.runtime.clock.wallMs() - this.options.walAgeMs;
    for (let again = true; again;) {
      again = false;
      for (const state of logs.loaded()) {
        if (this.#stopped) return;
        if (state.tail.length === 0) continue;
        const segmentBytes = builtSegmentBytes(context.settings(state.info));
        const old = (state.tail.first?.object.createdMs ?? Infinity) < oldMs;
        if (!old && state.tail.bytes < segmentBytes) continue;
        const before = state.tail.length;
        await this.#guarded(state, () => this.#rewrite(state, old));
        if (state.tail.length < before) again = clock.monotonicMs() < untilMs;
        // Clients came back: leave disk and processor to them.
        if (!hard() && this.#busy()) return;
      }
      await ledger.sweep();
    }
    const piledUp = () => ledger.bytes > walBytes || ledger.objects > this.#objectsMax();
    if (piledUp()) await this.#rewriteOldest(piledUp);
  }

  /**
   * WAL objects that may pile up. A round over all partitions costs some requests for each, so it
   * comes no sooner than the WAL took as many, within what recovery and the tails' memory allow.
   */
  #objectsMax(): number {
    const { logs, ledger } = this.options;
    let partitions = 0;
    let batches = 0;
    for (const { tail } of logs.loaded()) {
      if (tail.length > 0) partitions++;
      batches += tail.length;
    }
    if (batches > WAL_BATCHES_MAX) return Math.min(ledger.objects - 1, WAL_OBJECTS_MAX);
    const paid = REWRITE_REQUESTS * partitions;
    return Math.min(Math.max(paid, WAL_OBJECTS_MAX), WAL_OBJECTS_RELAXED);
  }

  /** Bytes that clients wrote and read so far. */
  #trafficBytes(): number {
    const { chain, traffic } = this.options.context;
    return chain.stats.committedBytes + traffic.readBytes;
  }

  /** Whether clients do a lot, since a window ago or, in a longer step, all the time since then. */
  #busy(): boolean {
    const atMs = this.options.context.runtime.clock.monotonicMs();
    const bytes = this.#trafficBytes();
    const windows = (atMs - this.#traffic.atMs) / BUSY_WINDOW_MS;
    const busy = bytes - this.#traffic.bytes > BUSY_BYTES * Math.max(1, windows);
    if (busy) this.#quietTicks = 0;
    if (busy || windows >= 1) this.#traffic = { bytes, atMs };
    return busy;
  }

  /** Rewrites whole tails, those with the oldest WAL entries first, while `goOn`. */
  async #rewriteOldest(goOn: () => boolean): Promise<void> {
    const { logs, ledger } = this.options;
    for (const { topicId, partition } of [...logs.recovered.waiting()]) {
      const state = await logs.state(topicId, partition);
      if (state instanceof PartitionLogState) {
        await this.#guarded(state, () => this.#rewriteWhole(state));
      }
      if (this.#stopped) return;
    }
    const states = [...logs.loaded()].filter((state) => state.tail.length > 0);
    const age = (state: PartitionLogState) => {
      const object = state.tail.first?.object;
      return object === undefined ? Infinity : object.chainEpoch * 2 ** 40 + object.slot;
    };
    states.sort((a, b) => age(a) - age(b));
    for (const group of groups(states)) {
      await this.#rewriteGroup(group);
      if (this.#stopped) return;
      await ledger.sweep();
      if (this.#stopped || !goOn()) return;
    }
  }

  /** Rewrites whole tails that fit into memory together. */
  async #rewriteGroup(group: readonly PartitionLogState[]): Promise<void> {
    const { context } = this.options;
    const gathered = new WalGather(context);
    try {
      // What a fault leaves out is read again, for each partition.
      if (group.length > 1) await gathered.read(group).catch(() => {});
      for (const state of group) {
        await this.#guarded(state, () => this.#rewriteWhole(state, gathered));
        if (this.#stopped) return;
      }
    } finally {
      gathered.release();
    }
  }

  /**
   * Rewrites what is in the tail now; what producers add meanwhile would keep it going for ever.
   */
  async #rewriteWhole(state: PartitionLogState, gathered?: WalGather): Promise<void> {
    const end = state.highWatermark;
    while (!this.#stopped && (state.tail.first?.row.baseOffset ?? end) < end) {
      if (await this.#rewrite(state, true, gathered) === 0) return;
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

  async #rewrite(state: PartitionLogState, all: boolean, gathered?: WalGather): Promise<number> {
    const { clock } = this.options.context.runtime;
    const startedMs = clock.monotonicMs();
    const before = this.#trafficBytes();
    try {
      const bytes = await rewriteTail(state, all, gathered);
      if (bytes > 0) this.stats.rewrites++;
      this.stats.rewrittenBytes += bytes;
      if (this.#trafficBytes() > before) await this.#yield(clock.monotonicMs() - startedMs);
      return bytes;
    } catch (error) {
      if (state.closed !== 0 || this.#stopped) return 0;
      throw error;
    }
  }

  /** Leaves disk and processor to clients that wrote or read a little, after work of `workedMs`. */
  async #yield(workedMs: number): Promise<void> {
    if (this.#stopped) return;
    const { runtime, signal } = this.options.context;
    const pauses = this.#piledHigh() ? PAUSE_PER_WORK_PILED_HIGH : PAUSE_PER_WORK;
    await sleep(runtime.timers, workedMs * pauses, signal);
  }

  /** So much WAL that it is rewritten whatever clients do. */
  #piledHigh(): boolean {
    const { ledger } = this.options;
    return ledger.bytes > WAL_BYTES_HARD || ledger.objects > WAL_OBJECTS_HARD;
  }

  /** Carries out what manifests plan, while clients are quiet. */
  async #merge(): Promise<void> {
    const { context, logs } = this.options;
    const { clock } = context.runtime;
    for (const state of logs.loaded()) {
      if (state.checkpoint.merge === undefined || state.closed !== 0) continue;
      if (clock.monotonicMs() < (this.#mergeAgainMs.get(state) ?? 0)) continue;
      if (this.#stopped || this.#quietTicks < QUIET_TICKS || this.#busy()) return;
      // Taken back where it succeeds.
      this.#mergeAgainMs.set(state, clock.monotonicMs() + MERGE_RETRY_MS);
      await this.#guarded(state, async () => {
        this.stats.mergedSegments += await mergeSegments(state);
        this.#mergeAgainMs.delete(state);
      });
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

/** Partitions, in their order, whose tails fit into memory together. */
function* groups(states: readonly PartitionLogState[]): Generator<readonly PartitionLogState[]> {
  let group: PartitionLogState[] = [];
  let bytes = 0;
  for (const state of states) {
    const full = bytes + state.tail.bytes > GATHERED_BYTES_MAX;
    if (group.length > 0 && (full || group.length === GROUP_PARTITIONS_MAX)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(state);
    bytes += state.tail.bytes;
  }
  if (group.length > 0) yield group;
}
