/**
 * An idempotent producer: up to five batches of a partition in flight, all of them sent again with
 * the same sequences, in order, until each has its answer (KIP-98).
 */
import { ErrorCode } from "../../../core/protocol/errors.ts";
import { produce } from "../../../core/protocol/messages/00_produce.ts";
import { initProducerId } from "../../../core/protocol/messages/22_init_producer_id.ts";
import type { Moment, ProduceCall } from "../history.ts";
import { buildBatch } from "../record_batch.ts";
import { Unanswered, type Wire } from "../wire.ts";
import { Actor, isRetriable, isTopicGone, type KnownTopic } from "./actor.ts";
import { leaderOf } from "./consumer.ts";

const IN_FLIGHT_MAX = 5;

interface Batch {
  readonly call: ProduceCall;
  readonly baseSequence: number;
  readonly timestampMs: number;
}

interface Target {
  readonly topic: KnownTopic;
  readonly partition: number;
  readonly unacked: Batch[];
  nextSequence: number;
  batches: number;
}

interface Answer {
  readonly code: number;
  readonly baseOffset: number;
  readonly incarnation: number;
  readonly start: Moment;
  readonly end: Moment;
  readonly version: number;
}

/** Before, NOT_LEADER_OR_FOLLOWER stands for KAFKA_STORAGE_ERROR, too (KIP-112). */
const STORAGE_ERROR_SINCE = 4;

export class IdempotentProducer extends Actor {
  readonly #targets = new Map<string, Target>();
  #producerId = -1;
  #producerEpoch = -1;
  #count = 0;

  protected override async act(): Promise<void> {
    while (!this.stage.closing || this.#pending() > 0) {
      if (this.#producerId < 0 && !await this.#init()) continue;
      const target = this.#choose();
      if (target === undefined) {
        await this.pause(20, 200);
        continue;
      }
      if (!this.stage.closing) this.#fill(target);
      if (target.unacked.length > 0) await this.#round(target);
      await this.pause(0, this.prng.chance(0.1) ? 300 : 20);
    }
  }

  #pending(): number {
    let count = 0;
    for (const target of this.#targets.values()) count += target.unacked.length;
    return count;
  }

  async #init(): Promise<boolean> {
    const body = { transactionalId: null, transactionTimeoutMs: 60_000 };
    const answer = await this.ask(initProducerId, this.version(initProducerId), body);
    if (answer?.errorCode === 0) {
      this.#producerId = answer.producerId;
      this.#producerEpoch = answer.producerEpoch;
      return true;
    }
    if (answer !== undefined && !isRetriable(answer.errorCode)) {
      this.unexpected("InitProducerId", answer.errorCode);
    }
    await this.pause(10, 200);
    return false;
  }

  #choose(): Target | undefined {
    const waiting = [...this.#targets.values()].filter((target) => target.unacked.length > 0);
    if (waiting.length > 0 && (this.stage.closing || this.prng.chance(0.7))) {
      return this.prng.pick(waiting);
    }
    const topics = this.stage.topics.filter((topic) => !topic.doomed);
    if (topics.length === 0) return waiting[0];
    const topic = this.prng.pick(topics);
    const partition = this.prng.below(topic.partitionCount);
    const key = `${topic.topicId}/${partition}`;
    let target = this.#targets.get(key);
    if (target === undefined) {
      target = { topic, partition, unacked: [], nextSequence: 0, batches: 0 };
      this.#targets.set(key, target);
    }
    return target;
  }

  #fill(target: Target): void {
    const wanted = this.prng.between(1, IN_FLIGHT_MAX);
    while (target.unacked.length < wanted) {
      const { topic, partition } = target;
      const length = this.prng.between(1, 3);
      const values = Array.from({ length }, () => this.#value(topic.topicId));
      const call: ProduceCall = {
        producer: this.name,
        idempotent: true,
        topicId: topic.topicId,
        partition,
        sequence: target.batches++,
        values,
        start: this.stage.history.now(),
        end: 0,
        outcome: "open",
        baseOffset: -1,
        incarnation: -1,
      };
      this.stage.history.produced.push(call);
      const timestampMs = Math.floor(this.process.clock.wallMs());
      target.unacked.push({ call, baseSequence: target.nextSequence, timestampMs });
      target.nextSequence += length;
    }
  }

  #value(topicId: string): string {
    const padding = this.prng.chance(0.1) ? "x".repeat(this.prng.between(100, 3_000)) : "";
    return `${topicId}|${this.name}|${this.#count++}|${padding}`;
  }

  /** Sends all that is unacknowledged, in order, and takes the answers. */
  async #round(target: Target): Promise<void> {
    const to = leaderOf(target.topic, target.partition);
    const wire = await this.connected(to);
    const sent = [...target.unacked];
    const version = target.topic.stable ? this.version(produce) : this.version(produce, 13);
    const answers = await Promise.all(
      sent.map((batch) => this.#send(wire, target, batch, version)),
    );
    let unbroken = true;
    for (let at = 0; at < sent.length; at++) {
      unbroken = this.#settle(target, sent[at]!, answers[at], unbroken) && unbroken;
    }
    if (unbroken) return;
    this.reroute(to);
    await this.pause(5, 150);
  }

  async #send(
    wire: Wire,
    target: Target,
    batch: Batch,
    version: number,
  ): Promise<Answer | undefined> {
    const records = buildBatch({
      values: batch.call.values,
      timestampMs: batch.timestampMs,
      producerId: this.#producerId,
      producerEpoch: this.#producerEpoch,
      baseSequence: batch.baseSequence,
    });
    const { name, topicId } = target.topic;
    const partitionData = [{ index: target.partition, records }];
    const body = {
      transactionalId: null,
      acks: -1,
      timeoutMs: 1_500,
      topicData: [{ name, topicId, partitionData }],
    };
    try {
      const start = this.stage.history.now();
      const answer = await wire.request(produce, version, body, 3_000);
      const end = this.stage.history.now();
      const partition = answer.responses[0]!.partitionResponses[0]!;
      const incarnation = this.stage.incarnationOf(wire.server);
      const { errorCode: code, baseOffset } = partition;
      return { code, baseOffset, incarnation, start, end, version };
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      return undefined;
    }
  }

  /** False where the batch has to be sent again, and so all behind it may have to. */
  #settle(
    target: Target,
    batch: Batch,
    answer: Answer | undefined,
    unbroken: boolean,
  ): boolean {
    if (answer === undefined) {
      this.stage.note(this.name, `batch ${batch.call.sequence}: no answer`);
      return false;
    }
    const { call } = batch;
    if (
      answer.code === ErrorCode.NOT_LEADER_OR_FOLLOWER && answer.version >= STORAGE_ERROR_SINCE
    ) {
      const { topicId, partition } = call;
      const { incarnation, start, end } = answer;
      this.stage.history.notLeader.push({ incarnation, topicId, partition, start, end });
    }
    if (answer.code !== 0) {
      const where = `${call.topicId}/${call.partition}`;
      this.stage.note(this.name, `${where} batch ${call.sequence}: error ${answer.code}`);
    }
    if (answer.code === 0) {
      this.#finish(target, batch, "acked");
      call.baseOffset = answer.baseOffset;
      call.incarnation = answer.incarnation;
      return true;
    }
    if (isTopicGone(answer.code) && target.topic.doomed) {
      this.#finish(target, batch, "maybe");
      return true;
    }
    if (answer.code === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER && !unbroken) return false;
    // A topic that was just created may not be known yet.
    if (isRetriable(answer.code) || isTopicGone(answer.code)) return false;
    this.unexpected(`batch ${call.sequence} for ${call.topicId}/${call.partition}`, answer.code);
    this.#finish(target, batch, "maybe");
    return true;
  }

  #finish(target: Target, batch: Batch, outcome: "acked" | "maybe"): void {
    batch.call.outcome = outcome;
    batch.call.end = this.stage.history.now();
    target.unacked.splice(target.unacked.indexOf(batch), 1);
  }
}
