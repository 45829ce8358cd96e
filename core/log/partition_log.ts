/**
 * One partition: appended to the open commit, visible once committed, read from the WAL's tail and
 * from segments. Keeps I2 (dense offsets, each given once), I4 (the high watermark is what is
 * committed and never goes back) and, with producer_state.ts, I6.
 */
import type { TopicInfo } from "../metadata/topics.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { invariant } from "../runtime/assert.ts";
import { partitionPrefix } from "../storage/keys.ts";
import type { MergePlan, SegmentInfo } from "../storage/manifest.ts";
import type { RowSink, WalObject } from "../storage/wal/commit.ts";
import type { BatchRow } from "../storage/wal/format.ts";
import { admitBatch, type Refusal } from "./admission.ts";
import { Checkpoint } from "./checkpoint.ts";
import { LeaderEpochs } from "./leader_epochs.ts";
import type { LogContext } from "./log_context.ts";
import type {
  AppendResult,
  Isolation,
  PartitionLog,
  ProducerStateView,
  ReadResult,
  TimestampOffset,
} from "./partition.ts";
import { OUT_OF_ORDER, ProducerStates } from "./producer_state.ts";
import { deleteRecords } from "./retention.ts";
import { readableBytes, type ReadableLog, readLog } from "./read.ts";
import { Tail, type TailEntry } from "./tail.ts";
import type { TopicTraffic } from "./topic_traffic.ts";
import { findMaxTimestamp, findTimestamp } from "./timestamps.ts";

const NOT_LEADER = ErrorCode.NOT_LEADER_OR_FOLLOWER;

/** Settles with 0 when the commit that holds a batch is durable. */
export type Pending = Promise<ErrorCodeValue>;

export class PartitionLogState implements PartitionLog, ReadableLog, RowSink {
  readonly following = false;
  readonly topicId: string;
  readonly topic: string;
  /** The partition's directory in the bucket. */
  readonly prefix: string;
  readonly checkpoint: Checkpoint;
  readonly tail = new Tail();
  readonly #traffic: TopicTraffic;
  readonly epochs = new LeaderEpochs();
  producerStates = new ProducerStates<Pending>();
  logStartOffset = 0;
  highWatermark = 0;
  logEndOffset = 0;
  /** Not 0 once the partition is closed: the code that everything is answered with. */
  closed: ErrorCodeValue = 0;
  /** Takes no more batches, since somebody else is to lead; what is there can be read. */
  leaving = false;
  /** What an earlier owner planned and left. */
  inheritedMerge: MergePlan | undefined;
  #started = false;
  /** Bytes of the segments that were summed last; a change of segments makes a new array. */
  #sized: { readonly of: readonly unknown[]; readonly bytes: number } = { of: [], bytes: 0 };
  readonly #listeners = new Set<() => void>();

  constructor(
    readonly context: LogContext,
    public info: TopicInfo,
    readonly partition: number,
  ) {
    this.topicId = info.id;
    this.topic = info.name;
    this.#traffic = context.trafficByTopic.of(info.id);
    this.prefix = partitionPrefix(context.namespace, info.directory, partition);
    this.checkpoint = new Checkpoint({
      runtime: context.runtime,
      store: context.store,
      prefix: this.prefix,
      topicId: info.id,
      partition,
      signal: context.signal,
      taken: () => this.follow(),
    });
  }

  /** Puts the recovered WAL entries on top of the loaded checkpoint. */
  start(recovered: readonly TailEntry[]): void {
    const { checkpoint } = this;
    for (const { leaderEpoch, startOffset } of checkpoint.leaderEpochs) {
      this.epochs.note(leaderEpoch, startOffset);
    }
    this.producerStates = new ProducerStates(checkpoint.producers.entries());
    this.logStartOffset = checkpoint.logStartOffset;
    this.inheritedMerge = checkpoint.merge;
    let end = checkpoint.coveredOffset;
    for (const entry of recovered) {
      this.tail.push(entry);
      const { row } = entry;
      const last = row.baseOffset + row.lastOffsetDelta;
      if (last < checkpoint.coveredOffset) continue;
      invariant(row.baseOffset <= end, "recovered WAL entries leave a hole behind the manifest");
      end = last + 1;
      this.epochs.note(row.leaderEpoch, row.baseOffset);
      this.producerStates.apply(row, undefined, entry.object.createdMs);
    }
    this.tail.dropBelow(checkpoint.coveredOffset);
    this.highWatermark = end;
    this.logEndOffset = end;
    this.#started = true;
  }

  get leaderEpoch(): number {
    return this.context.leaderEpoch(this.topicId, this.partition);
  }

  /** Equal to the high watermark while no transaction is open. */
  get lastStableOffset(): number {
    return this.highWatermark;
  }

  get sizeBytes(): number {
    return this.tail.bytes + this.segmentBytes;
  }

  get segmentBytes(): number {
    const { segments } = this.checkpoint;
    if (this.#sized.of !== segments) {
      const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
      this.#sized = { of: segments, bytes };
    }
    return this.#sized.bytes;
  }

  get segments(): readonly SegmentInfo[] {
    return this.checkpoint.segments;
  }

  async reload(): Promise<void> {
    await this.checkpoint.update(async () => {
      await this.checkpoint.load();
      return undefined;
    });
  }

  append(bytes: Uint8Array, start: number, end: number, produceVersion: number): AppendResult {
    const { context } = this;
    const gone = this.closed !== 0 ? this.closed : this.leaving ? NOT_LEADER : 0;
    if (gone !== 0) {
      // Noted like those behind it, which are refused before they come here.
      context.refused.note(this.topicId, this.partition, bytes.subarray(start, end));
      return this.#refused({ errorCode: gone, message: null });
    }
    if (context.chain.ended !== 0) {
      return this.#refused({ errorCode: context.chain.ended, message: null });
    }
    const nowMs = context.runtime.clock.wallMs();
    const settings = context.settings(this.info);
    const admitted = admitBatch(bytes, start, end, produceVersion, settings, nowMs);
    if ("errorCode" in admitted) return this.#refused(admitted);
    const { row, logAppendTimeMs } = admitted;
    if (row.producerId >= 0) {
      const verdict = this.producerStates.check(
        row.producerId,
        row.producerEpoch,
        row.baseSequence,
        row.lastOffsetDelta,
      );
      if (verdict.kind === "duplicate") {
        const { baseOffset, pending } = verdict.batch;
        // The time that the first one got is not kept; -1 leaves the client its own.
        return this.#accepted(baseOffset, -1, pending);
      }
      if (verdict.kind === "refuse") {
        return this.#refusedSequence(row, verdict);
      }
      if (!context.refused.admits(this.topicId, this.partition, row, verdict.follows)) {
        return this.#refusedSequence(row, OUT_OF_ORDER);
      }
    }
    row.baseOffset = this.logEndOffset;
    row.leaderEpoch = this.leaderEpoch;
    admitted.stamp(row.baseOffset, row.leaderEpoch);
    const commit = context.chain.append(
      this,
      row,
      admitted.bytes,
      admitted.start,
      admitted.end,
    );
    const pending = commit.done.promise;
    this.logEndOffset = row.baseOffset + row.lastOffsetDelta + 1;
    this.epochs.note(row.leaderEpoch, row.baseOffset);
    if (row.producerId >= 0) {
      this.producerStates.apply(row, pending, nowMs);
      if (this.producerStates.size > context.producersMax) this.#expireProducers(nowMs);
    }
    return this.#accepted(row.baseOffset, logAppendTimeMs, pending);
  }

  #accepted(baseOffset: number, logAppendTimeMs: number, committed?: Pending): AppendResult {
    return {
      errorCode: 0,
      errorMessage: null,
      baseOffset,
      logAppendTimeMs,
      logStartOffset: this.logStartOffset,
      committed,
    };
  }

  /**
   * A producer gives up at such an answer. Whoever led after us may have taken what the batch
   * follows on, and a commit that it was computed from may fail; so it waits for a proof.
   */
  #refusedSequence(row: BatchRow, refusal: Refusal): AppendResult {
    const { producerId, producerEpoch, baseSequence } = row;
    this.context.runtime.log.debug("a batch of an idempotent producer is refused", {
      topic: this.info.name,
      partition: this.partition,
      leaderEpoch: this.leaderEpoch,
      errorCode: refusal.errorCode,
      producerId,
      producerEpoch,
      baseSequence,
    });
    return { ...this.#refused(refusal), committed: this.confirm() };
  }

  #refused({ errorCode, message }: Refusal): AppendResult {
    return {
      errorCode,
      errorMessage: message,
      baseOffset: -1,
      logAppendTimeMs: -1,
      logStartOffset: errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION ? -1 : this.logStartOffset,
      committed: undefined,
    };
  }

  #expireProducers(nowMs: number): void {
    const { producerExpirationMs, producersMax } = this.context;
    this.producerStates.expire(nowMs - producerExpirationMs, producersMax);
  }

  /** Called by the chain, in slot order: the rows are durable, so the high watermark moves (I4). */
  committed(rows: readonly BatchRow[], object: WalObject): void {
    if (this.closed !== 0) {
      // Of a deleted topic nobody needs them; else they stay for whoever leads next.
      if (this.closed === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) object.live -= rows.length;
      return;
    }
    for (const row of rows) {
      invariant(row.baseOffset === this.highWatermark, "batches are committed in offset order");
      this.tail.push({ row, object, adoption: undefined });
      this.highWatermark = row.baseOffset + row.lastOffsetDelta + 1;
      this.#traffic.producedRecords += row.lastOffsetDelta + 1;
      this.#traffic.producedBytes += row.length;
    }
    this.notify();
  }

  onAdvance(advanced: () => void): () => void {
    this.#listeners.add(advanced);
    return () => this.#listeners.delete(advanced);
  }

  /** Wakes those who wait for the watermarks, or for the partition's end. */
  notify(): void {
    for (const listener of this.#listeners) listener();
  }

  limit(isolation: Isolation): number {
    return isolation === "read_committed" ? this.lastStableOffset : this.highWatermark;
  }

  read(
    offset: number,
    maxBytes: number,
    isolation: Isolation,
    atLeastOneBatch: boolean,
    signal: AbortSignal,
  ): Promise<ReadResult> {
    return readLog(this, { offset, maxBytes, isolation, atLeastOneBatch, signal });
  }

  /** A client was given `bytes` of record batches. */
  countRead(bytes: number): void {
    this.context.traffic.readBytes += bytes;
    this.#traffic.fetchedBytes += bytes;
  }

  readable(offset: number, isolation: Isolation, enough: number): number {
    return readableBytes(this, offset, isolation, enough);
  }

  offsetForTimestamp(timestampMs: number, isolation: Isolation): Promise<TimestampOffset> {
    return findTimestamp(this, timestampMs, isolation);
  }

  offsetOfMaxTimestamp(): Promise<TimestampOffset> {
    return findMaxTimestamp(this);
  }

  endOffsetForEpoch(epoch: number): { leaderEpoch: number; endOffset: number } {
    return this.epochs.endOffset(epoch, this.leaderEpoch, this.highWatermark);
  }

  deleteRecords(
    offset: number,
  ): Promise<{ errorCode: ErrorCodeValue; logStartOffset: number }> {
    return deleteRecords(this, offset);
  }

  confirm(): Pending {
    return this.context.standing.prove();
  }

  producers(): readonly ProducerStateView[] {
    return this.producerStates.views();
  }

  /** Takes the checkpoint as it is after an update or a rival's: what it covers leaves the tail. */
  follow(): void {
    this.logStartOffset = Math.max(this.logStartOffset, this.checkpoint.logStartOffset);
    this.tail.dropBelow(this.checkpoint.coveredOffset);
    this.epochs.trim(this.logStartOffset);
    // Somebody else has committed behind us: we are fenced, and only have not met the seal yet.
    const superseded = this.#started && this.checkpoint.coveredOffset > this.highWatermark;
    if (superseded) this.close(ErrorCode.NOT_LEADER_OR_FOLLOWER);
  }

  /** Answers everything with `code` from now on. What is in the WAL stays there. */
  close(code: ErrorCodeValue): void {
    if (this.closed !== 0) return;
    this.closed = code;
    this.notify();
  }

  /** Closes the partition of a deleted topic: its WAL entries are needed by nobody any more. */
  discard(): void {
    this.close(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    this.tail.clear();
  }
}
