import type { Isolation, ReadablePartition, ReadResult } from "../../log/partition.ts";
import { ErrorCode, type ErrorCodeValue } from "../../protocol/errors.ts";
import { leaderEpochError, openIn, openToRead } from "../partition_access.ts";
import type { Rooms } from "../rooms.ts";
import type { FetchOutcome, FetchTarget } from "./sessions.ts";

/** One partition in the course of one fetch: found, waited for, read. */
export class PartitionFetch implements FetchOutcome {
  errorCode: ErrorCodeValue = ErrorCode.NONE;
  log: ReadablePartition | undefined;
  /** KIP-595: where the client's log parts from ours; set only where it does. */
  divergingEpoch: { epoch: number; endOffset: number } | undefined;
  result: ReadResult | undefined;
  /** KIP-392: the broker at which it is to be read; -1: here. */
  preferredReadReplica = -1;
  /** Of this partition, at most; the first partition with data may return more (one batch). */
  limitBytes = 0;
  atLeastOneBatch = false;

  constructor(readonly target: FetchTarget) {}

  get bytes(): number {
    return this.result?.bytes ?? 0;
  }

  get diverging(): boolean {
    return this.divergingEpoch !== undefined;
  }

  get referred(): boolean {
    return this.preferredReadReplica >= 0;
  }

  /** Followed here, and not yet as far as the reader has come elsewhere. */
  get behind(): boolean {
    const { log } = this;
    return this.errorCode === 0 && log !== undefined && log.following &&
      this.target.fetchOffset > log.highWatermark;
  }

  get highWatermark(): number {
    return this.errorCode === 0 ? this.log!.highWatermark : -1;
  }

  get lastStableOffset(): number {
    return this.errorCode === 0 ? this.log!.lastStableOffset : -1;
  }

  get logStartOffset(): number {
    return this.errorCode === 0 ? this.log!.logStartOffset : -1;
  }

  /** Whether there may be something to read. */
  get readable(): boolean {
    return this.errorCode === 0 && this.divergingEpoch === undefined && !this.referred;
  }

  found(log: ReadablePartition | ErrorCodeValue): void {
    if (typeof log === "number") this.errorCode = log;
    else {
      this.log = log;
      this.check();
    }
  }

  /** Epoch and offset against the log as it is now. */
  check(): void {
    const log = this.log;
    if (log === undefined || this.errorCode !== 0) return;
    const { currentLeaderEpoch, lastFetchedEpoch, fetchOffset } = this.target;
    this.errorCode = log.closed || leaderEpochError(log, currentLeaderEpoch);
    if (this.errorCode !== 0) return;
    // What a follower does not know yet it cannot judge.
    if (this.behind) return;
    if (lastFetchedEpoch >= 0 && this.#diverges(log, lastFetchedEpoch, fetchOffset)) return;
    // A reader may come from a follower, which saw a commit that this leader waits to hear of.
    if (fetchOffset < log.logStartOffset || fetchOffset > log.logEndOffset) {
      this.errorCode = ErrorCode.OFFSET_OUT_OF_RANGE;
    }
  }

  /** Nobody waits any longer for a follower to catch up: the reader turns to the leader. */
  giveUpBehind(): void {
    if (this.behind) this.errorCode = ErrorCode.OFFSET_NOT_AVAILABLE;
  }

  /** Whether the reader is told that what it looks for, or has, is not in the log. */
  get deniesWhatFollows(): boolean {
    const { log, target, diverging, errorCode } = this;
    if (log === undefined || diverging) return diverging;
    return errorCode === ErrorCode.OFFSET_OUT_OF_RANGE && target.fetchOffset >= log.logStartOffset;
  }

  /**
   * For an answer that denies: a reader gives its position up at it. Where this broker was taken
   * over from, and does not know it, the reader may have it from whoever leads now.
   */
  async confirm(): Promise<void> {
    const code = await this.log!.confirm();
    if (code === 0) return;
    this.errorCode = code;
    this.divergingEpoch = undefined;
  }

  #diverges(log: ReadablePartition, lastFetchedEpoch: number, fetchOffset: number): boolean {
    const { leaderEpoch, endOffset } = log.endOffsetForEpoch(lastFetchedEpoch);
    if (leaderEpoch === lastFetchedEpoch && endOffset >= fetchOffset) return false;
    if (leaderEpoch < 0) this.errorCode = ErrorCode.OFFSET_OUT_OF_RANGE;
    else this.divergingEpoch = { epoch: leaderEpoch, endOffset };
    return true;
  }

  /** Bytes that could be read now, counted up to `enough`. */
  available(isolation: Isolation, enough: number): number {
    return Math.min(enough, this.log!.readable(this.target.fetchOffset, isolation, enough));
  }
}

/** Finds the logs of all partitions; waits only for those that are not loaded yet. */
export async function findLogs(
  rooms: Rooms,
  fetches: readonly PartitionFetch[],
  byId: boolean,
  parallel: number,
  fromFollower: boolean,
): Promise<void> {
  const open = fromFollower ? openToRead : openIn;
  const unknown = byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  let loading: Promise<void>[] = [];
  let topicKey: string | undefined;
  let info: ReturnType<Rooms["topics"]["byId"]>;
  for (const fetch of fetches) {
    const { target } = fetch;
    if (target.topicKey !== topicKey) {
      topicKey = target.topicKey;
      info = byId ? rooms.topics.byId(topicKey) : rooms.topics.byName(topicKey);
    }
    const log = open(rooms, info, target.partition, unknown);
    if (!(log instanceof Promise)) fetch.found(log);
    else {
      loading.push(log.then((loaded) => fetch.found(loaded)));
      if (loading.length < parallel) continue;
      await Promise.all(loading);
      loading = [];
    }
  }
  if (loading.length > 0) await Promise.all(loading);
}
