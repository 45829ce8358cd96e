/**
 * Rewriting of the WAL that is due: full segments and old entries while clients are quiet, the
 * oldest where more has piled up than may; how hard it works, wal_debt.ts decides.
 */
import {
  GATHERED_BYTES_MAX,
  WAL_BATCHES_MAX,
  WAL_OBJECTS_MAX,
  WAL_OBJECTS_RELAXED,
} from "../config/limits.ts";
import { inParallel } from "../runtime/in_parallel.ts";
import { sleep } from "../runtime/sleep.ts";
import type { LogContext } from "./log_context.ts";
import type { Logs } from "./logs.ts";
import { builtSegmentBytes } from "./merge_plan.ts";
import { PartitionLogState } from "./partition_log.ts";
import { rewriteTail } from "./rewrite.ts";
import type { TailEntry } from "./tail.ts";
import { WalDebt } from "./wal_debt.ts";
import { WalGather } from "./wal_gather.ts";
import type { WalLedger } from "./wal_ledger.ts";

/** More bytes written and read than this in a second: clients are busy, and rewriting waits. */
const BUSY_BYTES = 8 << 20;
const BUSY_WINDOW_MS = 1_000;
/** Rewriting that always finds more to do lets the other work have its turn after this time. */
const RELIEF_MS = 10_000;
/** Ticks without that before rewriting starts: clients that read what they just wrote, or whose
 * group takes a moment to form, come back within this time. */
const QUIET_TICKS = 5;
/** The same after the broker's start: clients have to notice it first. */
const START_TICKS = 10;
/** What rewriting a partition costs: segment, index, manifest, and the listing behind it. */
const REWRITE_REQUESTS = 4;
/** Partitions that are rewritten together; between two such groups it is looked who waits. */
const GROUP_PARTITIONS_MAX = 256;
/** A tail that may be rewritten beside others: what these take of memory together is little. */
const SMALL_TAIL_BYTES = 1 << 20;
/** Small tails after which it is looked how many at a time go on. */
const SLICE_PARTITIONS = 16;

export interface ReliefOptions {
  readonly context: LogContext;
  readonly logs: Logs;
  readonly ledger: WalLedger;
  /** Uncovered WAL from which on the oldest is rewritten (KAFSCALE_WAL_BYTES). */
  readonly walBytes: number;
  /** Entries that have been in the WAL for this long are rewritten, however few they are. */
  readonly walAgeMs: number;
  /** Counted: see HousekeepingStats. */
  readonly stats: { rewrites: number; rewrittenBytes: number };
  readonly stopped: () => boolean;
  /** Keeps one partition's fault from the others. */
  readonly guarded: (state: PartitionLogState, work: () => Promise<unknown>) => Promise<void>;
}

export class Relief {
  readonly #debt: WalDebt;
  /** As of the start of a round or of a group: it looks at all partitions. */
  #objectsMax = WAL_OBJECTS_MAX;
  /** What clients had written and read, and when that was looked at. */
  #traffic = { bytes: 0, atMs: 0 };
  #quietTicks = QUIET_TICKS - START_TICKS;

  constructor(readonly options: ReliefOptions) {
    this.#debt = new WalDebt(options.context.runtime.clock);
  }

  start(): void {
    const { clock } = this.options.context.runtime;
    this.#traffic = { bytes: this.#trafficBytes(), atMs: clock.monotonicMs() };
  }

  /** Whether clients have done little for a while, and still do. */
  get calm(): boolean {
    return this.#quietTicks >= QUIET_TICKS && !this.#busy();
  }

  /** Whether more WAL has piled up than may. */
  get behind(): boolean {
    return this.#debt.over;
  }

  /** Rewrites everything, also of partitions that nobody has used yet. */
  async everything(): Promise<void> {
    const { logs, ledger } = this.options;
    for (const { topicId, partition } of [...logs.recovered.waiting()]) {
      await logs.state(topicId, partition);
    }
    for (const state of [...logs.loaded()]) await this.#rewriteWhole(state);
    await ledger.sweep();
  }

  /** Rewrites what is due: the oldest where WAL piles up, full segments when clients are quiet. */
  async run(): Promise<void> {
    const { context, logs, ledger } = this.options;
    const { clock } = context.runtime;
    if (!this.#busy()) this.#quietTicks++;
    this.#recount();
    if (this.#quietTicks < QUIET_TICKS && !this.#debt.pressing) return;
    const untilMs = clock.monotonicMs() + RELIEF_MS;
    if (this.#debt.over) await this.#rewriteOldest(untilMs);
    if (this.#stopped) return;
    const oldMs = clock.wallMs() - this.options.walAgeMs;
    let interrupted = false;
    for (let again = true; again;) {
      again = false;
      const due = [...logs.loaded()].filter((state) => this.#isDue(state, oldMs));
      await this.#each(due, async (state) => {
        // Clients came back: leave disk and processor to them.
        interrupted ||= this.#mustWait;
        if (interrupted || state.tail.length === 0) return;
        const before = state.tail.length;
        await this.#rewrite(state, isOld(state, oldMs));
        if (state.tail.length < before) again = clock.monotonicMs() < untilMs;
      });
      if (this.#stopped || interrupted) return;
      await ledger.sweep();
      this.#recount();
    }
  }

  /** Whether clients do a lot, and there is not so much WAL that it cannot wait. */
  get #mustWait(): boolean {
    return !this.#debt.pressing && this.#busy();
  }

  get #stopped(): boolean {
    return this.options.stopped();
  }

  #isDue(state: PartitionLogState, oldMs: number): boolean {
    if (state.tail.length === 0) return false;
    return isOld(state, oldMs) || state.tail.bytes >= this.#segmentBytes(state.info);
  }

  #segmentBytes(info: PartitionLogState["info"]): number {
    return builtSegmentBytes(this.options.context.settings(info));
  }

  /** Does `work` for each: large tails one by one, small ones as many at a time as debt demands. */
  async #each(
    states: readonly PartitionLogState[],
    work: (state: PartitionLogState) => Promise<unknown>,
  ): Promise<void> {
    const guarded = async (state: PartitionLogState) => {
      if (!this.#stopped) await this.options.guarded(state, () => work(state));
    };
    const small = states.filter(({ tail }) => tail.bytes <= SMALL_TAIL_BYTES);
    const large = states.filter(({ tail }) => tail.bytes > SMALL_TAIL_BYTES);
    for (let at = 0; at < small.length; at += SLICE_PARTITIONS) {
      this.#look();
      await inParallel(this.#debt.parallel, small.slice(at, at + SLICE_PARTITIONS), guarded);
    }
    await inParallel(1, large, guarded);
  }

  #look(): void {
    const { bytes, objects } = this.options.ledger;
    const pile = { bytes, objects, bytesMax: this.options.walBytes, objectsMax: this.#objectsMax };
    this.#debt.look(pile, this.#quietTicks >= QUIET_TICKS);
  }

  #recount(): void {
    this.#objectsMax = this.#countObjectsMax();
    this.#look();
  }

  /**
   * WAL objects that may pile up. A round over all partitions costs some requests for each, so it
   * comes no sooner than the WAL took as many, within what recovery and the tails' memory allow.
   */
  #countObjectsMax(): number {
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

  /**
   * Rewrites from the oldest entries on, in the order of the WAL, while there is too much: so each
   * object is read once for all partitions that have a part of it, and goes soon. What producers
   * add meanwhile would keep it going for ever.
   */
  async #rewriteOldest(untilMs: number): Promise<void> {
    const { logs, ledger, context: { runtime: { clock } } } = this.options;
    for (const { topicId, partition } of [...logs.recovered.waiting()]) {
      const state = await logs.state(topicId, partition);
      if (state instanceof PartitionLogState) {
        await this.options.guarded(state, () => this.#rewriteWhole(state));
      }
      if (this.#stopped) return;
    }
    // Clients that are back are let through until they have been quiet, or cannot be any longer.
    let interrupted = false;
    const mustWait = () => interrupted ||= this.#mustWait;
    const stuck = new Set<PartitionLogState>();
    let newest = -Infinity;
    for (const { tail } of logs.loaded()) newest = Math.max(newest, age(tail.entries.at(-1)));
    const waiting = (state: PartitionLogState) =>
      state.tail.length > 0 && age(state.tail.first) <= newest && !stuck.has(state);
    while (this.#debt.over && !mustWait() && clock.monotonicMs() < untilMs) {
      const states = [...logs.loaded()].filter(waiting);
      if (states.length === 0) return;
      const group = this.#front(states.sort((a, b) => age(a.tail.first) - age(b.tail.first)));
      const before = group.map(({ tail }) => tail.first);
      await this.#rewriteGroup(group, mustWait);
      if (this.#stopped) return;
      group.forEach((state, at) => {
        if (state.tail.first === before[at]) stuck.add(state);
      });
      await ledger.sweep();
      this.#recount();
    }
  }

  /** Of partitions in the order of their oldest entries, those whose next segments fit together. */
  #front(states: readonly PartitionLogState[]): readonly PartitionLogState[] {
    let bytes = 0;
    let count = 0;
    for (const { tail, info } of states.slice(0, GROUP_PARTITIONS_MAX)) {
      bytes += Math.min(tail.bytes, this.#segmentBytes(info));
      if (count > 0 && bytes > GATHERED_BYTES_MAX) break;
      count++;
    }
    return states.slice(0, count);
  }

  /** Rewrites the next segment of each. */
  async #rewriteGroup(
    group: readonly PartitionLogState[],
    mustWait: () => boolean,
  ): Promise<void> {
    const gathered = new WalGather(this.options.context);
    try {
      // Those that become one segment; what a fault leaves out is read again, for each partition.
      const small = group.filter(({ tail, info }) =>
        tail.bytes <= Math.min(SMALL_TAIL_BYTES, this.#segmentBytes(info))
      );
      if (small.length > 1) await gathered.read(small).catch(() => {});
      await this.#each(group, async (state) => {
        if (!mustWait()) await this.#rewrite(state, true, gathered);
      });
    } finally {
      gathered.release();
    }
  }

  /** Rewrites what is in the tail now; with what producers add meanwhile it would never end. */
  async #rewriteWhole(state: PartitionLogState): Promise<void> {
    const end = state.highWatermark;
    const more = () => (state.tail.first?.row.baseOffset ?? end) < end;
    while (!this.#stopped && more() && await this.#rewrite(state, true) > 0);
  }

  async #rewrite(state: PartitionLogState, all: boolean, gathered?: WalGather): Promise<number> {
    const { stats, context: { runtime: { clock } } } = this.options;
    const startedMs = clock.monotonicMs();
    const before = this.#trafficBytes();
    try {
      const bytes = await rewriteTail(state, all, gathered);
      if (bytes > 0) stats.rewrites++;
      stats.rewrittenBytes += bytes;
      if (this.#trafficBytes() > before) await this.#rest(clock.monotonicMs() - startedMs);
      return bytes;
    } catch (error) {
      if (state.closed !== 0 || this.#stopped) return 0;
      throw error;
    }
  }

  /** Leaves disk and processor to clients that wrote or read a little, after work of `workedMs`. */
  async #rest(workedMs: number): Promise<void> {
    if (this.#stopped) return;
    const { runtime, signal } = this.options.context;
    this.#look();
    const rests = this.#debt.restsPerWork(this.#busy());
    if (rests > 0) await sleep(runtime.timers, workedMs * rests, signal);
  }
}

function isOld({ tail }: PartitionLogState, oldMs: number): boolean {
  return (tail.first?.object.createdMs ?? Infinity) < oldMs;
}

/** Orders entries as they were written: a chain's epoch comes before its slots. */
function age(entry: TailEntry | undefined): number {
  return entry === undefined ? -Infinity : entry.object.chainEpoch * 2 ** 40 + entry.object.slot;
}
