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
/** Tails that are read from the WAL together; between two such groups it is looked who waits. */
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

  /** Rewrites what is due: full segments when producers are quiet, the oldest when WAL piles up. */
  async run(): Promise<void> {
    const { context, logs, ledger } = this.options;
    const { clock } = context.runtime;
    if (!this.#busy()) this.#quietTicks++;
    this.#recount();
    if (this.#quietTicks < QUIET_TICKS && !this.#debt.pressing) return;
    const untilMs = clock.monotonicMs() + RELIEF_MS;
    const oldMs = clock.wallMs() - this.options.walAgeMs;
    let interrupted = false;
    for (let again = true; again && !interrupted;) {
      again = false;
      const due = [...logs.loaded()].filter((state) => this.#isDue(state, oldMs));
      await this.#each(due, async (state) => {
        if (interrupted || state.tail.length === 0) return;
        const before = state.tail.length;
        await this.#rewrite(state, isOld(state, oldMs));
        if (state.tail.length < before) again = clock.monotonicMs() < untilMs;
        // Clients came back: leave disk and processor to them.
        interrupted ||= this.#mustWait;
      });
      if (this.#stopped || interrupted) return;
      await ledger.sweep();
      this.#recount();
    }
    if (this.#debt.over) await this.#rewriteOldest();
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
    const segmentBytes = builtSegmentBytes(this.options.context.settings(state.info));
    return isOld(state, oldMs) || state.tail.bytes >= segmentBytes;
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

  /** Rewrites whole tails, those with the oldest WAL entries first, while there is too much. */
  async #rewriteOldest(): Promise<void> {
    const { logs, ledger } = this.options;
    for (const { topicId, partition } of [...logs.recovered.waiting()]) {
      const state = await logs.state(topicId, partition);
      if (state instanceof PartitionLogState) {
        await this.options.guarded(state, () => this.#rewriteWhole(state));
      }
      if (this.#stopped) return;
    }
    const states = [...logs.loaded()].filter((state) => state.tail.length > 0);
    states.sort((a, b) => age(a) - age(b));
    // Clients that are back are let through until they have been quiet, or cannot be any longer.
    let interrupted = false;
    const mustWait = () => interrupted ||= this.#mustWait;
    for (const group of groups(states)) {
      await this.#rewriteGroup(group, mustWait);
      if (this.#stopped) return;
      await ledger.sweep();
      this.#recount();
      if (this.#stopped || !this.#debt.over || mustWait()) return;
    }
  }

  /** Rewrites whole tails that fit into memory together. */
  async #rewriteGroup(
    group: readonly PartitionLogState[],
    mustWait: () => boolean,
  ): Promise<void> {
    const gathered = new WalGather(this.options.context);
    try {
      // What a fault leaves out is read again, for each partition.
      if (group.length > 1) await gathered.read(group).catch(() => {});
      await this.#each(group, (state) => this.#rewriteWhole(state, gathered, mustWait));
    } finally {
      gathered.release();
    }
  }

  /**
   * Rewrites what is in the tail now, or a part of it where the rest has to wait. What producers
   * add meanwhile would keep it going for ever.
   */
  async #rewriteWhole(
    state: PartitionLogState,
    gathered?: WalGather,
    mustWait = () => false,
  ): Promise<void> {
    const end = state.highWatermark;
    const more = () => (state.tail.first?.row.baseOffset ?? end) < end;
    while (!this.#stopped && more() && !mustWait()) {
      if (await this.#rewrite(state, true, gathered) === 0) return;
    }
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

/** Orders tails by their first entry: a chain's epoch comes before its slots. */
function age({ tail }: PartitionLogState): number {
  const object = tail.first?.object;
  return object === undefined ? Infinity : object.chainEpoch * 2 ** 40 + object.slot;
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
