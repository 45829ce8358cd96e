/**
 * The orphan sweep: what a crash, a late write or a broker that was replaced leaves behind goes,
 * however long that takes (decision 0005 has the table of what there can be). A few partitions a
 * tick, each some time after it was loaded and then once an interval; the bucket's own folders soon
 * after the start and then once an interval. Deletes only what is known to be dead: unknown names
 * and folders are for `kafscale fsck` to report.
 */
import type { Runtime } from "../runtime/runtime.ts";
import { chainPrefix, chainsPrefix, probeKey } from "../storage/keys.ts";
import type { LogContext } from "./log_context.ts";
import type { Logs } from "./logs.ts";
import { sweepPartition } from "./orphans.ts";
import type { PartitionLogState } from "./partition_log.ts";
import type { TopicDeletions } from "./topic_deletion.ts";
import type { WalLedger } from "./wal_ledger.ts";

/** Listed in one tick at most: a day is enough for 300,000. */
const PARTITIONS_PER_TICK = 4;
/** A partition's first sweep comes within this, the bucket's second after it. */
const FIRST_MS = 600_000;

export interface SweeperOptions {
  readonly context: LogContext;
  readonly logs: Logs;
  readonly ledger: WalLedger;
  readonly deletions: TopicDeletions;
  readonly intervalMs: number;
  /** Whether what nothing names in this broker's former chains is its own to delete. */
  readonly ownsChains: boolean;
}

export class Sweeper {
  /** By partition: when it is due, in monotonic time. */
  readonly #due = new WeakMap<PartitionLogState, number>();
  #bucketDueMs = 0;
  #bucketSweeps = 0;
  #probes = new Set<string>();

  constructor(readonly options: SweeperOptions) {}

  /** What is due now, in part; `guarded` keeps one fault from the rest. */
  async tick(guarded: (log: PartitionLogState, work: () => Promise<void>) => Promise<void>) {
    const { context, logs, intervalMs } = this.options;
    const nowMs = context.runtime.clock.monotonicMs();
    const firstMs = Math.min(intervalMs, FIRST_MS);
    if (nowMs >= this.#bucketDueMs) {
      const done = await this.#bucketSwept();
      if (done) this.#bucketSweeps++;
      this.#bucketDueMs = nowMs + (done && this.#bucketSweeps > 1 ? intervalMs : firstMs);
    }
    let left = PARTITIONS_PER_TICK;
    for (const log of logs.loaded()) {
      const dueMs = this.#due.get(log);
      if (dueMs === undefined) this.#due.set(log, nowMs + jitter(context.runtime) * firstMs);
      else if (dueMs <= nowMs && log.closed === 0 && left-- > 0) {
        this.#due.set(log, nowMs + (0.9 + 0.2 * jitter(context.runtime)) * intervalMs);
        await guarded(log, () => this.#sweepPartition(log));
      }
    }
  }

  async #sweepPartition(log: PartitionLogState): Promise<void> {
    const objects = await sweepPartition(log);
    if (objects === 0) return;
    const { topic, partition } = log;
    log.context.runtime.log.info("swept orphans of a partition", { topic, partition, objects });
  }

  /** False where it is to be tried again soon. */
  async #bucketSwept(): Promise<boolean> {
    const { signal, runtime } = this.options.context;
    try {
      await this.#sweepBucket();
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      runtime.log.warn("the orphan sweep of the bucket goes on later", { error });
      return false;
    }
  }

  async #sweepBucket(): Promise<void> {
    const { context, ledger, deletions, ownsChains } = this.options;
    const { namespace, chain: { options: { brokerId, brokerEpoch } } } = context;
    const chains = chainsPrefix(namespace, brokerId);
    const own = chainPrefix(namespace, brokerId, brokerEpoch);
    const slots = await ledger.sweepLeftovers(ownsChains ? chains : own, own);
    if (slots > 0) context.runtime.log.info("swept orphans of the write-ahead log", { slots });
    await this.#sweepProbes(`${probeKey(namespace, brokerId)}/`);
    await deletions.sweepTombstones();
  }

  /** Another start may be in the midst of its check, so one goes when it is met a second time. */
  async #sweepProbes(prefix: string): Promise<void> {
    const { store, signal, runtime } = this.options.context;
    const found = new Set<string>();
    for await (const { key } of store.list(prefix, undefined, { signal })) found.add(key);
    const dead = [...found].filter((key) => this.#probes.has(key));
    this.#probes = found;
    if (dead.length === 0) return;
    await store.delete(dead, { signal });
    runtime.log.info("swept orphans of start-up checks", { objects: dead.length });
  }
}

/** Uniform in [0, 1). */
function jitter(runtime: Runtime): number {
  return runtime.random.uint32() / 2 ** 32;
}
