import { unseal } from "./envelope.ts";
import { LIVE_TOPICS_PREFIX, TOPIC_DELETIONS_PREFIX, USED_NAMES_PREFIX } from "./keys.ts";
import type { Entry, Revision, WatchEvent } from "./metadata_store.ts";
import { TOPIC_CONFIG, TOPIC_DELETION } from "./records.ts";
import { collisionName } from "./topic_names.ts";

/** A topic as it is at one revision. A change makes a new object; `id` stays. */
export interface TopicInfo {
  /** 22 characters of base64url; never given to another topic. */
  readonly id: string;
  readonly name: string;
  readonly partitionCount: number;
  /** Overrides only; see topic_config.ts for effective values. */
  readonly configs: ReadonlyMap<string, string>;
  /**
   * First part of its object keys: the name, or `<name>~<short id>` where the name was used before.
   */
  readonly directory: string;
}

/** A deleted topic whose objects may still be there. */
export interface PendingDeletion {
  readonly id: string;
  readonly name: string;
  readonly directory: string;
  readonly partitionCount: number;
  /** When its objects were removed for the first time, in Unix time; 0: not yet. */
  readonly sweptAtMs: number;
}

export type TopicChange =
  | { readonly type: "created"; readonly topic: TopicInfo }
  | { readonly type: "changed"; readonly topic: TopicInfo; readonly previous: TopicInfo }
  | { readonly type: "deleted"; readonly topic: TopicInfo };

interface Held<T> {
  readonly value: T;
  readonly revision: Revision;
}

/** All topics, used names and deletions at one revision. Pure: no I/O, no time. */
export class TopicView {
  revision: Revision = 0;
  partitionCount = 0;
  readonly #byName = new Map<string, Held<TopicInfo>>();
  readonly #byId = new Map<string, TopicInfo>();
  readonly #used = new Map<string, Revision>();
  readonly #deletions = new Map<string, Held<PendingDeletion>>();
  /** Topics by their name with '.' turned into '_'. */
  readonly #colliding = new Map<string, Set<string>>();

  get topicCount(): number {
    return this.#byName.size;
  }

  byName(name: string): TopicInfo | undefined {
    return this.#byName.get(name)?.value;
  }

  byId(id: string): TopicInfo | undefined {
    return this.#byId.get(id);
  }

  *all(): Generator<TopicInfo> {
    for (const held of this.#byName.values()) yield held.value;
  }

  deletions(): PendingDeletion[] {
    return Array.from(this.#deletions.values(), (held) => held.value);
  }

  deletionRevision(id: string): Revision | undefined {
    return this.#deletions.get(id)?.revision;
  }

  usedRevision(name: string): Revision {
    return this.#used.get(name) ?? 0;
  }

  /** An existing topic whose name differs from `name` only in '.' against '_'. */
  collision(name: string): string | undefined {
    const common = collisionName(name);
    if (common === undefined) return undefined;
    for (const other of this.#colliding.get(common) ?? []) if (other !== name) return other;
    return undefined;
  }

  /** Replaces the view by a listing of everything below TOPICS_PREFIX. */
  load(entries: readonly Entry[], revision: Revision): TopicChange[] {
    const events: WatchEvent[] = entries.map((entry) => ({ type: "put", entry }));
    const present = new Set(entries.map((entry) => entry.key));
    const gone = (key: string) => {
      if (!present.has(key)) events.push({ type: "delete", key, revision });
    };
    for (const name of this.#byName.keys()) gone(LIVE_TOPICS_PREFIX + name);
    for (const name of this.#used.keys()) gone(USED_NAMES_PREFIX + name);
    for (const id of this.#deletions.keys()) gone(TOPIC_DELETIONS_PREFIX + id);
    return this.apply(events, revision);
  }

  /** Takes in the events of one revision; throws a fatal MetadataError on a damaged record. */
  apply(events: readonly WatchEvent[], revision: Revision): TopicChange[] {
    const changes: TopicChange[] = [];
    for (const event of events) {
      const key = event.type === "put" ? event.entry.key : event.key;
      if (key.startsWith(LIVE_TOPICS_PREFIX)) {
        const name = key.slice(LIVE_TOPICS_PREFIX.length);
        if (event.type === "put") this.#putTopic(name, event.entry, changes);
        else this.#removeTopic(name, changes);
      } else if (key.startsWith(USED_NAMES_PREFIX)) {
        const name = key.slice(USED_NAMES_PREFIX.length);
        if (event.type === "put") this.#used.set(name, event.entry.revision);
        else this.#used.delete(name);
      } else if (key.startsWith(TOPIC_DELETIONS_PREFIX)) {
        const id = key.slice(TOPIC_DELETIONS_PREFIX.length);
        if (event.type === "put") this.#deletions.set(id, readDeletion(event.entry));
        else this.#deletions.delete(id);
      }
    }
    this.revision = Math.max(this.revision, revision);
    return changes;
  }

  #putTopic(name: string, entry: Entry, changes: TopicChange[]): void {
    const held = this.#byName.get(name);
    if (held !== undefined && held.revision >= entry.revision) return;
    const topic = topicOf(entry);
    if (held !== undefined && held.value.id !== topic.id) this.#removeTopic(name, changes);
    const previous = held?.value.id === topic.id ? held.value : undefined;
    this.#byName.set(name, { value: topic, revision: entry.revision });
    this.#byId.set(topic.id, topic);
    this.partitionCount += topic.partitionCount - (previous?.partitionCount ?? 0);
    const common = collisionName(name);
    if (common !== undefined) {
      const names = this.#colliding.get(common) ?? new Set();
      this.#colliding.set(common, names.add(name));
    }
    if (previous === undefined) changes.push({ type: "created", topic });
    else changes.push({ type: "changed", topic, previous });
  }

  #removeTopic(name: string, changes: TopicChange[]): void {
    const topic = this.#byName.get(name)?.value;
    if (topic === undefined) return;
    this.#byName.delete(name);
    this.#byId.delete(topic.id);
    this.partitionCount -= topic.partitionCount;
    const common = collisionName(name);
    if (common !== undefined) {
      const names = this.#colliding.get(common);
      names?.delete(name);
      if (names?.size === 0) this.#colliding.delete(common);
    }
    changes.push({ type: "deleted", topic });
  }
}

/** The topic in an entry of LIVE_TOPICS_PREFIX. */
export function topicOf(entry: Entry): TopicInfo {
  const record = unseal(TOPIC_CONFIG, entry.key, entry.value);
  return {
    id: record.topic_id,
    name: record.name,
    partitionCount: record.partitions,
    configs: record.config,
    directory: record.directory,
  };
}

function readDeletion(entry: Entry): Held<PendingDeletion> {
  const record = unseal(TOPIC_DELETION, entry.key, entry.value);
  const value = {
    id: record.topic_id,
    name: record.name,
    directory: record.directory,
    partitionCount: record.partitions,
    sweptAtMs: record.swept_at_ms,
  };
  return { value, revision: entry.revision };
}
