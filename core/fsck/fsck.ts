/**
 * The check of a whole bucket against its metadata. Order keeps it right beside a running cluster:
 * committed offsets are read first, then the commit log, then each partition's manifest. Whatever
 * moves meanwhile moves from the log into segments, so nothing is missed; and damage is looked at
 * a second time before it is told.
 */
import { invariant } from "../runtime/assert.ts";
import type { Config } from "../config/mod.ts";
import type { MetadataStore } from "../metadata/metadata_store.ts";
import type { TopicInfo } from "../metadata/topics.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { partitionPrefix } from "../storage/keys.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import { Bucket, forEachAtOnce } from "./bucket.ts";
import {
  type Committed,
  readAssignments,
  readCommitted,
  readTopics,
  type Topics,
} from "./catalog.ts";
import type { Context, Depth } from "./context.ts";
import { walkPartitions, walkTopic } from "./directories.ts";
import {
  type Finding,
  finding,
  type FindingCode,
  Findings,
  type FsckReport,
  isDamage,
  type Looked,
  type Repaired,
} from "./finding.ts";
import { checkPartition, type PartitionToCheck } from "./partition_check.ts";
import { PartitionListing } from "./partition_listing.ts";
import { repair } from "./repair.ts";
import { checkWal } from "./wal_check.ts";
import type { WalEntries } from "./wal_entries.ts";

/** Findings kept for the report; more are only counted. */
const FINDINGS_KEPT = 10_000;

/** Calls of the store, and partitions, under way at once. */
const PARALLEL = 16;

export interface FsckOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  /** The metadata as it is now. */
  readonly metadata: () => Promise<MetadataStore>;
  /** Namespace, and what topics without settings of their own have. */
  readonly config: Config;
  readonly depth: Depth;
  /** Names; undefined: all, and what belongs to none. */
  readonly topics?: ReadonlySet<string> | undefined;
  /** Whether brokers may be running: damage is then told when it is seen twice. */
  readonly moving: boolean;
  readonly signal: AbortSignal;
  /** How far a look is, 0 to 1, and at what it looked so far; there may be several looks. */
  readonly onProgress?: (share: number, looked: Looked) => void;
}

/** A topic that was asked for is not there. */
export class UnknownTopicError extends Error {
  override name = "UnknownTopicError";
}

/** Checks; changes nothing. */
export async function fsck(o: FsckOptions): Promise<FsckReport> {
  await expectTopics(o);
  const first = await pass(o, o.topics);
  if (!o.moving || first.verdict !== "damaged") return first;
  const again = await pass(o, first.notKept > 0 ? o.topics : damagedTopics(first));
  const seen = new Set(again.findings.filter(isDamage).map(nameOf));
  const confirmed = new Findings(FINDINGS_KEPT);
  Object.assign(confirmed.looked, first.looked);
  for (const each of first.findings) {
    if (!isDamage(each) || seen.has(nameOf(each)) || again.notKept > 0) confirmed.add(each);
  }
  return confirmed.report();
}

/** What says that the metadata may be of another time or another cluster than the bucket. */
const DOUBTS: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "metadata-damaged",
  "topic-directory-shared",
  "manifest-foreign",
  "wal-gap",
  "wal-seal-missing",
  "wal-epoch-ahead",
]);

/** Whether a repair would act by metadata that cannot be trusted. */
export function isDoubtful({ codes }: FsckReport): boolean {
  return [...codes].some((code) => DOUBTS.has(code));
}

/**
 * Checks, repairs what was found, and checks again until nothing is left to repair: the report is
 * of the last check. Does nothing where the check is doubtful. No broker may run. A run that is
 * interrupted has done part of its work, and the next one does the rest.
 */
export async function fsckAndRepair(
  o: FsckOptions,
  onRepaired: (repaired: Repaired) => void,
): Promise<FsckReport> {
  invariant(!o.moving, "a repair is of a cluster that stands still");
  await expectTopics(o);
  const bucket = new Bucket(o.store, o.runtime, o.signal, PARALLEL);
  // A round repairs what fits in memory; what is found again after it is beyond repair.
  for (let before = new Set<string>();;) {
    const report = await pass(o, o.topics);
    if (isDoubtful(report)) return report;
    const repaired = new Set<string>();
    for (const each of report.findings) {
      const name = nameOf(each);
      if (before.has(name)) continue;
      const done = await repair(bucket, each);
      if (done === undefined) continue;
      repaired.add(name);
      onRepaired(done);
    }
    if (repaired.size === 0) return report;
    before = repaired;
  }
}

function nameOf({ code, key }: Finding): string {
  return `${code} ${key}`;
}

async function expectTopics(o: FsckOptions): Promise<void> {
  if (o.topics === undefined) return;
  const { byId } = await readTopics(await o.metadata());
  const names = new Set(byId.values().map(({ name }) => name));
  const unknown = [...o.topics].find((name) => !names.has(name));
  if (unknown !== undefined) throw new UnknownTopicError(`there is no topic ${unknown}`);
}

/** Topics with damage; the commit log is looked at whatever they are. */
function damagedTopics({ findings }: FsckReport): ReadonlySet<string> {
  const damaged = findings.filter(isDamage);
  return new Set(damaged.flatMap(({ topic }) => topic === undefined ? [] : [topic]));
}

/** One look at everything. */
async function pass(
  o: FsckOptions,
  only: ReadonlySet<string> | undefined,
): Promise<FsckReport> {
  const findings = new Findings(FINDINGS_KEPT);
  const base: Context = {
    bucket: new Bucket(o.store, o.runtime, o.signal, PARALLEL),
    config: o.config,
    namespace: o.config.namespace,
    metadata: o.metadata,
    assignments: new Map(),
    depth: o.depth,
    looked: findings.looked,
    found: (each) => findings.add(each),
    onProgress: (share) => o.onProgress?.(share, findings.looked),
  };
  const committed = await readCommitted(await o.metadata());
  base.looked.groups = committed.groups;
  const wal = await checkWal(base);
  const metadata = await o.metadata();
  const topics = await readTopics(metadata);
  const { assignments, findings: unreadable } = await readAssignments(metadata);
  for (const each of [...committed.findings, ...topics.findings, ...unreadable]) base.found(each);
  const context = { ...base, assignments };
  await new TopicsCheck(context, topics, committed, wal, only).run();
  return findings.report();
}

class TopicsCheck {
  /** Topic id → partitions looked at, with the ends of their logs. */
  readonly #ends = new Map<string, Map<number, number | undefined>>();
  #partitions = 0;

  constructor(
    readonly context: Context,
    readonly topics: Topics,
    readonly committed: Committed,
    readonly wal: WalEntries,
    readonly only: ReadonlySet<string> | undefined,
  ) {}

  async run(): Promise<void> {
    const { context } = this;
    const chosen = [...this.topics.byId.values()].filter((topic) =>
      this.only?.has(topic.name) ?? true
    );
    context.looked.topics = chosen.length;
    this.#partitions = chosen.reduce((sum, { partitionCount }) => sum + partitionCount, 0);
    const walks = this.only === undefined
      ? [walkPartitions(context, this.topics)]
      : chosen.map((topic) => walkTopic(context, this.topics, topic.directory));
    for (const walk of walks) await forEachAtOnce(walk, PARALLEL, (each) => this.#check(each));
    for (const topic of chosen) {
      await forEachAtOnce(this.#unmet(topic), PARALLEL, (each) => this.#check(each));
      this.#checkCommitted(topic);
    }
    if (this.only === undefined) this.#checkUnknown();
  }

  async #check(each: PartitionToCheck): Promise<void> {
    const end = await checkPartition(this.context, each, this.wal);
    const { topic, partition } = each;
    let ends = this.#ends.get(topic.id);
    if (ends === undefined) this.#ends.set(topic.id, ends = new Map());
    ends.set(partition, end);
    // directories may be more than the metadata knows of
    this.context.onProgress(Math.min(this.context.looked.partitions / this.#partitions, 1));
  }

  /** Partitions without objects that the commit log has entries of. */
  *#unmet(topic: TopicInfo): Generator<PartitionToCheck> {
    for (const partition of this.wal.partitionsOf(topic.id)) {
      if (this.#ends.get(topic.id)?.has(partition)) continue;
      if (partition >= topic.partitionCount) continue;
      const { namespace } = this.context;
      const prefix = partitionPrefix(namespace, topic.directory, partition);
      yield { topic, partition, listing: new PartitionListing(prefix) };
    }
  }

  /** Committed offsets lie within the log; those of a topic without any log tell of a loss. */
  #checkCommitted(topic: TopicInfo): void {
    const ends = this.#ends.get(topic.id);
    const behind = [...this.committed.maxima.get(topic.id) ?? []].filter((
      [partition, { offset }],
    ) =>
      ends?.has(partition) === true
        ? offset > (ends.get(partition) ?? Infinity)
        : offset > 0 && partition < topic.partitionCount
    );
    const { found } = this.context;
    if (ends === undefined && behind.length > 0) {
      const [, { groupId, offset }] = behind[0]!;
      const text = `has neither objects nor entries in the commit log, and the group ${groupId} ` +
        `has read it up to offset ${offset}`;
      const each = finding(
        "topic-objects-missing",
        `${this.context.namespace}/${topic.directory}/`,
        text,
      );
      return found({ ...each, topic: topic.name });
    }
    for (const [partition, { groupId, offset, key }] of behind) {
      const end = ends?.get(partition) ?? 0;
      const text =
        `the group ${groupId} has committed offset ${offset} of partition ${partition} ` +
        `of ${topic.name}, whose log ends at ${end}`;
      found({ ...finding("group-offset-beyond-end", key, text), topic: topic.name });
    }
  }

  #checkUnknown(): void {
    const { byId, deletedIds } = this.topics;
    for (const topicId of this.wal.topicIds()) {
      if (byId.has(topicId) || deletedIds.has(topicId)) continue;
      const text = "the commit log has entries of this topic id, and the metadata doesn't know it";
      this.context.found(finding("wal-unknown-topic", topicId, text));
    }
  }
}
