/** Walks the bucket directory by directory, in one listing, and sorts its objects by partition. */
import {
  partitionOfKey,
  partitionPrefix,
  probePrefix,
  topicPrefix,
  walPrefix,
} from "../storage/keys.ts";
import { isProvenDeleted, readTopics, type Topics } from "./catalog.ts";
import type { Context } from "./context.ts";
import { finding } from "./finding.ts";
import type { PartitionToCheck } from "./partition_check.ts";
import { PartitionListing } from "./partition_listing.ts";

/** Behind every slot's key, which has only digits there. */
const BEHIND_DIGITS = "~";

/** Every partition with objects; what belongs to none is booked on the way. */
export async function* walkPartitions(
  context: Context,
  topics: Topics,
): AsyncGenerator<PartitionToCheck> {
  const { bucket, namespace } = context;
  const wal = walPrefix(namespace);
  const walk = new Walk(context, topics);
  let walSeen = false;
  for await (const { key, size } of bucket.list(`${namespace}/`)) {
    walSeen = key.startsWith(wal);
    if (walSeen) break;
    const done = await walk.take(key, size);
    if (done !== undefined) yield done;
  }
  if (walSeen) {
    for await (const { key, size } of bucket.list(`${namespace}/`, wal + BEHIND_DIGITS)) {
      const done = await walk.take(key, size);
      if (done !== undefined) yield done;
    }
  }
  const done = await walk.end();
  if (done !== undefined) yield done;
}

/** The same of one topic alone. */
export async function* walkTopic(
  context: Context,
  topics: Topics,
  directory: string,
): AsyncGenerator<PartitionToCheck> {
  const walk = new Walk(context, topics);
  for await (
    const { key, size } of context.bucket.list(topicPrefix(context.namespace, directory))
  ) {
    const done = await walk.take(key, size);
    if (done !== undefined) yield done;
  }
  const done = await walk.end();
  if (done !== undefined) yield done;
}

/** A directory that is no live topic's. */
interface Foreign {
  readonly directory: string;
  objects: number;
  bytes: number;
}

class Walk {
  #current: PartitionToCheck | undefined;
  #foreign: Foreign | undefined;
  /** A partition that its topic doesn't have. */
  #surplus: string | undefined;

  constructor(readonly context: Context, readonly topics: Topics) {}

  /** Takes the next object; the partition before it, when that is complete now. */
  async take(key: string, size: number): Promise<PartitionToCheck | undefined> {
    const { namespace, found } = this.context;
    const rest = key.slice(namespace.length + 1);
    const directory = rest.slice(0, rest.indexOf("/"));
    if (this.#foreign !== undefined && this.#foreign.directory !== directory) await this.#leave();
    if (key.startsWith(probePrefix(namespace))) {
      const text = "was left by the write check of a start that did not end";
      found(finding("probe-leftover", key, text, { kind: "delete", keys: [key] }));
      return undefined;
    }
    const topic = this.topics.byDirectory.get(directory);
    if (topic === undefined) {
      if (this.topics.dyingDirectories.has(directory)) return undefined;
      this.#foreign ??= { directory, objects: 0, bytes: 0 };
      this.#foreign.objects++;
      this.#foreign.bytes += size;
      return undefined;
    }
    const at = partitionOfKey(namespace, key);
    if (at === undefined) {
      found(finding("object-unknown", key, "lies in a topic's directory, in no partition's"));
      return undefined;
    }
    const prefix = partitionPrefix(namespace, directory, at.partition);
    if (at.partition >= topic.partitionCount) {
      if (this.#surplus !== prefix) {
        const text = `the topic ${topic.name} has ${topic.partitionCount} partitions`;
        found({ ...finding("partition-unknown", prefix, text), topic: topic.name });
      }
      this.#surplus = prefix;
      return undefined;
    }
    let done: PartitionToCheck | undefined;
    if (this.#current?.listing.prefix !== prefix) {
      done = this.#current;
      const { partition } = at;
      this.#current = { topic, partition, listing: new PartitionListing(prefix) };
    }
    this.#current!.listing.add(key, size);
    return done;
  }

  async end(): Promise<PartitionToCheck | undefined> {
    await this.#leave();
    return this.#current;
  }

  async #leave(): Promise<void> {
    const foreign = this.#foreign;
    if (foreign === undefined) return;
    this.#foreign = undefined;
    const { directory, objects, bytes } = foreign;
    const { metadata, namespace, found } = this.context;
    // It may be a topic that was made, or a deletion that was begun, since the topics were read.
    const now = await readTopics(await metadata());
    if (now.byDirectory.has(directory) || now.dyingDirectories.has(directory)) return;
    const prefix = topicPrefix(namespace, directory);
    const what = `${objects} objects of ${bytes} bytes`;
    if (isProvenDeleted(now, directory)) {
      const text = `${what} of a topic that was deleted`;
      return found(finding("directory-orphan", prefix, text, { kind: "delete-prefix", prefix }));
    }
    const text = `${what} of a topic that the metadata doesn't know; should the metadata be ` +
      "complete, delete them by hand";
    found(finding("directory-unknown", prefix, text));
  }
}
