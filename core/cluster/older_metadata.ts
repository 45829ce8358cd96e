/**
 * Metadata that went back, for example an etcd that was restored from a snapshot. The bucket tells:
 * its slots were written when metadata was further, or it has chains that metadata has never heard
 * of; or who restored it said so. Start-up looks, and lets the bucket have its way, so that no
 * broker epoch, and with it no chain, is used twice (docs/decisions/0011).
 */
import type { ChainRef } from "../metadata/assignments.ts";
import {
  enterFoundChains,
  lastEpoch,
  raiseLowWater,
  readAllChains,
  readChains,
} from "../metadata/brokers.ts";
import { beginGeneration, enterGeneration, readGeneration } from "../metadata/generation.ts";
import { BROKER_CHAINS_PREFIX, TOPICS_PREFIX } from "../metadata/keys.ts";
import { nameSources } from "../metadata/older_assignments.ts";
import { leapProducerIds } from "../metadata/producer_ids.ts";
import { persist } from "../storage/retry.ts";
import { brokersWithChains, chainsAbove, type FoundChain } from "../storage/wal/chains.ts";
import { type MetadataMark, NO_MARK } from "../storage/wal/format.ts";
import { claimGeneration } from "../storage/wal/generations.ts";
import { isLater, laterOf, newestMark } from "../storage/wal/newest_mark.ts";
import { chainStart, CoveredOffsets } from "./chain_start.ts";
import type { RecoveryOptions } from "./recovery.ts";

/** The bucket is another cluster's, or all metadata is lost. */
export class ForeignBucketError extends Error {
  override name = "ForeignBucketError";
}

/**
 * Brings the broker's chains in metadata up to what the bucket has. An epoch is in metadata before
 * its chain is in the bucket; so what is found here, and is still above the newest epoch when it is
 * entered, was lost. Fails with a ForeignBucketError where metadata knows nothing at all. Returns
 * the generation of metadata that the broker goes on with.
 */
export function catchUpWithBucket(o: RecoveryOptions): Promise<number> {
  return catchUp(o, [o.brokerId], () => Promise.resolve());
}

/**
 * The same for all brokers of a cluster. Assignment records went back, too: any chain may hold
 * entries of any partition, and is named in all of them before metadata is current, and so before
 * anybody who comes later could take the records for that.
 */
export async function catchUpCluster(o: RecoveryOptions): Promise<number> {
  const { store, namespace, signal } = o;
  const there = await persist(o, () => brokersWithChains(store, namespace, signal));
  return await catchUp(o, there, async (found, generation) => {
    const known = (await readAllChains(o.metadata)).flatMap(({ brokerId, chains }) =>
      chains.map(({ epoch }) => ({ brokerId, brokerEpoch: epoch }))
    );
    await nameSources(o.metadata, [...known, ...found], generation);
  });
}

async function catchUp(
  o: RecoveryOptions,
  brokerIds: readonly number[],
  name: (found: readonly ChainRef[], generation: number) => Promise<void>,
): Promise<number> {
  const { metadata, store, namespace, signal } = o;
  const unknown: UnknownChains[] = [];
  let seen = NO_MARK;
  for (const brokerId of brokerIds) {
    const known = await lastEpoch(metadata, brokerId);
    const found = await persist(o, () => chainsAbove(store, namespace, brokerId, known, signal));
    seen = laterOf(seen, await markOf(o, brokerId, found));
    // another process may have come first
    const newest = found.at(-1)?.brokerEpoch ?? 0;
    if (found.length === 0 || await lastEpoch(metadata, brokerId) >= newest) continue;
    if (await isEmpty(o)) {
      throw new ForeignBucketError(
        `the object store holds the log of broker ${brokerId} below ${namespace}/, but metadata ` +
          "is empty: restore a snapshot of the metadata, correct where metadata is kept, or " +
          "choose another KAFSCALE_NAMESPACE",
      );
    }
    unknown.push({ brokerId, epochInMetadata: known, found });
  }
  // after the bucket: what was written there until now, metadata has by now
  const present = await readGeneration(metadata);
  const { generation, restored } = present;
  const { revision } = await metadata.list(BROKER_CHAINS_PREFIX);
  if (unknown.length === 0 && !restored && !isLater(seen, { generation, revision })) {
    return generation;
  }
  const older = "metadata is older than the bucket; the broker goes on from the bucket";
  o.runtime.log.error(restored ? "metadata was restored; the bucket may know better" : older, {
    metadata: { generation, revision },
    bucket: seen,
    chains: unknown.map(({ brokerId, epochInMetadata, found }) => ({
      brokerId,
      epochInMetadata,
      epochInBucket: found.at(-1)!.brokerEpoch,
    })),
  });
  const known = Math.max(seen.generation, generation);
  // one that is claimed and not begun, because of a crash or a rival, is left out
  const next = present.next > 0
    ? present.next
    : await persist(o, () => claimGeneration(store, namespace, known, signal));
  const entered = await beginGeneration(metadata, present, next);
  await lookAfter(o, brokerIds, unknown, name, entered);
  await enterGeneration(metadata, entered);
  return entered;
}

/** Chains above the newest epoch that metadata has of their broker. */
interface UnknownChains {
  readonly brokerId: number;
  readonly epochInMetadata: number;
  readonly found: readonly FoundChain[];
}

/** The latest mark in the broker's chains: the newest one that has slots tells. */
async function markOf(
  o: RecoveryOptions,
  brokerId: number,
  found: readonly FoundChain[],
): Promise<MetadataMark> {
  const { metadata, store, namespace, signal } = o;
  const known = (await readChains(metadata, brokerId))
    .map(({ epoch, lowWaterSlot }) => ({ brokerId, brokerEpoch: epoch, from: lowWaterSlot }));
  const newer = found.map(({ brokerEpoch, firstSlot }) => ({
    brokerId,
    brokerEpoch,
    from: firstSlot,
  }));
  for (const { from, ...chain } of [...known, ...newer].toReversed()) {
    const mark = await persist(o, () => newestMark(store, namespace, chain, from, signal));
    if (mark !== undefined) return mark;
  }
  return NO_MARK;
}

/**
 * What went back and must not have. Each step may be done again, by this process or another; the
 * new generation comes last, since nothing tells that they are to be done once it is entered.
 */
async function lookAfter(
  o: RecoveryOptions,
  brokerIds: readonly number[],
  unknown: readonly UnknownChains[],
  name: (found: readonly ChainRef[], generation: number) => Promise<void>,
  generation: number,
): Promise<void> {
  const { metadata } = o;
  await leapProducerIds(metadata, generation);
  await name(
    unknown.flatMap(({ brokerId, found }) =>
      found.map(({ brokerEpoch }) => ({ brokerId, brokerEpoch }))
    ),
    generation,
  );
  const covered = await CoveredOffsets.open(o);
  for (const brokerId of brokerIds) {
    for (const { epoch, lowWaterSlot } of await readChains(metadata, brokerId)) {
      const chain = { brokerId, brokerEpoch: epoch };
      const start = await chainStart(o, chain, lowWaterSlot, covered);
      if (start !== undefined) await raiseLowWater(metadata, brokerId, epoch, start);
    }
    const found = unknown.find((each) => each.brokerId === brokerId)?.found ?? [];
    await enterFoundChains(
      metadata,
      brokerId,
      await Promise.all(found.map(async ({ brokerEpoch, firstSlot }) => {
        const chain = { brokerId, brokerEpoch };
        return { brokerEpoch, firstSlot: await chainStart(o, chain, 0, covered) ?? firstSlot };
      })),
    );
  }
}

async function isEmpty({ metadata }: RecoveryOptions): Promise<boolean> {
  if ((await metadata.list(BROKER_CHAINS_PREFIX)).entries.length > 0) return false;
  return (await metadata.list(TOPICS_PREFIX)).entries.length === 0;
}
