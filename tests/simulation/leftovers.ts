/**
 * "A crash at any point leaves nothing for ever": every object of the bucket must be named by a
 * manifest, by the chain that is being written, by its adoption record, or be a seal. Looks at the
 * bucket and the metadata alone.
 */
import { readAllChains } from "../../core/metadata/brokers.ts";
import { LIVE_TOPICS_PREFIX, TOPIC_DELETIONS_PREFIX } from "../../core/metadata/keys.ts";
import type { MetadataStore } from "../../core/metadata/metadata_store.ts";
import { topicOf } from "../../core/metadata/topic_view.ts";
import {
  chainPrefix,
  chainSlotOfKey,
  partitionPrefix,
  segmentOfKey,
  sequenceOfKey,
  walPrefix,
} from "../../core/storage/keys.ts";
import { decodeManifest } from "../../core/storage/manifest.ts";
import { decodeSegment } from "../../core/storage/segment/mod.ts";
import { decodeSlotHeader } from "../../core/storage/wal/format.ts";
import type { MemoryObjects } from "../../drivers/storage/memory/driver.ts";
import { footerOf } from "./bucket_marks.ts";

/** Keys that nothing names, each with why; empty where all is well. */
export async function leftovers(
  objects: MemoryObjects,
  metadata: MetadataStore,
  namespace: string,
  brokerIds: readonly number[],
): Promise<string[]> {
  const left: string[] = [];
  const keys = objects.page("", undefined, Infinity).map(({ key }) => key);
  const all = (await readAllChains(metadata)).filter(({ brokerId }) =>
    brokerIds.includes(brokerId)
  );
  const chains = new Map(all.map((each) => [each.brokerId, each.chains]));
  const { entries } = await metadata.list(LIVE_TOPICS_PREFIX);
  const partitions = entries.map(topicOf).flatMap(({ directory, partitionCount }) =>
    Array.from(
      { length: partitionCount },
      (_, partition) => partitionPrefix(namespace, directory, partition),
    )
  );
  const folders = Map.groupBy(keys, (key) => partitions.find((each) => key.startsWith(each)));
  for (const [prefix, siblings] of folders) {
    if (prefix === undefined) continue;
    const isNamed = namedIn(objects, siblings);
    left.push(...siblings.filter((key) => !isNamed(key)).map((key) => `${key}: in no manifest`));
  }
  for (const key of folders.get(undefined) ?? []) {
    const at = key.startsWith(walPrefix(namespace)) ? chainSlotOfKey(namespace, key) : undefined;
    const current = at && chains.get(at.brokerId)?.at(-1);
    if (at === undefined || current === undefined) {
      left.push(`${key}: of no topic`);
      continue;
    }
    const needed = at.brokerEpoch === current.epoch
      ? at.slot >= current.lowWaterSlot
      : adopted(objects, chainPrefix(namespace, at.brokerId, current.epoch)).has(key);
    const seal = decodeSlotHeader(objects.get(key)!).kind === "seal";
    if (!needed && !seal) left.push(`${key}: in no chain`);
  }
  for (const { brokerId, epoch } of all.flatMap(({ chains }) => chains.slice(0, -1))) {
    left.push(`the chain of broker ${brokerId}, epoch ${epoch} is not forgotten`);
  }
  for (const { key } of (await metadata.list(TOPIC_DELETIONS_PREFIX)).entries) {
    left.push(`${key}: a deletion without end`);
  }
  return left;
}

/** What the chain's adoption record names. */
function adopted(objects: MemoryObjects, prefix: string): ReadonlySet<string> {
  const first = objects.page(prefix, undefined, 1)[0];
  if (first === undefined) return new Set();
  return new Set(footerOf(objects.get(first.key)!).objects);
}

/** Whether the newest of the manifests in a folder names a key, or will: what is uncovered yet. */
function namedIn(objects: MemoryObjects, siblings: readonly string[]): (key: string) => boolean {
  const manifests = siblings.filter((each) => sequenceOfKey(each) !== undefined);
  const newest = manifests.at(-1);
  const manifest = newest === undefined ? undefined : decodeManifest(objects.get(newest)!);
  const bases = [...manifest?.segments ?? [], ...manifest?.removed ?? []];
  const named = new Set(bases.map(({ baseOffset }) => baseOffset));
  const covered = manifest?.coveredOffset ?? 0;
  return (key) => {
    const segment = segmentOfKey(key);
    if (segment === undefined) return manifests.slice(-2).includes(key);
    if (named.has(segment.baseOffset) || segment.baseOffset >= covered) return true;
    // DeleteRecords cut a batch of the WAL, whose segment starts below.
    const body = objects.get(key.replace(/index$/, "kfs"));
    return covered === manifest?.logStartOffset && body !== undefined &&
      decodeSegment(body).lastOffset >= covered;
  };
}
