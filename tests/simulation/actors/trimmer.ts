/** Deletes records of the topics that may lose some (DeleteRecords, KIP-107). */
import { ErrorCode } from "../../../core/protocol/errors.ts";
import { deleteRecords } from "../../../core/protocol/messages/21_delete_records.ts";
import type { TrimCall } from "../history.ts";
import { isRetriable, isTopicGone, type KnownTopic } from "./actor.ts";
import { leaderOf, Reader } from "./consumer.ts";

export class Trimmer extends Reader {
  protected override async act(): Promise<void> {
    while (!this.stage.closing) {
      await this.pause(100, 2_000);
      const topics = this.stage.topics.filter((topic) => topic.trimmed);
      if (topics.length === 0) continue;
      const topic = this.prng.pick(topics);
      await this.#trim(topic, this.prng.below(topic.partitionCount));
    }
  }

  async #trim(topic: KnownTopic, partition: number): Promise<void> {
    const all = this.prng.chance(0.1);
    const end = await this.listed(topic, partition, "latest");
    if (end === undefined) return;
    const offset = all ? -1 : this.prng.between(0, end.offset);
    const call: TrimCall = {
      topicId: topic.topicId,
      partition,
      offset: all ? Infinity : offset,
      start: this.stage.history.now(),
      end: 0,
      outcome: "maybe",
      lowWatermark: -1,
      incarnation: -1,
    };
    this.stage.history.trims.push(call);
    const to = leaderOf(topic, partition);
    const answer = await this.ask(
      deleteRecords,
      this.version(deleteRecords),
      {
        topics: [{ name: topic.name, partitions: [{ partitionIndex: partition, offset }] }],
        timeoutMs: 1_500,
      },
      3_000,
      to,
    );
    call.end = this.stage.history.now();
    const trimmed = answer?.topics[0]?.partitions[0];
    if (trimmed === undefined) return;
    const { errorCode, lowWatermark } = trimmed;
    if (errorCode !== 0) this.reroute(to);
    if (errorCode === 0) {
      call.outcome = "acked";
      call.lowWatermark = lowWatermark;
      call.incarnation = this.stage.incarnationOf(this.wire!.server);
      this.stage.note(this.name, `${topic.topicId}/${partition} starts at ${lowWatermark}`);
    } else if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
      // Asked of a broker that was taken over, which ends before.
      call.outcome = "refused";
    } else if (!isRetriable(errorCode) && !isTopicGone(errorCode)) {
      this.unexpected(`DeleteRecords of ${topic.name}/${partition}`, errorCode);
    }
  }
}
