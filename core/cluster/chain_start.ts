/**
 * Where a chain begins whose low-water mark went back with the metadata: slots at its front were
 * covered and deleted since, and would be taken for its end. Below its true mark there may be slots
 * that a deletion which was cut off left, or a late retry put back; behind its end what was in
 * flight. Manifests tell the former: all that is in such a slot is covered.
 */
import type { ChainRef } from "../metadata/assignments.ts";
import { TOPICS_PREFIX } from "../metadata/keys.ts";
import type { MetadataStore } from "../metadata/metadata_store.ts";
import { TopicView } from "../metadata/topic_view.ts";
import { partitionPrefix, slotKey } from "../storage/keys.ts";
import { loadNewestManifest } from "../storage/manifest_store.ts";
import { persist } from "../storage/retry.ts";
import { slotsFrom } from "../storage/wal/chains.ts";
import type { SlotFooter } from "../storage/wal/format.ts";
import { readSlotFooter } from "../storage/wal/slot_reader.ts";
import type { RecoveryOptions } from "./recovery.ts";

/** Footers read at once. */
const READ_PARALLEL = 32;

/** Up to where manifests cover partitions; each is read once. */
export class CoveredOffsets {
  readonly #offsets = new Map<string, Promise<number>>();

  private constructor(readonly options: RecoveryOptions, readonly topics: TopicView) {}

  static async open(o: RecoveryOptions): Promise<CoveredOffsets> {
    return new CoveredOffsets(o, await topicsIn(o.metadata));
  }

  /** Whether every batch of the slot is in a segment, or of a topic that nobody knows. */
  async cover({ partitions }: SlotFooter): Promise<boolean> {
    for (const { topicId, partition, rows } of partitions) {
      const last = rows.at(-1);
      if (last === undefined) continue;
      const covered = await this.#of(topicId, partition);
      if (last.baseOffset + last.lastOffsetDelta >= covered) return false;
    }
    return true;
  }

  #of(topicId: string, partition: number): Promise<number> {
    const key = `${topicId}/${partition}`;
    let offset = this.#offsets.get(key);
    if (offset === undefined) this.#offsets.set(key, offset = this.#read(topicId, partition));
    return offset;
  }

  async #read(topicId: string, partition: number): Promise<number> {
    const topic = this.topics.byId(topicId);
    if (topic === undefined) return Infinity;
    const { store, namespace, signal } = this.options;
    const prefix = partitionPrefix(namespace, topic.directory, partition);
    const { manifest } = await persist(
      this.options,
      () => loadNewestManifest(store, prefix, { signal }),
    );
    return manifest?.coveredOffset ?? 0;
  }
}

async function topicsIn(metadata: MetadataStore): Promise<TopicView> {
  const topics = new TopicView();
  const { entries, revision } = await metadata.list(TOPICS_PREFIX);
  topics.load(entries, revision);
  return topics;
}

/**
 * The first slot of the run, without a gap, that holds the first batch which nothing covers; where
 * all is covered, of the last run. Undefined where the chain has no slot from `from` on.
 */
export async function chainStart(
  o: RecoveryOptions,
  chain: ChainRef,
  from: number,
  covered: CoveredOffsets,
): Promise<number | undefined> {
  const { store, namespace, signal } = o;
  const slots = await persist(
    o,
    () => Array.fromAsync(slotsFrom(store, namespace, chain, from, { signal })),
  );
  const starts = slots.filter(({ slot }, at) => slots[at - 1]?.slot !== slot - 1);
  if (starts.length < 2) return starts[0]?.slot;
  for (let at = 0; at < slots.length; at += READ_PARALLEL) {
    const batch = slots.slice(at, at + READ_PARALLEL);
    const footers = await Promise.all(batch.map(({ slot, size }) => {
      const key = slotKey(namespace, chain.brokerId, chain.brokerEpoch, slot);
      return persist(o, () => readSlotFooter(store, key, size, { signal }));
    }));
    for (const [index, footer] of footers.entries()) {
      // one that is gone by now was covered
      if (footer === undefined || await covered.cover(footer)) continue;
      const { slot } = batch[index]!;
      return starts.findLast((start) => start.slot <= slot)!.slot;
    }
  }
  return starts.at(-1)!.slot;
}
