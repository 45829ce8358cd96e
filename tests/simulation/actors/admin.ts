/** Creates topics that stay, and others that are deleted and made again under the same name. */
import { ErrorCode } from "../../../core/protocol/errors.ts";
import { metadata } from "../../../core/protocol/messages/03_metadata.ts";
import { createTopics } from "../../../core/protocol/messages/19_create_topics.ts";
import { deleteTopics } from "../../../core/protocol/messages/20_delete_topics.ts";
import type { TopicEvent } from "../history.ts";
import { Actor, isRetriable, isTopicGone, type KnownTopic } from "./actor.ts";

/** Lists, some 125 ms apart, until a view must have caught up. */
const VIEW_LISTS_MAX = 100;

export interface NewTopic {
  readonly name: string;
  readonly partitionCount: number;
  readonly stable?: boolean;
  readonly trim?: Readonly<Record<string, string>> | undefined;
}

export class Admin extends Actor {
  /** Topics that this admin makes and deletes; nobody else touches these names. */
  churn: readonly string[] = [];
  /** Configs of every topic that it makes. */
  configs: Readonly<Record<string, string>> = {};

  protected override async act(): Promise<void> {
    while (!this.stage.closing) {
      await this.pause(100, 1_500);
      if (this.churn.length === 0) continue;
      const name = this.prng.pick(this.churn);
      const known = this.stage.topics.find((topic) => topic.name === name && !topic.doomed);
      if (known === undefined) await this.create({ name, partitionCount: this.prng.between(1, 3) });
      else await this.#delete(known);
    }
    await this.#checkList();
  }

  /** Tries until the topic is there. `trim`: records may be deleted, by these configs too. */
  async create({ name, partitionCount, stable = false, trim }: NewTopic): Promise<void> {
    const { history } = this.stage;
    const event: TopicEvent = {
      kind: "create",
      name,
      topicId: "",
      start: history.now(),
      end: 0,
      outcome: "open",
      incarnation: -1,
    };
    history.topics.push(event);
    for (;;) {
      const configs = Object.entries({ ...this.configs, ...trim })
        .map(([key, value]) => ({ name: key, value }));
      const topic = { name, numPartitions: partitionCount, replicationFactor: 1, configs };
      const version = this.version(createTopics, 7);
      const body = { topics: [topic], timeoutMs: 1_000, validateOnly: false };
      const answer = (await this.ask(createTopics, version, body))?.topics[0];
      let made = answer?.errorCode === 0 ? { topicId: answer.topicId, partitionCount } : undefined;
      if (answer?.errorCode === ErrorCode.TOPIC_ALREADY_EXISTS) made = await this.#find(name);
      else if (answer !== undefined && answer.errorCode !== 0 && !isRetriable(answer.errorCode)) {
        this.unexpected(`creation of ${name}`, answer.errorCode);
      }
      const old = this.stage.topics.find((known) => known.topicId === made?.topicId);
      if (old !== undefined && answer?.errorCode === 0) {
        history.problem(`I8: ${name} was created with the id of an earlier topic`);
      }
      if (made !== undefined && old === undefined) {
        const { topicId } = made;
        event.topicId = topicId;
        event.outcome = "acked";
        event.end = history.now();
        this.stage.note(this.name, `created ${name} as ${topicId}`);
        const trimmed = trim !== undefined;
        if (trimmed && Object.keys(trim).length > 0) history.retained.add(topicId);
        this.stage.topics.push({ name, ...made, stable, trimmed, doomed: false });
        return;
      }
      await this.pause(20, 200);
    }
  }

  async #delete(topic: KnownTopic): Promise<void> {
    const { history } = this.stage;
    topic.doomed = true;
    const { name, topicId } = topic;
    const start = history.now();
    const event: TopicEvent = {
      kind: "delete",
      name,
      topicId,
      start,
      end: 0,
      outcome: "open",
      incarnation: -1,
    };
    history.topics.push(event);
    const alone = this.stage.leadership === undefined;
    for (let attempts = 0, unknown = 0;;) {
      const body = { topics: [{ name: null, topicId }], timeoutMs: 1_000 };
      const answer = (await this.ask(deleteTopics, 6, body))?.responses[0];
      if (answer?.errorCode === 0) {
        event.outcome = "acked";
        event.incarnation = this.stage.incarnationOf(this.wire!.server);
        break;
      }
      // Another broker than the one that made it may have to hear of it yet.
      if (!alone && answer !== undefined && isTopicGone(answer.errorCode) && attempts === 0) {
        if (unknown++ < VIEW_LISTS_MAX) {
          await this.pause(50, 200);
          continue;
        }
      }
      if (answer !== undefined && isTopicGone(answer.errorCode)) {
        // An attempt that was not answered clearly did it; brokers may have to hear of it yet.
        event.outcome = "maybe";
        if (attempts === 0) history.problem(`I8: ${name} was lost before its deletion`);
        break;
      }
      attempts++;
      if (answer !== undefined && !isRetriable(answer.errorCode)) {
        this.unexpected(`deletion of ${name}`, answer.errorCode);
      }
      await this.pause(20, 200);
    }
    event.end = history.now();
    this.stage.note(this.name, `deleted ${name}, ${topicId}`);
  }

  /** A topic as it is, which may be what an older request of ours asked for. */
  async #find(name: string): Promise<{ topicId: string; partitionCount: number } | undefined> {
    const body = { topics: [{ name }], allowAutoTopicCreation: false };
    const answer = await this.ask(metadata, metadata.maxVersion, body);
    const topic = answer?.topics[0];
    if (topic === undefined || topic.errorCode !== 0) return undefined;
    return { topicId: topic.topicId, partitionCount: topic.partitions.length };
  }

  /** I7, I8: all that was created and nothing that was deleted is listed. */
  async #checkList(): Promise<void> {
    for (let lists = 0;; lists++) {
      const answer = await this.ask(metadata, metadata.maxVersion, { topics: null });
      if (answer === undefined || answer.errorCode !== 0) {
        await this.pause(20, 200);
        continue;
      }
      const listed = new Set(answer.topics.map((topic) => topic.topicId));
      const wrong = this.stage.topics.filter((topic) => topic.doomed === listed.has(topic.topicId));
      // After an outage of the metadata the broker's view may be behind for a while.
      if (wrong.length > 0 && lists < VIEW_LISTS_MAX) {
        await this.pause(50, 200);
        continue;
      }
      for (const { name, topicId, doomed } of wrong) {
        const state = doomed ? "deleted and still listed" : "created and not listed";
        this.stage.history.problem(`I7/I8: ${name} (${topicId}) is ${state}`);
      }
      return;
    }
  }
}
