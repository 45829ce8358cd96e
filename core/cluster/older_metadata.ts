/**
 * Metadata that went back, for example an etcd that was restored from a snapshot: the bucket then
 * has chains of this broker that metadata has never heard of. Start-up sees that by one LIST and
 * lets the bucket have its way, so that no broker epoch, and with it no chain, is used twice.
 */
import { enterFoundChains, lastEpoch } from "../metadata/brokers.ts";
import { BROKER_CHAINS_PREFIX, TOPICS_PREFIX } from "../metadata/keys.ts";
import { leapProducerIds } from "../metadata/producer_ids.ts";
import { persist } from "../storage/retry.ts";
import { chainsAbove } from "../storage/wal/chains.ts";
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
  const { metadata, store, namespace, brokerId, runtime, signal } = o;
  const known = await lastEpoch(metadata, brokerId);
  const found = await persist(o, () => chainsAbove(store, namespace, brokerId, known, signal));
  if (found.length === 0) return;
  const newest = found.at(-1)!.brokerEpoch;
  // another process of this broker may have come first
  if (await lastEpoch(metadata, brokerId) >= newest) return;
  if (await isEmpty(o)) {
    throw new ForeignBucketError(
      `the object store holds the log of broker ${brokerId} below ${namespace}/, but metadata is ` +
        "empty: restore a snapshot of the metadata, correct where metadata is kept, or choose " +
        "another KAFSCALE_NAMESPACE",
    );
  }
  runtime.log.error("metadata is older than the bucket; the broker goes on from the bucket", {
    brokerId,
    epochInMetadata: known,
    epochInBucket: newest,
  });
  // first, since nothing tells of it any more once the chains are entered
  await leapProducerIds(metadata);
  await enterFoundChains(metadata, brokerId, found);
}

async function isEmpty({ metadata }: RecoveryOptions): Promise<boolean> {
  if ((await metadata.list(BROKER_CHAINS_PREFIX)).entries.length > 0) return false;
  return (await metadata.list(TOPICS_PREFIX)).entries.length === 0;
}
