/**
 * One partition that another broker leads, as far as this broker has seen it committed: the newest
 * manifest, and behind it the rows of chain slots that were read in order
 * (docs/decisions/0014). Nothing is written.
 *
 * Keeps I2 and I4: a row joins the tail only where the one before it ends, so the high watermark
 * moves over committed batches alone and never goes back; what no row and no manifest vouches for
 * yet is not there.
 */
import { MalformedError } from "../bytes/mod.ts";
import type { TopicInfo } from "../metadata/topics.ts";
import type { ErrorCodeValue } from "../protocol/errors.ts";
import { loadNewestManifest } from "../storage/manifest_store.ts";
import type { SegmentInfo } from "../storage/manifest.ts";
import { partitionPrefix } from "../storage/keys.ts";
import { LeaderEpochs } from "./leader_epochs.ts";
import type { LogContext } from "./log_context.ts";
import type { Isolation, ReadablePartition, ReadResult } from "./partition.ts";
import { readableBytes, type ReadableLog, readLog } from "./read.ts";
import { lastOffset, Tail, type TailEntry } from "./tail.ts";
import type { TopicTraffic } from "./topic_traffic.ts";

/** What followed partitions share. */
export type FollowContext = Pick<
  LogContext,
  | "runtime"
  | "store"
  | "cache"
  | "readAhead"
  | "segments"
  | "namespace"
  | "traffic"
  | "trafficByTopic"
  | "readaheadSegments"
  | "signal"
>;

/** A reader of segments sees a log start, or a deletion of records, this much late at most. */
const MANIFEST_AGE_MAX_MS = 30_000;

export class FollowedLog implements ReadablePartition, ReadableLog {
  readonly following = true;
  readonly topicId: string;
  readonly topic: string;
  readonly prefix: string;
  readonly tail = new Tail();
  readonly logEndOffset = Infinity;
  segments: readonly SegmentInfo[] = [];
  logStartOffset = 0;
  highWatermark = 0;
  closed: ErrorCodeValue = 0;
  /** Of the manifest at hand; -1: there was none. */
  #sequence = -1;
  #coveredOffset = 0;
  #epochs = new LeaderEpochs();
  #loadedMs = -Infinity;
  #loading: Promise<void> | undefined;
  readonly #traffic: TopicTraffic;
  readonly #listeners = new Set<() => void>();

  constructor(
    readonly context: FollowContext,
    info: TopicInfo,
    readonly partition: number,
    readonly epochNow: () => number,
    /** Somebody waits for the log, or reads it: it is to be kept current. */
    readonly wanted: () => void,
  ) {
    this.topicId = info.id;
    this.topic = info.name;
    this.prefix = partitionPrefix(context.namespace, info.directory, partition);
    this.#traffic = context.trafficByTopic.of(info.id);
  }

  get leaderEpoch(): number {
    return this.epochNow();
  }

  /** Equal to the high watermark while no transaction is open. */
  get lastStableOffset(): number {
    return this.highWatermark;
  }

  get coveredOffset(): number {
    return this.#coveredOffset;
  }

  /** Whether a fetch waits for it now. */
  get awaited(): boolean {
    return this.#listeners.size > 0;
  }

  /** Reads the newest manifest; calls at the same time share it. StoreErrors pass through. */
  reload(): Promise<void> {
    this.#loading ??= this.#load().finally(() => this.#loading = undefined);
    return this.#loading;
  }

  async #load(): Promise<void> {
    const { store, signal, runtime } = this.context;
    const { manifest } = await loadNewestManifest(store, this.prefix, { signal });
    this.#loadedMs = runtime.clock.monotonicMs();
    // A replica that is behind may show an older one than before.
    if (manifest === undefined || manifest.sequence <= this.#sequence) return;
    if (manifest.topicId !== this.topicId || manifest.partition !== this.partition) {
      throw new MalformedError("a manifest lies in another partition's directory");
    }
    this.#sequence = manifest.sequence;
    this.#coveredOffset = Math.max(this.#coveredOffset, manifest.coveredOffset);
    this.segments = manifest.segments;
    this.logStartOffset = Math.max(this.logStartOffset, manifest.logStartOffset);
    // Those of the manifest end where the tail's begin, or overlap.
    this.#epochs = new LeaderEpochs(manifest.leaderEpochs);
    this.tail.dropBelow(this.#coveredOffset);
    for (const { row } of this.tail.entries) this.#epochs.note(row.leaderEpoch, row.baseOffset);
    this.#advance(this.#coveredOffset);
  }

  /**
   * Takes what joins the end of the log from a chain's entries, in offset order. False: they go on
   * behind a hole, which a newer manifest or another chain fills.
   */
  take(entries: readonly TailEntry[]): boolean {
    let end = this.highWatermark;
    let at = firstReaching(entries, end);
    for (; at < entries.length; at++) {
      const entry = entries[at]!;
      if (entry.row.baseOffset > end) break;
      this.tail.push(entry);
      this.#epochs.note(entry.row.leaderEpoch, entry.row.baseOffset);
      end = lastOffset(entry.row) + 1;
    }
    this.#advance(end);
    return at === entries.length;
  }

  #advance(end: number): void {
    if (end <= this.highWatermark) return;
    this.highWatermark = end;
    this.notify();
  }

  onAdvance(advanced: () => void): () => void {
    this.#listeners.add(advanced);
    this.wanted();
    return () => this.#listeners.delete(advanced);
  }

  notify(): void {
    for (const listener of this.#listeners) listener();
  }

  limit(_isolation: Isolation): number {
    return this.highWatermark;
  }

  readable(offset: number, isolation: Isolation, enough: number): number {
    return readableBytes(this, offset, isolation, enough);
  }

  async read(
    offset: number,
    maxBytes: number,
    isolation: Isolation,
    atLeastOneBatch: boolean,
    signal: AbortSignal,
  ): Promise<ReadResult> {
    const ageMs = this.context.runtime.clock.monotonicMs() - this.#loadedMs;
    if (offset < this.#coveredOffset && ageMs > MANIFEST_AGE_MAX_MS) await this.reload();
    return await readLog(this, { offset, maxBytes, isolation, atLeastOneBatch, signal });
  }

  countRead(bytes: number): void {
    this.context.traffic.readBytes += bytes;
    this.#traffic.fetchedBytes += bytes;
  }

  /** Whoever is behind here is sent to the leader, and told nothing else. */
  confirm(): Promise<ErrorCodeValue> {
    return Promise.resolve(0);
  }

  endOffsetForEpoch(epoch: number): { leaderEpoch: number; endOffset: number } {
    return this.#epochs.endOffset(epoch, this.leaderEpoch, this.highWatermark);
  }

  /** Answers everything with `code` from now on. */
  close(code: ErrorCodeValue): void {
    if (this.closed !== 0) return;
    this.closed = code;
    this.notify();
  }
}

/** Index of the first entry that reaches `offset` or lies behind it. */
function firstReaching(entries: readonly TailEntry[], offset: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lastOffset(entries[middle]!.row) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
