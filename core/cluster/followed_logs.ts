/**
 * Partitions that others lead, followed for readers of this broker's rack (KIP-392,
 * docs/decisions/0014): by the newest manifest, and the chains that the assignment record names.
 * Nothing is followed until somebody fetches it here, and nothing for long after the last fetch.
 *
 * Invariant: I4; what is served is committed, whatever of record, manifest and chain is seen late.
 */
import {
  FOLLOW_IDLE_MS,
  FOLLOW_RELOADS_PARALLEL,
  FOLLOWED_BATCHES_MAX,
  FOLLOWED_PARTITIONS_MAX,
} from "../config/limits.ts";
import { MalformedError } from "../bytes/mod.ts";
import { type FollowContext, FollowedLog } from "../log/followed_log.ts";
import {
  type AssignmentView,
  type ChainRef,
  type PartitionAssignment,
  sameChain,
} from "../metadata/assignments.ts";
import type { MetadataStore } from "../metadata/metadata_store.ts";
import type { TopicInfo, TopicRegistry } from "../metadata/topics.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { inTime } from "../runtime/in_time.ts";
import type { Timer } from "../runtime/runtime.ts";
import { Semaphore } from "../runtime/semaphore.ts";
import { StoreError } from "../storage/object_store.ts";
import { ChainFeed } from "./chain_feed.ts";
import { FollowedChain, type FollowStats, partitionName } from "./followed_chain.ts";
import { LowWaterMarks } from "./low_water_marks.ts";
import { distinctChains } from "./takeover.ts";

/** A chain is read on for this long after the last fetch: the next one mostly comes sooner. */
const ACTIVE_MS = 5_000;
/** Least pause between two looks for a newer manifest of one partition. */
const RELOAD_PAUSE_MS = 500;
const SWEEP_MS = 500;
/** The first reader of a partition waits this long; then it is told to try again. */
const LOAD_PATIENCE_MS = 10_000;

export interface FollowedLogsOptions {
  readonly context: FollowContext;
  readonly metadata: MetadataStore;
  readonly topics: TopicRegistry;
  readonly assignments: AssignmentView;
  readonly self: ChainRef;
  /** Between two looks at a chain that grows. */
  readonly paceMs: number;
}

/** Figures; they only grow. */
export interface FollowedStats extends FollowStats {
  /** Manifests that were read. */
  manifests: number;
}

/** One partition, with what it is fed from. */
interface Followed {
  readonly name: string;
  readonly log: FollowedLog;
  feeds: readonly ChainFeed[];
  usedMs: number;
  /** A newer manifest is needed: rows went, or do not join, or the record is another one. */
  due: boolean;
  reloadMs: number;
  leaderEpoch: number;
  loading: Promise<FollowedLog | ErrorCodeValue> | undefined;
}

export class FollowedLogs {
  readonly stats: FollowedStats = { slots: 0, misses: 0, manifests: 0 };
  readonly #followed = new Map<string, Followed>();
  readonly #feeds = new Map<string, ChainFeed>();
  readonly #users = new Map<ChainFeed, Set<Followed>>();
  readonly #marks: LowWaterMarks;
  readonly #reloads = new Semaphore(FOLLOW_RELOADS_PARALLEL);
  #sweep: Timer | undefined;
  #stopped = false;

  constructor(readonly options: FollowedLogsOptions) {
    const { context: { runtime }, metadata } = options;
    this.#marks = new LowWaterMarks(runtime, metadata, () => this.#poke());
  }

  /** Rejects when the metadata store cannot be read. */
  async start(): Promise<void> {
    await this.#marks.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#sweep?.cancel();
    for (const followed of [...this.#followed.values()]) {
      this.#drop(followed, ErrorCode.NOT_LEADER_OR_FOLLOWER);
    }
    await this.#marks.stop();
  }

  /** Partitions that are followed now. */
  get count(): number {
    return this.#followed.size;
  }

  get chains(): number {
    return this.#feeds.size;
  }

  /** The partition, or the code to answer; synchronous once it is followed. */
  open(
    topicId: string,
    partition: number,
  ): FollowedLog | ErrorCodeValue | Promise<FollowedLog | ErrorCodeValue> {
    const name = partitionName(topicId, partition);
    const known = this.#followed.get(name);
    if (known !== undefined) {
      this.#touch(known);
      return known.loading ?? known.log;
    }
    const { topics, assignments } = this.options;
    const topic = topics.byId(topicId);
    if (topic === undefined || partition < 0 || partition >= topic.partitionCount) {
      return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    }
    const record = assignments.partition(topicId, partition);
    const mine = record !== undefined && sameChain(record.owner, this.options.self);
    const full = this.#followed.size >= FOLLOWED_PARTITIONS_MAX;
    if (record === undefined || record.leaderEpoch < 0 || mine || full || this.#stopped) {
      return ErrorCode.NOT_LEADER_OR_FOLLOWER;
    }
    return this.#follow(topic, partition, record);
  }

  /** Records or topics have changed. */
  changed(): void {
    const { topics, assignments, self } = this.options;
    for (const followed of [...this.#followed.values()]) {
      const { topicId, partition } = followed.log;
      const topic = topics.byId(topicId);
      const record = assignments.partition(topicId, partition);
      if (topic === undefined) this.#drop(followed, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
      else if (record === undefined || sameChain(record.owner, self)) {
        this.#drop(followed, ErrorCode.NOT_LEADER_OR_FOLLOWER);
      } else this.#adjust(followed, record);
    }
  }

  #follow(
    topic: TopicInfo,
    partition: number,
    record: PartitionAssignment,
  ): Promise<FollowedLog | ErrorCodeValue> {
    const { context, assignments } = this.options;
    const { id: topicId } = topic;
    const name = partitionName(topicId, partition);
    const epoch = () => assignments.partition(topicId, partition)?.leaderEpoch ?? -1;
    const log = new FollowedLog(context, topic, partition, epoch, () => this.#touch(followed));
    const followed: Followed = {
      name,
      log,
      feeds: [],
      usedMs: this.#nowMs,
      due: false,
      reloadMs: -Infinity,
      leaderEpoch: record.leaderEpoch,
      loading: undefined,
    };
    this.#followed.set(name, followed);
    this.#feedFrom(followed, record);
    followed.loading = this.#load(followed).then(
      () => {
        followed.loading = undefined;
        return log.closed === 0 ? log : log.closed;
      },
      (error) => {
        // Not followed, so not served; the next fetch tries again.
        this.#drop(followed, ErrorCode.NOT_LEADER_OR_FOLLOWER);
        const passing = error instanceof StoreError;
        const level = passing ? "debug" : "error";
        context.runtime.log[level]("a partition cannot be followed; it is tried again on demand", {
          topic: log.topic,
          partition,
          error,
        });
        if (!passing && !(error instanceof MalformedError)) throw error;
        return ErrorCode.KAFKA_STORAGE_ERROR;
      },
    );
    this.#scheduleSweep();
    return followed.loading;
  }

  /** Chains first: what is deleted from them meanwhile is in the manifest then. */
  async #load(followed: Followed): Promise<void> {
    const { timers } = this.options.context.runtime;
    const load = async () => {
      await Promise.all(followed.feeds.map((feed) => feed.toEnd()));
      await this.#reload(followed);
      if (followed.due) await this.#reload(followed);
      return true;
    };
    if (await inTime(timers, LOAD_PATIENCE_MS, load()) === undefined) {
      throw new StoreError("retry", "manifest and chains could not be read in time");
    }
  }

  /** Makes the chains of the record its feeds; whether they are others than before. */
  #feedFrom(followed: Followed, { owner, sources }: PartitionAssignment): boolean {
    const before = followed.feeds;
    const refs = owner === undefined ? sources : [...sources, owner];
    const others = distinctChains(refs).filter((ref) => !sameChain(ref, this.options.self));
    const feeds = others.map((ref) => this.#feed(ref));
    followed.feeds = feeds;
    for (const feed of feeds) this.#users.get(feed)!.add(followed);
    for (const feed of before) if (!feeds.includes(feed)) this.#leave(feed, followed);
    return feeds.length !== before.length || feeds.some((feed) => !before.includes(feed));
  }

  #leave(feed: ChainFeed, followed: Followed): void {
    const users = this.#users.get(feed)!;
    users.delete(followed);
    if (users.size > 0) return;
    this.#users.delete(feed);
    for (const [name, known] of this.#feeds) if (known === feed) this.#feeds.delete(name);
  }

  #feed(chain: ChainRef): ChainFeed {
    const name = `${chain.brokerId}/${chain.brokerEpoch}`;
    const known = this.#feeds.get(name);
    if (known !== undefined) return known;
    const { context, paceMs } = this.options;
    const reader = new FollowedChain({
      ...context,
      chain,
      batchesMax: FOLLOWED_BATCHES_MAX,
      lowWaterSlot: () => this.#marks.of(chain),
      follows: (partition) => this.#followed.has(partition),
      forgot: (partition) => {
        const followed = this.#followed.get(partition);
        if (followed !== undefined) followed.due = true;
      },
    }, this.stats);
    const feed: ChainFeed = new ChainFeed({
      runtime: context.runtime,
      reader,
      paceMs,
      signal: context.signal,
      wanted: () => this.#users.get(feed)?.values().some((each) => this.#isActive(each)) ?? false,
      grew: () => {
        for (const followed of this.#users.get(feed) ?? []) this.#pull(followed);
      },
    });
    this.#feeds.set(name, feed);
    this.#users.set(feed, new Set());
    return feed;
  }

  /** Takes what joins the log, from whichever chain has it. */
  #pull(followed: Followed): void {
    const { log, feeds, name } = followed;
    let hole = false;
    for (let before = -1; log.highWatermark !== before;) {
      before = log.highWatermark;
      hole = false;
      for (const { reader } of feeds) if (!log.take(reader.entries(name))) hole = true;
    }
    if (hole) followed.due = true;
  }

  /** The newest manifest, and what joins it. */
  async #reload(followed: Followed): Promise<void> {
    followed.due = false;
    followed.reloadMs = this.#nowMs + RELOAD_PAUSE_MS;
    await this.#reloads.acquire(1);
    try {
      this.stats.manifests++;
      await followed.log.reload();
    } catch (error) {
      followed.due = true;
      throw error;
    } finally {
      this.#reloads.release(1);
    }
    this.#pull(followed);
  }

  #adjust(followed: Followed, record: PartitionAssignment): void {
    if (this.#feedFrom(followed, record)) {
      followed.due = true;
      if (this.#isActive(followed)) { for (const feed of followed.feeds) feed.poke(); }
    }
    if (record.leaderEpoch === followed.leaderEpoch) return;
    followed.leaderEpoch = record.leaderEpoch;
    // Who waits is told by the epoch that it has.
    followed.log.notify();
  }

  #touch(followed: Followed): void {
    followed.usedMs = this.#nowMs;
    for (const feed of followed.feeds) feed.poke();
  }

  #isActive({ log, usedMs }: Followed): boolean {
    return log.awaited || this.#nowMs - usedMs < ACTIVE_MS;
  }

  get #nowMs(): number {
    return this.options.context.runtime.clock.monotonicMs();
  }

  #poke(): void {
    for (const feed of this.#feeds.values()) feed.reader.trim();
  }

  #scheduleSweep(): void {
    if (this.#sweep !== undefined || this.#stopped) return;
    this.#sweep = this.options.context.runtime.timers.after(SWEEP_MS, () => {
      this.#sweep = undefined;
      this.#tend();
      if (this.#followed.size > 0) this.#scheduleSweep();
    });
  }

  /** Reloads what is due, and drops what nobody has read for long. */
  #tend(): void {
    const nowMs = this.#nowMs;
    for (const followed of [...this.#followed.values()]) {
      const { log, usedMs, due, reloadMs, loading } = followed;
      if (loading !== undefined) continue;
      if (!log.awaited && nowMs - usedMs > FOLLOW_IDLE_MS) {
        this.#drop(followed, ErrorCode.NOT_LEADER_OR_FOLLOWER);
      } else if (due && nowMs >= reloadMs && this.#isActive(followed)) {
        this.#reload(followed).catch((error) => {
          const { topic, partition } = log;
          this.options.context.runtime.log.debug("a followed partition's manifest is read later", {
            topic,
            partition,
            error,
          });
        });
      }
    }
  }

  #drop(followed: Followed, code: ErrorCodeValue): void {
    if (this.#followed.get(followed.name) !== followed) return;
    this.#followed.delete(followed.name);
    followed.log.close(code);
    for (const feed of followed.feeds) this.#leave(feed, followed);
    followed.feeds = [];
  }
}
