/** One partition: manifest, segments, and the commit log behind them, as one history (I2). */
import { MalformedError } from "../bytes/mod.ts";
import type { PartitionAssignment } from "../metadata/assignments.ts";
import { topicSettings } from "../metadata/topic_config.ts";
import type { TopicInfo } from "../metadata/topics.ts";
import { indexKey, manifestKey, partitionPrefix, segmentKey } from "../storage/keys.ts";
import {
  decodeManifest,
  type Manifest,
  type MergePlan,
  type SegmentInfo,
} from "../storage/manifest.ts";
import { SEGMENT_FOOTER_BYTES, SEGMENT_HEADER_BYTES } from "../storage/segment/mod.ts";
import { forEachAtOnce } from "./bucket.ts";
import type { Context } from "./context.ts";
import { finding, type FindingCode, type Repair } from "./finding.ts";
import { manifestFindings } from "./manifest_check.ts";
import { PartitionListing } from "./partition_listing.ts";
import { checkSegment, type Expected, type SegmentFacts } from "./segment_check.ts";
import { joinTail, type Tail } from "./tail_check.ts";
import { checkUnnamed } from "./unnamed_segments.ts";
import type { WalEntries } from "./wal_entries.ts";

/** Manifests kept: the newest, and the one before it for who still reads by it. */
const MANIFESTS_KEPT = 2;
const ENDS_BYTES = SEGMENT_HEADER_BYTES + SEGMENT_FOOTER_BYTES;
/** A manifest that is superseded while it is read leads to a new listing, so many times. */
const LISTINGS_MAX = 20;

export interface PartitionToCheck {
  readonly topic: TopicInfo;
  readonly partition: number;
  readonly listing: PartitionListing;
}

/** Where the partition's log ends (exclusive); undefined where that cannot be told. */
export async function checkPartition(
  context: Context,
  { topic, partition, listing }: PartitionToCheck,
  wal: WalEntries,
): Promise<number | undefined> {
  const found = context.found;
  const named: Context = { ...context, found: (each) => found({ ...each, topic: topic.name }) };
  const check = new PartitionCheck(named, topic, partition, listing);
  context.looked.partitions++;
  return await check.run(wal);
}

function mergedForm(
  segments: readonly SegmentInfo[],
  { firstBase, lastBase }: MergePlan,
): Expected[] {
  const parts = segments.filter(({ baseOffset }) =>
    baseOffset >= firstBase && baseOffset <= lastBase
  );
  const last = parts.at(-1);
  if (last === undefined) return [];
  const bytes = parts.reduce((sum, part) => sum + part.bytes - ENDS_BYTES, ENDS_BYTES);
  return [{ lastOffset: last.lastOffset, bytes }];
}

export class PartitionCheck {
  readonly prefix: string;
  readonly intervalBytes: number;

  constructor(
    readonly context: Context,
    readonly topic: TopicInfo,
    readonly partition: number,
    public listing: PartitionListing,
  ) {
    this.prefix = partitionPrefix(context.namespace, topic.directory, partition);
    this.intervalBytes = topicSettings(topic, context.config).indexIntervalBytes;
  }

  /** Undefined where a broker leads everything by itself. */
  get assignment(): PartitionAssignment | undefined {
    return this.context.assignments.get(this.topic.id)?.[this.partition];
  }

  async run(wal: WalEntries): Promise<number | undefined> {
    const manifest = await this.#manifest();
    this.#strangers();
    if (manifest === "unreadable") return undefined;
    this.#superseded();
    const entries = wal.of(this.topic.id, this.partition);
    const tail = await joinTail(this, manifest, entries);
    const facts = await this.#segments(manifest);
    await checkUnnamed(this, manifest, tail);
    this.#epochs(manifest, facts, tail);
    return tail.end;
  }

  found(code: FindingCode, key: string, text: string, repair?: Repair): void {
    this.context.found(finding(code, key, text, repair));
  }

  /** The newest manifest; undefined where there is none. */
  async #manifest(): Promise<Manifest | undefined | "unreadable"> {
    const { context, prefix } = this;
    for (let attempt = 1;; attempt++) {
      const sequence = this.listing.manifests.at(-1);
      if (sequence === undefined) return undefined;
      const key = manifestKey(prefix, sequence);
      const bytes = await context.bucket.get(key);
      if (bytes !== undefined) return this.#read(key, sequence, bytes);
      if (attempt === LISTINGS_MAX) {
        this.found("manifest-damaged", key, "is listed, and cannot be had");
        return "unreadable";
      }
      this.listing = await PartitionListing.read(context.bucket, prefix);
    }
  }

  #read(key: string, sequence: number, bytes: Uint8Array): Manifest | "unreadable" {
    let manifest: Manifest;
    try {
      manifest = decodeManifest(bytes);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.found("manifest-damaged", key, `cannot be read: ${error.message}`);
      return "unreadable";
    }
    const { topic, partition } = this;
    if (manifest.topicId !== topic.id || manifest.partition !== partition) {
      const text = `belongs to partition ${manifest.partition} of topic id ${manifest.topicId}; ` +
        `the topic ${topic.name} has id ${topic.id}`;
      this.found("manifest-foreign", key, text);
      return "unreadable";
    }
    if (manifest.sequence !== sequence) {
      this.found("manifest-foreign", key, `has sequence ${manifest.sequence}`);
    }
    for (const each of manifestFindings(key, manifest)) this.context.found(each);
    return manifest;
  }

  #strangers(): void {
    for (const key of this.listing.strangers) {
      this.found("object-unknown", key, "is neither manifest, segment nor index");
    }
  }

  #superseded(): void {
    const { listing, prefix } = this;
    for (const sequence of listing.manifests.slice(0, -MANIFESTS_KEPT)) {
      const key = manifestKey(prefix, sequence);
      const text = `is superseded by ${listing.manifests.at(-1)}`;
      this.found("manifest-stale", key, text, { kind: "delete", keys: [key] });
    }
  }

  /** Facts by base offset, of the segments that the manifest names. */
  async #segments(manifest: Manifest | undefined): Promise<Map<number, SegmentFacts>> {
    const { context, listing, prefix, intervalBytes } = this;
    const all = new Map<number, SegmentFacts>();
    await forEachAtOnce(manifest?.segments ?? [], context.bucket.parallel, async (segment) => {
      const { baseOffset, lastOffset, bytes, maxTimestampMs } = segment;
      context.looked.segments++;
      const key = segmentKey(prefix, baseOffset);
      const size = listing.segments.get(baseOffset);
      if (size === undefined) {
        return this.found("segment-missing", key, `is not there; it held ${bytes} bytes`);
      }
      const expected: Expected[] = [{ lastOffset, bytes }];
      // The object that a merge leads to may be there already.
      if (manifest?.merge?.firstBase === baseOffset) {
        expected.push(...mergedForm(manifest.segments, manifest.merge));
      }
      const facts = await checkSegment(context, {
        key,
        indexKey: indexKey(prefix, baseOffset),
        baseOffset,
        size,
        expected,
        maxTimestampMs,
        hasIndex: listing.indexes.has(baseOffset),
        intervalBytes,
      });
      for (const each of facts.findings) context.found(each);
      all.set(baseOffset, facts);
    });
    return all;
  }

  /** Leader epochs never go back, from segment to segment and into the commit log. */
  #epochs(
    manifest: Manifest | undefined,
    facts: ReadonlyMap<number, SegmentFacts>,
    tail: Tail,
  ): void {
    let last = -1;
    const follow = (key: string, first: number, newest: number) => {
      if (first < 0) return;
      if (first < last) {
        this.found("epoch-order", key, `begins with leader epoch ${first}, behind epoch ${last}`);
      }
      last = Math.max(last, newest);
    };
    for (const { baseOffset } of manifest?.segments ?? []) {
      const fact = facts.get(baseOffset);
      if (fact === undefined) continue;
      follow(segmentKey(this.prefix, baseOffset), fact.firstEpoch, fact.lastEpoch);
    }
    for (const run of tail.runs) follow(run.firstKey, run.leaderEpoch, run.leaderEpoch);
    const { assignment } = this;
    if (assignment === undefined) return;
    // The next owner gets the one after it.
    const present = assignment.leaderEpoch + (assignment.owner === undefined ? 1 : 0);
    if (present >= last) return;
    const text = `the assignment gives leader epoch ${present}, and the log has epoch ${last}`;
    this.found("epoch-behind", this.prefix, text);
  }
}
