/** Reads partitions from the start on, over and over, and writes down what it sees. */
import { concat } from "../../../core/bytes/mod.ts";
import { ErrorCode } from "../../../core/protocol/errors.ts";
import { fetch } from "../../../core/protocol/messages/01_fetch.ts";
import { listOffsets } from "../../../core/protocol/messages/02_list_offsets.ts";
import type { Moment } from "../history.ts";
import { readBatches, type ReadRecord } from "../record_batch.ts";
import { RACK } from "../cluster_plan.ts";
import { Actor, isRetriable, isTopicGone, type KnownTopic } from "./actor.ts";
import { ANY, type Destination } from "./routes.ts";

/** Where a log starts that nobody trims. */
const START = { offset: 0 } as const;

/** Offsets of a partition that an audit reads from at random. */
const SAMPLES = 12;

export interface PartitionRead {
  readonly code: number;
  /** Number of the broker incarnation that answered. */
  readonly incarnation: number;
  /** When it was asked. */
  readonly start: Moment;
  readonly logStartOffset: number;
  readonly highWatermark: number;
  /** From the wanted offset on. */
  readonly records: readonly ReadRecord[];
}

/** Who shall answer for a partition. */
export function leaderOf({ topicId }: KnownTopic, partition: number): Destination {
  return { kind: "leader", topicId, partition };
}

export abstract class Reader extends Actor {
  /** One partition from `offset` on; undefined where there was no answer. */
  protected async readAt(
    topic: KnownTopic,
    partition: number,
    offset: number,
    maxWaitMs: number,
    maxBytes: number,
  ): Promise<PartitionRead | undefined> {
    const version = topic.stable ? this.version(fetch) : this.version(fetch, 13);
    const start = this.stage.history.now();
    const to = leaderOf(topic, partition);
    const partitions = [{ partition, fetchOffset: offset, partitionMaxBytes: maxBytes }];
    const answer = await this.ask(
      fetch,
      version,
      {
        maxWaitMs,
        minBytes: 1,
        maxBytes,
        isolationLevel: this.prng.below(2),
        topics: [{ topic: topic.name, topicId: topic.topicId, partitions }],
      },
      maxWaitMs + 2_000,
      to,
    );
    if (answer === undefined) return undefined;
    if (answer.errorCode !== 0) {
      if (!isRetriable(answer.errorCode)) this.unexpected("Fetch", answer.errorCode);
      return undefined;
    }
    const read = answer.responses[0]?.partitions[0];
    if (read === undefined) {
      this.stage.history.problem(`${this.name}: a fetch was answered without its partition`);
      return undefined;
    }
    const records = readBatches(concat(read.records ?? []))
      .filter((record) => record.offset >= offset);
    const incarnation = this.stage.incarnationOf(this.wire!.server);
    if (read.errorCode !== 0) this.reroute(to);
    else {
      this.stage.history.sawEpochs(topic.topicId, partition, records);
      this.stage.history.observed.push({
        reader: this.name,
        incarnation,
        topicId: topic.topicId,
        partition,
        start,
        end: this.stage.history.now(),
        logStartOffset: read.logStartOffset,
        highWatermark: read.highWatermark,
        lastStableOffset: read.lastStableOffset,
        records,
      });
    }
    const { errorCode: code, logStartOffset, highWatermark } = read;
    return { code, incarnation, start, logStartOffset, highWatermark, records };
  }

  /** The earliest or latest offset of a stable topic's partition; undefined without an answer. */
  protected async listed(
    topic: KnownTopic,
    partition: number,
    which: "earliest" | "latest",
  ): Promise<{ offset: number; incarnation: number } | undefined> {
    const start = this.stage.history.now();
    const latest = which === "latest";
    const body = {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{
        name: topic.name,
        partitions: [{ partitionIndex: partition, timestamp: latest ? -1 : -2 }],
      }],
    };
    const to = leaderOf(topic, partition);
    const answer = await this.ask(listOffsets, this.version(listOffsets, 1), body, 2_000, to);
    const found = answer?.topics[0]?.partitions[0];
    if (found === undefined) return undefined;
    if (found.errorCode !== 0) {
      this.reroute(to);
      if (!isRetriable(found.errorCode) && !isTopicGone(found.errorCode)) {
        this.unexpected(`ListOffsets of ${topic.name}/${partition}`, found.errorCode);
      }
      return undefined;
    }
    const { offset } = found;
    const incarnation = this.stage.incarnationOf(this.wire!.server);
    this.stage.history.observed.push({
      reader: this.name,
      incarnation,
      topicId: topic.topicId,
      partition,
      start,
      end: this.stage.history.now(),
      logStartOffset: latest ? -1 : offset,
      highWatermark: latest ? offset : -1,
      lastStableOffset: -1,
      records: [],
    });
    return { offset, incarnation };
  }
}

/** A position of a reader that a follower has not seen; and epochs, of which it knows none. */
const FOLLOWERS_CODES: ReadonlySet<number> = new Set([
  ErrorCode.OFFSET_NOT_AVAILABLE,
  ErrorCode.OFFSET_OUT_OF_RANGE,
]);

export class Consumer extends Reader {
  readonly #positions = new Map<string, number>();

  protected override async act(): Promise<void> {
    while (!this.stage.closing) {
      const topics = this.stage.topics;
      if (topics.length > 0) await this.#step(this.prng.pick(topics));
      await this.pause(1, this.prng.chance(0.1) ? 300 : 30);
    }
  }

  async #step(topic: KnownTopic): Promise<void> {
    const partition = this.prng.below(topic.partitionCount);
    if (this.prng.chance(0.15)) {
      // ListOffsets goes by name, which may belong to another topic by now.
      if (!topic.stable) return;
      await this.listed(topic, partition, this.prng.chance(0.7) ? "latest" : "earliest");
      return;
    }
    const key = `${topic.topicId}/${partition}`;
    const reached = this.#positions.get(key) ?? 0;
    const position = this.prng.chance(0.15) ? this.prng.between(0, reached) : reached;
    const maxWaitMs = this.prng.pick([0, 10, 300]);
    const maxBytes = this.prng.pick([1, 500, 20_000, 1_000_000]);
    if (this.stage.racks && this.prng.chance(0.5)) {
      return await this.#readNear(topic, partition, position, maxWaitMs, maxBytes);
    }
    const read = await this.readAt(topic, partition, position, maxWaitMs, maxBytes);
    if (read === undefined) return;
    if (read.code === 0) {
      const last = read.records.at(-1);
      if (last !== undefined) this.#positions.set(key, last.offset + 1);
    } else if (isTopicGone(read.code) || isRetriable(read.code)) {
      await this.pause(5, 50);
    } else if (read.code === ErrorCode.OFFSET_OUT_OF_RANGE && topic.trimmed) {
      await this.#skip(topic, partition, position, read.incarnation);
    } else if (read.code !== ErrorCode.OFFSET_OUT_OF_RANGE || !topic.doomed) {
      this.unexpected(`fetch of ${key} offset ${position}`, read.code);
    }
  }

  /**
   * Reads at any broker, as a reader of its rack: what it shows must be what others see, and may be
   * old. Positions stay those of the leaders' readers.
   */
  async #readNear(
    topic: KnownTopic,
    partition: number,
    fetchOffset: number,
    maxWaitMs: number,
    partitionMaxBytes: number,
  ): Promise<void> {
    const { history, leadership } = this.stage;
    const { topicId, name } = topic;
    const start = history.now();
    const partitions = [{ partition, fetchOffset, partitionMaxBytes }];
    const topics = [{ topic: name, topicId, partitions }];
    const body = { maxWaitMs, minBytes: 1, maxBytes: partitionMaxBytes, rackId: RACK, topics };
    const version = this.version(fetch, topic.stable ? 11 : 13);
    const answer = await this.ask(fetch, version, body, maxWaitMs + 2_000, ANY);
    const read = answer?.responses[0]?.partitions[0];
    if (read === undefined) return;
    const { errorCode, highWatermark } = read;
    if (errorCode !== 0) {
      const expected = isRetriable(errorCode) || isTopicGone(errorCode) ||
        FOLLOWERS_CODES.has(errorCode);
      if (!expected) this.unexpected(`fetch of ${name} at a follower`, errorCode);
      return await this.pause(5, 50);
    }
    const records = readBatches(concat(read.records ?? []))
      .filter((record) => record.offset >= fetchOffset);
    if (records.length > 0 && records.at(-1)!.offset >= highWatermark) {
      history.problem(`I4: a follower of ${name}/${partition} showed its high watermark's record`);
    }
    history.sawEpochs(topicId, partition, records);
    const incarnation = this.stage.incarnationOf(this.wire!.server);
    const end = history.now();
    const led = leadership?.heldThroughout(incarnation, topicId, partition, start, end);
    if (led === undefined) history.followed += records.length;
    history.observed.push({
      reader: this.name,
      incarnation,
      topicId,
      partition,
      start,
      end,
      // A follower's are late, and bind nobody.
      logStartOffset: -1,
      highWatermark: -1,
      lastStableOffset: -1,
      records,
    });
  }

  /** Goes to where the log starts now. */
  async #skip(
    topic: KnownTopic,
    partition: number,
    position: number,
    incarnation: number,
  ): Promise<void> {
    const earliest = await this.listed(topic, partition, "earliest");
    if (earliest === undefined) return;
    if (earliest.offset <= position && earliest.incarnation === incarnation) {
      this.stage.history.problem(
        `${this.name}: ${topic.name}/${partition} refused offset ${position}, and starts at ` +
          earliest.offset,
      );
    }
    this.#positions.set(`${topic.topicId}/${partition}`, earliest.offset);
  }
}

/** Reads every partition to its end when all has come to rest: the truth of a run. */
export class Auditor extends Reader {
  protected override async act(): Promise<void> {
    for (const topic of this.stage.topics) {
      if (topic.doomed) continue;
      for (let partition = 0; partition < topic.partitionCount; partition++) {
        await this.#audit(topic, partition);
        if (!topic.trimmed) await this.#sample(topic, partition);
      }
    }
  }

  /** Any offset can be read from, not only those where the reading before it ended. */
  async #sample(topic: KnownTopic, partition: number): Promise<void> {
    const { history } = this.stage;
    const count = history.finals.at(-1)?.records.length ?? 0;
    for (let at = 0; at < Math.min(count, SAMPLES); at++) {
      const offset = this.prng.below(count);
      let read: PartitionRead | undefined;
      for (let attempt = 0; attempt < 50 && read?.code !== 0; attempt++) {
        if (attempt > 0) await this.pause(10, 100);
        read = await this.readAt(topic, partition, offset, 0, 1_000);
      }
      if (read?.records[0]?.offset === offset) continue;
      history.problem(`I2: ${topic.name}/${partition} cannot be read from offset ${offset}`);
      return;
    }
  }

  async #audit(topic: KnownTopic, partition: number): Promise<void> {
    const records: ReadRecord[] = [];
    let position = 0;
    for (let attempt = 0; attempt < 2_000; attempt++) {
      const read = await this.readAt(topic, partition, position, 0, 1_000_000);
      if (read?.code === ErrorCode.OFFSET_OUT_OF_RANGE && topic.trimmed) {
        const earliest = await this.listed(topic, partition, "earliest");
        position = Math.max(position, earliest?.offset ?? 0);
        continue;
      }
      if (read === undefined || read.code !== 0) {
        await this.pause(10, 100);
        continue;
      }
      records.push(...read.records);
      // Of this read: where the log's start has passed the last one, nothing comes.
      const last = read.records.at(-1);
      if (last !== undefined) position = last.offset + 1;
      if (position >= read.highWatermark) {
        const { topicId } = topic;
        const { highWatermark } = read;
        // Old versions of Fetch don't tell it.
        const earliest = topic.trimmed ? await this.listed(topic, partition, "earliest") : START;
        if (earliest === undefined) continue;
        const logStartOffset = earliest.offset;
        this.stage.history.finals.push({
          topicId,
          partition,
          logStartOffset,
          highWatermark,
          // Retention may have gone on meanwhile.
          records: records.filter(({ offset }) => offset >= logStartOffset),
        });
        return;
      }
    }
    this.stage.history.problem(
      `${topic.name}/${partition} could not be read to its end after all faults had ended`,
    );
  }
}
