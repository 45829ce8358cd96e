/**
 * The changes to topics. Each is decided on what the store holds, committed by compare-and-set, and
 * decided anew when a rival was faster. A commit whose reply was lost is resolved by reading back:
 * a topic's id tells our own record from a rival's.
 */
import { uuidText, ZERO_UUID } from "../bytes/uuid.ts";
import type { Config } from "../config/config.ts";
import { PARTITIONS_MAX, PARTITIONS_PER_TOPIC_MAX } from "../config/limits.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { type Runtime, sleep } from "../runtime/mod.ts";
import { seal, unseal } from "./envelope.ts";
import { assignmentWith } from "./assignments.ts";
import { assignmentKey, topicDeletionKey, topicKey, usedNameKey } from "./keys.ts";
import {
  type CommitResult,
  type Compare,
  type Entry,
  MetadataError,
  type MetadataStore,
  type Op,
  type Revision,
  type Transaction,
} from "./metadata_store.ts";
import { TOPIC_CONFIG, TOPIC_DELETION, TOPIC_NAME_USED } from "./records.ts";
import { asNumber } from "./config_value.ts";
import { topicConfigFault } from "./topic_config.ts";
import { topicNameFault } from "./topic_names.ts";
import { type TopicInfo, topicOf, type TopicView } from "./topic_view.ts";

export interface CreateTopic {
  readonly name: string;
  /** -1: the broker's default. */
  readonly partitionCount: number;
  /** Null values are refused, as in Kafka. */
  readonly configs: Iterable<readonly [name: string, value: string | null]>;
  /** Brokers that shall lead the partitions, by index; in a cluster only. */
  readonly preferred?: readonly number[] | undefined;
}

export type TopicTarget = { readonly id: string } | { readonly name: string };

export interface AddPartitions {
  readonly name: string;
  /** The new total. */
  readonly partitionCount: number;
  /** Brokers that shall lead the new partitions; in a cluster only. */
  readonly preferred?: readonly number[] | undefined;
}

export interface AlterConfigs {
  readonly name: string;
  /**
   * All overrides that the topic is to have, out of those that it has now; or why not. Called again
   * when a rival was faster.
   */
  change(
    now: ReadonlyMap<string, string>,
  ): ReadonlyMap<string, string | null> | { errorCode: ErrorCodeValue; errorMessage: string };
}

export interface TopicOutcome {
  readonly errorCode: ErrorCodeValue;
  /** One sentence for the client; null on success. */
  readonly errorMessage: string | null;
  /**
   * The topic as it is after the change (or would be, when only validated), as it was when deleted,
   * or the existing one of TOPIC_ALREADY_EXISTS; undefined on any other error.
   */
  readonly topic: TopicInfo | undefined;
}

export function outcomeOf(errorCode: ErrorCodeValue, errorMessage: string): TopicOutcome {
  return { errorCode, errorMessage, topic: undefined };
}

function done(topic: TopicInfo): TopicOutcome {
  return { errorCode: ErrorCode.NONE, errorMessage: null, topic };
}

const PLACED_LOOKS = 40;
const PLACED_LOOK_MS = 50;

/** One compare-and-set. */
interface Change {
  readonly if: Compare;
  readonly then: Op;
}

function both(tx: Transaction, change: Change | undefined): Transaction {
  return change === undefined ? tx : { if: [...tx.if, change.if], then: [...tx.then, change.then] };
}

/** Rivals of one topic are few; losing this often means that something else is wrong. */
const ATTEMPTS_MAX = 100;

export class TopicWriter {
  constructor(
    private readonly runtime: Runtime,
    private readonly store: MetadataStore,
    private readonly config: Config,
    private readonly view: TopicView,
    /** Resolves to true once the view has the revision, to false when it takes too long. */
    private readonly reached: (revision: Revision) => Promise<boolean>,
  ) {}

  async create(request: CreateTopic, validateOnly: boolean): Promise<TopicOutcome> {
    const planned = this.#plan(request);
    if ("errorCode" in planned || validateOnly) {
      return "errorCode" in planned ? planned : done(planned);
    }
    let used = this.view.usedRevision(planned.name);
    const key = topicKey(planned.name);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const topic = used === 0 ? planned : { ...planned, directory: ownDirectory(planned) };
      const { preferred } = request;
      const placed = preferred && assignmentWith(topic.id, undefined, 0, preferred);
      const tx = both({
        if: [{ key, revision: 0 }, { key: usedNameKey(topic.name), revision: used }],
        then: [{ put: key, value: this.#encode(topic) }],
      }, placed);
      const result = await this.#commit(
        tx,
        key,
        (entry) => entry && topicOf(entry).id === topic.id,
      );
      if (result.ok) return await this.#visible(result.revision, topic);
      const rival = await this.store.get(key);
      if (rival !== undefined) {
        await this.reached(rival.revision);
        return { ...exists(topic.name), topic: topicOf(rival) };
      }
      used = (await this.store.get(usedNameKey(topic.name)))?.revision ?? 0;
    }
    return contended(planned.name);
  }

  /** The topic to create, from the view alone; or why it cannot be. */
  #plan(request: CreateTopic): TopicInfo | TopicOutcome {
    const { name } = request;
    const nameFault = topicNameFault(name);
    if (nameFault !== undefined) return outcomeOf(ErrorCode.INVALID_TOPIC_EXCEPTION, nameFault);
    const present = this.view.byName(name);
    if (present !== undefined) return { ...exists(name), topic: present };
    const collision = this.view.collision(name);
    if (collision !== undefined) {
      return outcomeOf(
        ErrorCode.INVALID_TOPIC_EXCEPTION,
        `Topic '${name}' collides with existing topic: ${collision}`,
      );
    }
    const partitionCount = request.partitionCount === -1
      ? this.config.autoCreatePartitions
      : request.partitionCount;
    const countFault = this.#partitionFault(partitionCount, partitionCount);
    if (countFault !== undefined) return countFault;
    const configs = this.#checkedConfigs(request.configs);
    if (!(configs instanceof Map)) return configs;
    const planned = { id: this.#newId(), name, partitionCount, configs, directory: name };
    // Names that start with a dot are the bucket's own (`.wal`).
    return name.startsWith(".") ? { ...planned, directory: ownDirectory(planned) } : planned;
  }

  async delete(target: TopicTarget): Promise<TopicOutcome> {
    const known = "id" in target ? this.view.byId(target.id) : this.view.byName(target.name);
    if (known === undefined) return unknown(target);
    const key = topicKey(known.name);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const entry = await this.store.get(key);
      const topic = entry && topicOf(entry);
      if (entry === undefined || topic?.id !== known.id) return unknown(target);
      const deletion = seal(TOPIC_DELETION, {
        name: topic.name,
        topic_id: topic.id,
        directory: topic.directory,
        partitions: topic.partitionCount,
      });
      const used = seal(TOPIC_NAME_USED, { name: topic.name, last_topic_id: topic.id });
      const tx = {
        if: [{ key, revision: entry.revision }],
        then: [
          { delete: key },
          { put: usedNameKey(topic.name), value: used },
          { put: topicDeletionKey(topic.id), value: deletion },
          // with it, lest a broker that has not heard yet take a log that is being removed
          { delete: assignmentKey(topic.id) },
        ],
      };
      const deletionKey = topicDeletionKey(topic.id);
      const result = await this.#commit(tx, deletionKey, (found) => found !== undefined);
      if (result.ok) return await this.#visible(result.revision, topic);
    }
    return contended(known.name);
  }

  addPartitions(request: AddPartitions, validateOnly: boolean): Promise<TopicOutcome> {
    const { preferred } = request;
    const placed = preferred === undefined
      ? undefined
      : (topic: TopicInfo) => this.#placed(topic, preferred);
    return this.#change(request.name, validateOnly, (topic) => {
      const { partitionCount } = request;
      const now = topic.partitionCount;
      if (partitionCount === now) {
        return outcomeOf(ErrorCode.INVALID_PARTITIONS, `Topic already has ${now} partition(s).`);
      }
      if (partitionCount < now) {
        return outcomeOf(
          ErrorCode.INVALID_PARTITIONS,
          `The topic ${topic.name} currently has ${now} partition(s); ${partitionCount} would ` +
            "not be an increase.",
        );
      }
      return this.#partitionFault(partitionCount, partitionCount - now) ??
        { ...topic, partitionCount };
    }, placed);
  }

  alterConfigs(request: AlterConfigs, validateOnly: boolean): Promise<TopicOutcome> {
    return this.#change(request.name, validateOnly, (topic) => {
      const wanted = request.change(topic.configs);
      if ("errorCode" in wanted) return { ...wanted, topic: undefined };
      const configs = this.#checkedConfigs(wanted);
      return configs instanceof Map ? { ...topic, configs } : configs;
    });
  }

  /** Changes an existing topic's record by compare-and-set, and with it what `also` returns. */
  async #change(
    name: string,
    validateOnly: boolean,
    change: (topic: TopicInfo) => TopicInfo | TopicOutcome,
    also?: (before: TopicInfo) => Promise<Change>,
  ): Promise<TopicOutcome> {
    const known = this.view.byName(name);
    if (known === undefined) return unknown({ name });
    if (validateOnly) {
      const planned = change(known);
      return "errorCode" in planned ? planned : done(planned);
    }
    const key = topicKey(name);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const entry = await this.store.get(key);
      if (entry === undefined) return unknown({ name });
      const changed = change(topicOf(entry));
      if ("errorCode" in changed) return changed;
      if (sameTopic(changed, topicOf(entry))) return await this.#visible(entry.revision, changed);
      const tx = both({
        if: [{ key, revision: entry.revision }],
        then: [{ put: key, value: this.#encode(changed, entry) }],
      }, await also?.(topicOf(entry)));
      const result = await this.#commit(
        tx,
        key,
        (found) => found !== undefined && sameTopic(topicOf(found), changed),
      );
      if (result.ok) return await this.#visible(result.revision, changed);
    }
    return contended(name);
  }

  /** Further partitions in the topic's assignment record, which a new topic gets a moment later. */
  async #placed(topic: TopicInfo, preferred: readonly number[]): Promise<Change> {
    for (let look = 0; look < PLACED_LOOKS; look++) {
      const entry = await this.store.get(assignmentKey(topic.id));
      if (entry !== undefined) {
        return assignmentWith(topic.id, entry, topic.partitionCount, preferred);
      }
      await sleep(this.runtime.timers, PLACED_LOOK_MS);
    }
    throw new MetadataError("retry", `the controller has not placed topic ${topic.name} yet`);
  }

  /** A commit that survives a lost reply: `ours` tells by `key`'s entry whether it took effect. */
  async #commit(
    tx: Transaction,
    key: string,
    ours: (entry: Entry | undefined) => boolean | undefined,
  ): Promise<CommitResult> {
    try {
      return await this.store.commit(tx);
    } catch (error) {
      if (!(error instanceof MetadataError) || error.outcome !== "retry") throw error;
      const entry = await this.store.get(key);
      if (entry === undefined || !ours(entry)) throw error;
      return { ok: true, revision: entry.revision };
    }
  }

  async #visible(revision: Revision, topic: TopicInfo): Promise<TopicOutcome> {
    if (await this.reached(revision)) return done(topic);
    return outcomeOf(
      ErrorCode.REQUEST_TIMED_OUT,
      `the change of topic ${topic.name} is made, but not yet visible on this broker`,
    );
  }

  #encode(topic: TopicInfo, before?: Entry): Uint8Array {
    const kept = before === undefined
      ? { created_at: new Date(this.runtime.clock.wallMs()).toISOString() }
      : unseal(TOPIC_CONFIG, before.key, before.value);
    const override = (name: string) => asNumber(topic.configs.get(name) ?? "0");
    return seal(TOPIC_CONFIG, {
      ...kept,
      name: topic.name,
      partitions: topic.partitionCount,
      replication_factor: 1,
      retention_ms: override("retention.ms"),
      retention_bytes: override("retention.bytes"),
      segment_bytes: override("segment.bytes"),
      config: topic.configs,
      topic_id: topic.id,
      directory: topic.directory,
    });
  }

  #partitionFault(count: number, added: number): TopicOutcome | undefined {
    if (!Number.isInteger(count) || count < 1) {
      return outcomeOf(
        ErrorCode.INVALID_PARTITIONS,
        "Number of partitions must be larger than 0, or -1 for the default",
      );
    }
    if (count > PARTITIONS_PER_TOPIC_MAX) {
      return outcomeOf(
        ErrorCode.INVALID_PARTITIONS,
        `${count} partitions are more than a topic may have (${PARTITIONS_PER_TOPIC_MAX})`,
      );
    }
    if (this.view.partitionCount + added <= PARTITIONS_MAX) return undefined;
    return outcomeOf(
      ErrorCode.POLICY_VIOLATION,
      `the cluster has ${this.view.partitionCount} partitions, and ${added} more would exceed ` +
        `the limit of ${PARTITIONS_MAX}`,
    );
  }

  #checkedConfigs(
    wanted: Iterable<readonly [string, string | null]>,
  ): Map<string, string> | TopicOutcome {
    const configs = new Map<string, string>();
    for (const [name, value] of wanted) {
      const fault = topicConfigFault(name, value, this.config);
      if (fault !== undefined) return outcomeOf(ErrorCode.INVALID_CONFIG, fault);
      configs.set(name, value!.trim());
    }
    return configs;
  }

  /** Random; never one that Kafka reserves (zero, one) nor one that looks like a command's flag. */
  #newId(): string {
    const bytes = new Uint8Array(16);
    for (;;) {
      this.runtime.random.fill(bytes);
      const id = uuidText(bytes);
      const reserved = id.startsWith(ZERO_UUID.slice(0, 20)) || id.startsWith("-");
      if (!reserved && this.view.byId(id) === undefined) return id;
    }
  }
}

/** MinIO and file systems take parts of keys of up to 255 bytes; a topic's name may have 249. */
const DIRECTORY_NAME_MAX = 246;

/** '~' is not allowed in topic names, so this is no other topic's directory. */
function ownDirectory(topic: TopicInfo): string {
  return `${topic.name.slice(0, DIRECTORY_NAME_MAX)}~${topic.id.slice(0, 8)}`;
}

function exists(name: string): TopicOutcome {
  return outcomeOf(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`);
}

function unknown(target: TopicTarget): TopicOutcome {
  return "id" in target
    ? outcomeOf(ErrorCode.UNKNOWN_TOPIC_ID, "This server does not host this topic ID.")
    : outcomeOf(
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      `The topic '${target.name}' does not exist.`,
    );
}

function contended(name: string): TopicOutcome {
  return outcomeOf(
    ErrorCode.REQUEST_TIMED_OUT,
    `topic ${name} is being changed by too many others at once; try again`,
  );
}

function sameTopic(a: TopicInfo, b: TopicInfo): boolean {
  return a.id === b.id && a.partitionCount === b.partitionCount &&
    a.configs.size === b.configs.size &&
    [...a.configs].every(([name, value]) => b.configs.get(name) === value);
}
