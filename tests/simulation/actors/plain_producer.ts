/**
 * A producer without idempotence: each batch is sent once, whatever becomes of it. Sometimes one
 * whose bytes are broken, which must be refused and never be seen.
 */
import { ErrorCode } from "../../../core/protocol/errors.ts";
import { produce } from "../../../core/protocol/messages/00_produce.ts";
import type { ProduceCall } from "../history.ts";
import { buildBatch } from "../record_batch.ts";
import { Actor, isRetriable, isTopicGone, type KnownTopic } from "./actor.ts";
import { leaderOf } from "./consumer.ts";

const VALUE_AT = 66;

export class PlainProducer extends Actor {
  #count = 0;

  protected override async act(): Promise<void> {
    while (!this.stage.closing) {
      const topics = this.stage.topics.filter((topic) => !topic.doomed);
      if (topics.length > 0) {
        const topic = this.prng.pick(topics);
        if (this.prng.chance(0.1)) await this.#produceBroken(topic);
        else await this.#produce(topic);
      }
      await this.pause(1, this.prng.chance(0.1) ? 400 : 40);
    }
  }

  #values(topic: KnownTopic): string[] {
    const length = this.prng.between(1, 4);
    return Array.from({ length }, () => `${topic.topicId}|${this.name}|${this.#count++}|`);
  }

  async #produce(topic: KnownTopic): Promise<void> {
    const partition = this.prng.below(topic.partitionCount);
    const values = this.#values(topic);
    const acks = this.prng.pick([1, -1]);
    const call: ProduceCall = {
      producer: this.name,
      idempotent: false,
      topicId: topic.topicId,
      partition,
      sequence: this.#count,
      values,
      start: this.stage.history.now(),
      end: 0,
      outcome: "open",
      baseOffset: -1,
      incarnation: -1,
    };
    this.stage.history.produced.push(call);
    const records = buildBatch({ values, timestampMs: this.#nowMs() });
    const answer = await this.#send(topic, partition, records, acks);
    call.end = this.stage.history.now();
    call.outcome = answer?.errorCode === 0 ? "acked" : "maybe";
    if (answer === undefined) return;
    if (answer.errorCode === 0) {
      call.baseOffset = answer.baseOffset;
      call.incarnation = this.stage.incarnationOf(this.wire!.server);
    } else if (!isRetriable(answer.errorCode) && !isTopicGone(answer.errorCode)) {
      this.unexpected(`produce to ${topic.topicId}/${partition}`, answer.errorCode);
    }
  }

  async #produceBroken(topic: KnownTopic): Promise<void> {
    const values = this.#values(topic).map((value) => value + "broken");
    for (const value of values) this.stage.history.poison.add(value);
    const records = buildBatch({ values, timestampMs: this.#nowMs() });
    // One bit behind the value's length: the broken value is what readers would see.
    records[VALUE_AT + this.prng.below(records.length - VALUE_AT)]! ^= 1 << this.prng.below(8);
    const answer = await this.#send(topic, 0, records, -1);
    if (answer === undefined || isRetriable(answer.errorCode) || isTopicGone(answer.errorCode)) {
      return;
    }
    if (answer.errorCode !== ErrorCode.CORRUPT_MESSAGE) {
      this.unexpected("a batch with a wrong CRC", answer.errorCode);
    }
  }

  async #send(topic: KnownTopic, partition: number, records: Uint8Array, acks: number) {
    const version = topic.stable ? this.version(produce) : this.version(produce, 13);
    const partitionData = [{ index: partition, records }];
    const { name, topicId } = topic;
    const topicData = [{ name, topicId, partitionData }];
    const body = { transactionalId: null, acks, timeoutMs: 1_500, topicData };
    const to = leaderOf(topic, partition);
    const answer = await this.ask(produce, version, body, 3_000, to);
    const answered = answer?.responses[0]?.partitionResponses[0];
    if (answered !== undefined && answered.errorCode !== 0) this.reroute(to);
    return answered;
  }

  #nowMs(): number {
    return Math.floor(this.process.clock.wallMs());
  }
}
