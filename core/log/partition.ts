/** What one partition offers to handlers. Offsets: `logEndOffset` and watermarks are exclusive. */
import type { ErrorCodeValue } from "../protocol/errors.ts";

export type Isolation = "read_uncommitted" | "read_committed";

/** The outcome of an append; its effect is visible and may be answered only after `committed`. */
export interface AppendResult {
  readonly errorCode: ErrorCodeValue;
  /** One sentence for the client, where the code alone doesn't say it. */
  readonly errorMessage: string | null;
  /** First offset given (or, for a duplicate, once given) to the batch; -1 on error. */
  readonly baseOffset: number;
  /** -1 unless the topic uses LogAppendTime. */
  readonly logAppendTimeMs: number;
  readonly logStartOffset: number;
  /**
   * Settles when what the answer depends on is durable, or `confirm` has proved a refusal by what
   * is known of a producer; undefined when it depends on nothing. Resolves to the error that
   * replaces the answer when the commit failed, or who led is replaced, else 0.
   */
  readonly committed: Promise<ErrorCodeValue> | undefined;
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export interface ReadResult {
  readonly errorCode: ErrorCodeValue;
  /** Whole record batches, verbatim, as a gather list; the first one holds the wanted offset. */
  readonly records: readonly Uint8Array[];
  readonly bytes: number;
  /** For read_committed; null otherwise. */
  readonly abortedTransactions: readonly AbortedTransaction[] | null;
  /** Gives the buffers behind `records` back; call once, after the bytes were sent or dropped. */
  release(): void;
}

export interface TimestampOffset {
  /** -1 when there is none. */
  readonly offset: number;
  readonly timestampMs: number;
  readonly leaderEpoch: number;
}

export interface ProducerStateView {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  readonly lastTimestampMs: number;
  readonly coordinatorEpoch: number;
  /** First offset of the open transaction, or -1. */
  readonly currentTxnStartOffset: number;
}

/** What a fetch needs of a partition, whether this broker leads it or follows its leader. */
export interface ReadablePartition {
  readonly topicId: string;
  readonly topic: string;
  readonly partition: number;
  /** Another broker leads it: what is committed is seen here a moment later, and nothing else. */
  readonly following: boolean;
  /**
   * Not 0: the code that everything is answered with, since the topic is deleted or somebody else
   * leads. The offsets below then tell nothing any more.
   */
  readonly closed: ErrorCodeValue;
  readonly leaderEpoch: number;
  readonly logStartOffset: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  /** Includes what is appended and not yet committed; unknown (Infinity) where it is followed. */
  readonly logEndOffset: number;
  /**
   * Reads from `offset` up to the limit of `isolation`, at most `maxBytes` but, where
   * `atLeastOneBatch`, never less than one whole batch if there is one. OFFSET_OUT_OF_RANGE outside
   * [logStartOffset, logEndOffset].
   */
  read(
    offset: number,
    maxBytes: number,
    isolation: Isolation,
    atLeastOneBatch: boolean,
    signal: AbortSignal,
  ): Promise<ReadResult>;
  /** Bytes that `read` could return from `offset`, counted up to `enough`; no I/O. */
  readable(offset: number, isolation: Isolation, enough: number): number;
  /** Calls `advanced` whenever the high watermark or last stable offset moves; returns "stop". */
  onAdvance(advanced: () => void): () => void;
  /**
   * Largest epoch at most `epoch`, with its exclusive end offset; (-1, -1) when unknown (KIP-101).
   */
  endOffsetForEpoch(epoch: number): { leaderEpoch: number; endOffset: number };
  /**
   * For answers that say what is not so, as an offset beyond the end: 0 where this broker led at
   * some moment since the call; else the code to answer with instead. 0 where another one leads.
   */
  confirm(): Promise<ErrorCodeValue>;
}

/** A partition that this broker leads. */
export interface PartitionLog extends ReadablePartition {
  /** Bytes of all committed batches from the log start on. */
  readonly sizeBytes: number;
  /**
   * Checks and appends the record batches in `bytes[start, end)`. Synchronous: the bytes are copied
   * before it returns (base offset and leader epoch are patched in place first).
   */
  append(bytes: Uint8Array, start: number, end: number, produceVersion: number): AppendResult;
  /** First offset whose record timestamp is at least `timestampMs` (KIP-33 semantics). */
  offsetForTimestamp(timestampMs: number, isolation: Isolation): Promise<TimestampOffset>;
  /** The record with the greatest timestamp (KIP-734). */
  offsetOfMaxTimestamp(): Promise<TimestampOffset>;
  /**
   * Moves the log start offset up to `offset` (-1: the high watermark); durable when it resolves.
   */
  deleteRecords(offset: number): Promise<{ errorCode: ErrorCodeValue; logStartOffset: number }>;
  producers(): readonly ProducerStateView[];
}
