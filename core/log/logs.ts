/**
 * All partitions that this broker leads. A partition is loaded from its manifest and the recovered
 * WAL entries on first use, so starting costs the WAL's footers, whatever the number of partitions.
 */
import type { TopicInfo, TopicRegistry } from "../metadata/topics.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { inTime } from "../runtime/in_time.ts";
import { sleep } from "../runtime/sleep.ts";
import { StoreError } from "../storage/object_store.ts";
import { backoffMs } from "../storage/retry.ts";
import type { LogContext } from "./log_context.ts";
import type { LogManager } from "./log_manager.ts";
import type { PartitionLog } from "./partition.ts";
import { PartitionLogState } from "./partition_log.ts";
import type { RecoveredEntries } from "./recovered.ts";

/** A partition: loaded, being loaded, or refused for now. */
type Slot = PartitionLogState | Promise<PartitionLogState | ErrorCodeValue>;

/** A store that answers nothing for this long costs the request KAFKA_STORAGE_ERROR. */
const LOAD_PATIENCE_MS = 30_000;

export class Logs implements LogManager {
  readonly #partitions = new Map<string, (Slot | undefined)[]>();

  constructor(
    readonly context: LogContext,
    readonly topics: TopicRegistry,
    readonly recovered: RecoveredEntries,
    /** Whether this broker leads the partition; asked when it is loaded, and told by `unload`. */
    readonly leads: (topicId: string, partition: number) => boolean = () => true,
  ) {}

  open(
    topicId: string,
    partition: number,
  ): PartitionLog | ErrorCodeValue | Promise<PartitionLog | ErrorCodeValue> {
    const log = this.#partitions.get(topicId)?.[partition] ?? this.#load(topicId, partition);
    return log instanceof PartitionLogState && log.closed !== 0 ? log.closed : log;
  }

  get refusal(): ErrorCodeValue {
    return this.context.health.refusesWrites ? ErrorCode.KAFKA_STORAGE_ERROR : 0;
  }

  noteRefused(topicId: string, partition: number, records: Uint8Array | null): void {
    this.context.refused.note(topicId, partition, records);
  }

  room(timeoutMs: number): ErrorCodeValue | Promise<ErrorCodeValue> {
    return this.context.chain.hasRoom ? this.refusal : this.#room(timeoutMs);
  }

  async #room(timeoutMs: number): Promise<ErrorCodeValue> {
    const { chain, runtime } = this.context;
    const endMs = runtime.clock.monotonicMs() + timeoutMs;
    for (let leftMs = timeoutMs; leftMs > 0; leftMs = endMs - runtime.clock.monotonicMs()) {
      if (chain.hasRoom || chain.ended !== 0 || this.refusal !== 0) break;
      await chain.room(leftMs);
    }
    if (chain.ended !== 0) return chain.ended;
    if (this.refusal !== 0) return this.refusal;
    return chain.hasRoom ? 0 : ErrorCode.REQUEST_TIMED_OUT;
  }

  /** The same as `open`, as this room sees it. */
  state(
    topicId: string,
    partition: number,
  ): PartitionLogState | ErrorCodeValue | Promise<PartitionLogState | ErrorCodeValue> {
    return this.#partitions.get(topicId)?.[partition] ?? this.#load(topicId, partition);
  }

  #load(
    topicId: string,
    partition: number,
  ): ErrorCodeValue | Promise<PartitionLogState | ErrorCodeValue> {
    const topic = this.topics.byId(topicId);
    if (topic === undefined || partition < 0 || partition >= topic.partitionCount) {
      return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    }
    if (!this.leads(topicId, partition)) return ErrorCode.NOT_LEADER_OR_FOLLOWER;
    let slots = this.#partitions.get(topicId);
    if (slots === undefined) this.#partitions.set(topicId, slots = []);
    const owner = slots;
    const loading: Promise<PartitionLogState | ErrorCodeValue> = this.#loadState(topic, partition)
      .then(
        (state) => {
          if (this.#partitions.get(topicId) !== owner) {
            state.discard();
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
          }
          if (owner[partition] !== loading) {
            state.close(ErrorCode.NOT_LEADER_OR_FOLLOWER);
            return ErrorCode.NOT_LEADER_OR_FOLLOWER;
          }
          owner[partition] = state;
          return state;
        },
        (error) => {
          // Not loaded, so not served; the next request tries again.
          if (owner[partition] === loading) owner[partition] = undefined;
          this.#notLoaded(topic, partition, error);
          return ErrorCode.KAFKA_STORAGE_ERROR;
        },
      );
    owner[partition] = loading;
    return loading;
  }

  async #loadState(topic: TopicInfo, partition: number): Promise<PartitionLogState> {
    const state = new PartitionLogState(this.context, topic, partition);
    await this.#loadCheckpoint(state);
    // Taken only once they fit the manifest: a failed load leaves them where they are.
    state.start(this.recovered.of(topic.id, partition));
    this.recovered.take(topic.id, partition);
    // Its configs may have changed meanwhile, and `changed` didn't find it yet.
    state.info = this.topics.byId(topic.id) ?? topic;
    return state;
  }

  #notLoaded(topic: TopicInfo, partition: number, error: unknown): void {
    const { health, runtime: { log } } = this.context;
    const fields = { topic: topic.name, partition, error };
    // Said once by the store's health; every request would repeat it here.
    if (health.refusesReads) log.debug("partition waits for the store", fields);
    else log.error("partition cannot be loaded; it is tried again on demand", fields);
  }

  /** Rides out passing faults, for all who wait, but neither an outage nor a hanging call. */
  async #loadCheckpoint(state: PartitionLogState): Promise<void> {
    const { runtime, signal, health } = this.context;
    const giveUpMs = runtime.clock.monotonicMs() + LOAD_PATIENCE_MS;
    for (let attempt = 0;; attempt++) {
      const leftMs = giveUpMs - runtime.clock.monotonicMs();
      try {
        const load = state.checkpoint.load().then(() => true);
        if (await inTime(runtime.timers, leftMs, load) === true) return;
        throw new StoreError("retry", "the partition's manifest could not be read in time");
      } catch (error) {
        const passing = error instanceof StoreError && error.outcome !== "fatal";
        const patient = !signal.aborted && !health.refusesReads &&
          runtime.clock.monotonicMs() < giveUpMs;
        if (!passing || !patient) throw error;
        await sleep(runtime.timers, backoffMs(runtime, attempt), signal);
      }
    }
  }

  /** Loaded, being loaded, or with recovered entries that wait for it. */
  touched(topicId: string, partition: number): boolean {
    return this.#partitions.get(topicId)?.[partition] !== undefined ||
      this.recovered.of(topicId, partition).length > 0;
  }

  /** Another broker leads the partition now: whoever waits is told, and memory is given up. */
  unload(topicId: string, partition: number): void {
    const slots = this.#partitions.get(topicId);
    const slot = slots?.[partition];
    this.recovered.take(topicId, partition);
    if (slot === undefined) return;
    slots![partition] = undefined;
    if (slot instanceof PartitionLogState) slot.close(ErrorCode.NOT_LEADER_OR_FOLLOWER);
  }

  /** The partition if it is loaded; looking loads nothing. */
  loadedAt(topicId: string, partition: number): PartitionLogState | undefined {
    const slot = this.#partitions.get(topicId)?.[partition];
    return slot instanceof PartitionLogState ? slot : undefined;
  }

  /** Every loaded partition. */
  *loaded(): Iterable<PartitionLogState> {
    for (const slots of this.#partitions.values()) {
      for (const slot of slots) if (slot instanceof PartitionLogState) yield slot;
    }
  }

  /** Takes a changed topic's configs and partition count over. */
  changed(topic: TopicInfo): void {
    for (const slot of this.#partitions.get(topic.id) ?? []) {
      if (slot instanceof PartitionLogState) slot.info = topic;
    }
  }

  /**
   * Closes all partitions of a deleted topic: whoever waits is answered, WAL entries are given up.
   * Resolves when nothing of it is being written any more.
   */
  async drop(topicId: string): Promise<void> {
    const slots = this.#partitions.get(topicId) ?? [];
    this.#partitions.delete(topicId);
    this.context.trafficByTopic.forget(topicId);
    for (const partition of this.recovered.partitionsOf(topicId)) {
      for (const { object, adoption } of this.recovered.take(topicId, partition)) {
        object.live--;
        if (adoption !== undefined) adoption.live--;
      }
    }
    for (const slot of slots) {
      const state = await slot;
      if (!(state instanceof PartitionLogState)) continue;
      state.discard();
      await state.checkpoint.settled();
    }
  }

  /** Closes everything; the broker stops. */
  close(): void {
    for (const state of this.loaded()) state.close(ErrorCode.NOT_LEADER_OR_FOLLOWER);
  }
}
