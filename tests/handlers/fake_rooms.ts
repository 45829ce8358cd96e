/** Rooms with partitions in memory, for tests of handlers that only read logs. */
import { Referrals } from "../../core/handlers/fetch/referrals.ts";
import { FetchSessions } from "../../core/handlers/fetch/sessions.ts";
import type { RequestContext, Rooms } from "../../core/handlers/mod.ts";
import { FETCH_BYTES_IN_FLIGHT_MAX } from "../../core/config/limits.ts";
import { defaultConfig } from "../../core/config/mod.ts";
import type {
  AppendResult,
  Isolation,
  PartitionLog,
  ProducerStateView,
  ReadResult,
  TimestampOffset,
} from "../../core/log/partition.ts";
import { ErrorCode, type ErrorCodeValue } from "../../core/protocol/errors.ts";
import { Semaphore } from "../../core/runtime/mod.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";
import { MemoryNetwork } from "../server/memory_network.ts";

/** A log of batches with one offset each; `put` appends and commits. */
export class FakeLog implements PartitionLog {
  following = false;
  closed: ErrorCodeValue = ErrorCode.NONE;
  leaderEpoch = 3;
  logStartOffset = 0;
  lastStableOffset = 0;
  readonly batches: Uint8Array[] = [];
  readonly watchers = new Set<() => void>();
  /** Read results that were not released. */
  leased = 0;
  reads = 0;
  failure: ErrorCodeValue = ErrorCode.NONE;
  timestamps: TimestampOffset[] = [];
  states: ProducerStateView[] = [];
  /** Wait of each read. */
  delay: (() => Promise<void>) | undefined;

  constructor(
    readonly topic: string,
    readonly topicId: string,
    readonly partition: number,
  ) {}

  get highWatermark(): number {
    return this.batches.length;
  }

  /** Appended and not yet committed. */
  uncommitted = 0;

  get logEndOffset(): number {
    return this.batches.length + this.uncommitted;
  }

  get sizeBytes(): number {
    return this.batches.reduce((sum, batch) => sum + batch.length, 0);
  }

  put(bytes: number, stable = true): void {
    this.batches.push(new Uint8Array(bytes).fill(this.batches.length + 1));
    if (stable) this.lastStableOffset = this.batches.length;
    for (const advanced of [...this.watchers]) advanced();
  }

  append(): AppendResult {
    throw new Error("not used");
  }

  async read(
    offset: number,
    maxBytes: number,
    isolation: Isolation,
    atLeastOneBatch: boolean,
  ): Promise<ReadResult> {
    this.reads++;
    await this.delay?.();
    const records: Uint8Array[] = [];
    let bytes = 0;
    for (const batch of this.batches.slice(offset, this.#end(isolation))) {
      if (bytes + batch.length > maxBytes && !(atLeastOneBatch && records.length === 0)) break;
      records.push(batch);
      bytes += batch.length;
    }
    this.leased++;
    let released = false;
    return {
      errorCode: this.failure,
      records,
      bytes,
      abortedTransactions: isolation === "read_committed" ? [] : null,
      release: () => {
        if (released) throw new Error("released twice");
        released = true;
        this.leased--;
      },
    };
  }

  readable(offset: number, isolation: Isolation, enough: number): number {
    let bytes = 0;
    for (const batch of this.batches.slice(offset, this.#end(isolation))) {
      if (bytes >= enough) break;
      bytes += batch.length;
    }
    return Math.min(bytes, enough);
  }

  onAdvance(advanced: () => void): () => void {
    this.watchers.add(advanced);
    return () => void this.watchers.delete(advanced);
  }

  offsetForTimestamp(timestampMs: number): Promise<TimestampOffset> {
    const found = this.timestamps.find((entry) => entry.timestampMs >= timestampMs);
    return Promise.resolve(found ?? { offset: -1, timestampMs: -1, leaderEpoch: -1 });
  }

  offsetOfMaxTimestamp(): Promise<TimestampOffset> {
    const sorted = [...this.timestamps].sort((a, b) => b.timestampMs - a.timestampMs);
    return Promise.resolve(sorted[0] ?? { offset: -1, timestampMs: -1, leaderEpoch: -1 });
  }

  endOffsetForEpoch(epoch: number): { leaderEpoch: number; endOffset: number } {
    if (epoch < 1) return { leaderEpoch: -1, endOffset: -1 };
    if (epoch >= this.leaderEpoch) {
      return { leaderEpoch: this.leaderEpoch, endOffset: this.highWatermark };
    }
    return { leaderEpoch: epoch, endOffset: Math.min(2, this.highWatermark) };
  }

  deleteRecords(offset: number): Promise<{ errorCode: ErrorCodeValue; logStartOffset: number }> {
    if (offset > this.highWatermark) {
      const errorCode = this.standing || ErrorCode.OFFSET_OUT_OF_RANGE;
      return Promise.resolve({ errorCode, logStartOffset: -1 });
    }
    this.logStartOffset = Math.max(this.logStartOffset, offset < 0 ? this.highWatermark : offset);
    return Promise.resolve({ errorCode: this.failure, logStartOffset: this.logStartOffset });
  }

  /** What `confirm` says: whether this broker still led. */
  standing: ErrorCodeValue = ErrorCode.NONE;

  confirm(): Promise<ErrorCodeValue> {
    return Promise.resolve(this.standing);
  }

  producers(): readonly ProducerStateView[] {
    return this.states;
  }

  #end(isolation: Isolation): number {
    return isolation === "read_committed" ? this.lastStableOffset : this.highWatermark;
  }
}

export interface FakeTopic {
  readonly id: string;
  readonly name: string;
  readonly partitionCount: number;
  readonly configs: ReadonlyMap<string, string>;
}

/** A 22-character id out of a name. */
export function idOf(name: string): string {
  return (name + "AAAAAAAAAAAAAAAAAAAAAA").slice(0, 21) + "A";
}

export class FakeRooms {
  readonly runtime = manualRuntime(1, new MemoryNetwork());
  readonly logs = new Map<string, FakeLog>();
  readonly topics = new Map<string, FakeTopic>();
  readonly fetchBytes: Semaphore;
  readonly fetchSessions = new FetchSessions(this.runtime, 10);
  readonly rooms: Rooms;
  /** Answer of `open` instead of the log. */
  openError: ErrorCodeValue = ErrorCode.NONE;
  loadsLate = false;
  /** What a follower has, by topic id and partition; see `follow`. */
  readonly followedLogs = new Map<string, FakeLog>();
  /** The read replica of every partition, by rack. */
  readonly readReplicas = new Map<string, number>();

  constructor(
    topics: Readonly<Record<string, number>>,
    { fetchBytes = FETCH_BYTES_IN_FLIGHT_MAX, ...overrides }:
      & { fetchBytes?: number }
      & Parameters<typeof defaultConfig>[0] = {},
  ) {
    this.fetchBytes = new Semaphore(fetchBytes);
    for (const [name, partitionCount] of Object.entries(topics)) {
      this.addTopic(name, partitionCount);
    }
    const rooms: Partial<Record<keyof Rooms, unknown>> = {
      config: defaultConfig(overrides),
      runtime: this.runtime,
      fetchSessions: this.fetchSessions,
      fetchBytes: this.fetchBytes,
      referrals: new Referrals(this.runtime.clock),
      followed: {
        open: (id: string, partition: number) =>
          this.followedLogs.get(`${id}-${partition}`) ?? ErrorCode.NOT_LEADER_OR_FOLLOWER,
      },
      cluster: {
        readReplica: (_topicId: string, _partition: number, rack: string) =>
          this.readReplicas.get(rack) ?? -1,
        leader: () => ({ leaderId: 7, leaderEpoch: 4 }),
        coordinator: () => 7,
        brokers: () => [{ nodeId: 7, host: "seven", port: 9092, rack: null }],
      },
      topics: {
        byName: (name: string) => this.topics.get(name),
        byId: (id: string) => [...this.topics.values()].find((topic) => topic.id === id),
      },
      logs: {
        open: (id: string, partition: number) => this.#open(id, partition),
        refusal: ErrorCode.NONE,
      },
    };
    this.rooms = rooms as unknown as Rooms;
  }

  addTopic(name: string, partitionCount: number, configs = new Map<string, string>()): void {
    const id = idOf(name);
    this.topics.set(name, { id, name, partitionCount, configs });
    for (let partition = 0; partition < partitionCount; partition++) {
      this.logs.set(`${id}-${partition}`, new FakeLog(name, id, partition));
    }
  }

  log(topic: string, partition = 0): FakeLog {
    return this.logs.get(`${idOf(topic)}-${partition}`)!;
  }

  /** From now on another broker leads it, and this one follows. */
  follow(topic: string, partition = 0): FakeLog {
    const log = this.log(topic, partition);
    log.following = true;
    this.openError = ErrorCode.NOT_LEADER_OR_FOLLOWER;
    this.followedLogs.set(`${idOf(topic)}-${partition}`, log);
    return log;
  }

  #open(topicId: string, partition: number) {
    if (this.openError !== 0) return this.openError;
    const log = this.logs.get(`${topicId}-${partition}`)!;
    return this.loadsLate ? Promise.resolve(log) : log;
  }
}

/** A context whose `sent` plays the end of the response. */
export class FakeContext implements RequestContext {
  readonly correlationId = 1;
  readonly clientId = "test";
  readonly remoteAddress = "client:1";
  readonly connectionId = 1;
  readonly principal = "User:ANONYMOUS";
  readonly clientSoftware = undefined;
  readonly abort = new AbortController();
  readonly signal = this.abort.signal;
  readonly #done: (() => void)[] = [];

  constructor(readonly apiVersion: number) {}

  release(): void {}

  onSent(done: () => void): void {
    this.#done.push(done);
  }

  sent(): void {
    for (const done of this.#done.splice(0)) done();
  }
}
