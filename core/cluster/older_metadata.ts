/**
 * Metadata that went back, for example an etcd that was restored from a snapshot: the bucket then
 * has chains of this broker that metadata has never heard of. Start-up sees that by one LIST and
 * lets the bucket have its way, so that no broker epoch, and with it no chain, is used twice.
 */
import { enterFoundChains, lastEpoch } from "../metadata/brokers.ts";
import { BROKER_CHAINS_PREFIX, TOPICS_PREFIX } from "../metadata/keys.ts";
import { leapProducerIds } from "../metadata/producer_ids.ts";
import type { ChainRef } from "../metadata/assignments.ts";
import { nameSources } from "../metadata/older_assignments.ts";
import { persist } from "../storage/retry.ts";
import { brokersWithChains, chainsAbove, type FoundChain } from "../storage/wal/chains.ts";
import type { RecoveryOptions } from "./recovery.ts";

/** The bucket is another cluster's, or all metadata is lost. */
export class ForeignBucketError extends Error {
  override name = "ForeignBucketError";
}

/**
 * Brings the broker's chains in metadata up to what the bucket has. An epoch is in metadata before
 * its chain is in the bucket; so what is found here, and is still above the newest epoch when it is
 * entered, was lost. Fails with a ForeignBucketError where metadata knows nothing at all.
 */
export async function catchUpWithBucket(o: RecoveryOptions): Promise<void> {
  await catchUp(o, [o.brokerId]);
}

/**
 * The same for all brokers of a cluster. Assignment records went back, too: what is found may hold
 * entries of any partition, and is named in all of them before metadata knows it, and so before
 * anybody who comes later could take the records for current.
 */
export async function catchUpCluster(o: RecoveryOptions): Promise<void> {
  const { store, namespace, signal } = o;
  const there = await persist(o, () => brokersWithChains(store, namespace, signal));
  await catchUp(o, there, (found) => nameSources(o.metadata, found));
}

async function catchUp(
  o: RecoveryOptions,
  brokerIds: readonly number[],
  name: (found: readonly ChainRef[]) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const { metadata, store, namespace, runtime, signal } = o;
  const lost: { brokerId: number; found: FoundChain[] }[] = [];
  for (const brokerId of brokerIds) {
    const known = await lastEpoch(metadata, brokerId);
    const found = await persist(o, () => chainsAbove(store, namespace, brokerId, known, signal));
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
    runtime.log.error("metadata is older than the bucket; the broker goes on from the bucket", {
      brokerId,
      epochInMetadata: known,
      epochInBucket: newest,
    });
    lost.push({ brokerId, found });
  }
  if (lost.length === 0) return;
  // first, since nothing tells of it any more once the chains are entered
  await leapProducerIds(metadata);
  await name(
    lost.flatMap(({ brokerId, found }) =>
      found.map(({ brokerEpoch }) => ({ brokerId, brokerEpoch }))
    ),
  );
  for (const { brokerId, found } of lost) await enterFoundChains(metadata, brokerId, found);
}

async function isEmpty({ metadata }: RecoveryOptions): Promise<boolean> {
  if ((await metadata.list(BROKER_CHAINS_PREFIX)).entries.length > 0) return false;
  return (await metadata.list(TOPICS_PREFIX)).entries.length === 0;
}
