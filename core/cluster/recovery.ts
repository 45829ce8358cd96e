/**
 * Start of an incarnation: take a broker epoch, seal the chains of earlier ones, adopt what no
 * manifest covers (DESIGN 1). Costs the footers of those chains, never the data.
 */
import {
  openIncarnation,
  openReadOnlyIncarnation,
  readAllChains,
  readChains,
  removeChains,
} from "../metadata/brokers.ts";
import { ASSIGNMENTS_PREFIX, TOPICS_PREFIX } from "../metadata/keys.ts";
import type { MetadataStore } from "../metadata/metadata_store.ts";
import { TopicView } from "../metadata/topic_view.ts";
import { RecoveredEntries } from "../log/recovered.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import type { WalChain } from "../storage/wal/chain.ts";
import { sealChain } from "../storage/wal/seal.ts";
import { catchUpCluster, catchUpWithBucket } from "./older_metadata.ts";

export interface RecoveryOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly metadata: MetadataStore;
  readonly namespace: string;
  readonly brokerId: number;
  readonly signal: AbortSignal;
}

export interface Incarnation {
  readonly brokerEpoch: number;
  readonly recovered: RecoveredEntries;
  /** Epochs of the chains that recovery sealed, to be forgotten once they are adopted. */
  readonly sealedEpochs: readonly number[];
  /** Of metadata, which the log of this life goes with. */
  readonly generation: number;
  /** No WAL object of earlier chains may be deleted: metadata does not know all their topics. */
  readonly keeping: boolean;
}

/**
 * Takes the next broker epoch in a cluster, where partitions come by assignment, if any come at
 * all: `readOnly` takes one without a chain.
 */
export async function join(o: RecoveryOptions, readOnly = false): Promise<Incarnation> {
  const generation = await catchUpCluster(o);
  const brokerEpoch = readOnly
    ? await openReadOnlyIncarnation(o.metadata, o.brokerId)
    : (await openIncarnation(o.metadata, o.brokerId, true)).epoch;
  const recovered = new RecoveredEntries();
  return { brokerEpoch, generation, recovered, sealedEpochs: [], keeping: false };
}

/** Metadata that this broker alone must not go on with. */
export class NotAloneError extends Error {
  override name = "NotAloneError";
}

/**
 * For a broker that leads everything: throws one sentence where another broker's chains may hold
 * records that it wouldn't look for (I2, I12).
 */
export async function checkAlone(metadata: MetadataStore, brokerId: number): Promise<void> {
  const { entries } = await metadata.list(ASSIGNMENTS_PREFIX);
  if (entries.length > 0) {
    throw new NotAloneError(
      "the data belongs to a cluster of brokers; set KAFSCALE_CLUSTER=true, or to the number of " +
        "brokers where they were one process",
    );
  }
  const others = (await readAllChains(metadata)).filter((each) => each.brokerId !== brokerId);
  if (others.length > 0) {
    throw new NotAloneError(
      `the data belongs to broker ${
        others[0]!.brokerId
      }, not ${brokerId}; set KAFSCALE_BROKER_ID ` +
        "to that, or KAFSCALE_CLUSTER=true on all brokers where several are to share it",
    );
  }
}

/** Takes the next broker epoch and reads what earlier incarnations left uncovered. */
export async function recover(o: RecoveryOptions): Promise<Incarnation> {
  const startedMs = o.runtime.clock.monotonicMs();
  const generation = await catchUpWithBucket(o);
  const { epoch, earlierChains } = await openIncarnation(o.metadata, o.brokerId);
  const recovered = new RecoveredEntries();
  let slots = 0;
  for (const chain of earlierChains) {
    const id = {
      brokerId: o.brokerId,
      brokerEpoch: chain.epoch,
      lowWaterSlot: chain.lowWaterSlot,
    };
    const sealed = await sealChain({
      ...o,
      brokerEpoch: epoch,
      lowWaterSlot: async ({ brokerEpoch, lowWaterSlot }) => {
        const chains = await readChains(o.metadata, o.brokerId);
        return chains.find((each) => each.epoch === brokerEpoch)?.lowWaterSlot ?? lowWaterSlot;
      },
    }, id);
    recovered.addChain(id, sealed);
    slots += sealed.length;
  }
  // Read after the last seal: an owner that was still alive may have made topics until then.
  const topics = new TopicView();
  const { entries, revision } = await o.metadata.list(TOPICS_PREFIX);
  topics.load(entries, revision);
  const older = earlierChains.some((chain) => chain.keepUnknown);
  const unknownTopics = recovered.settle((topicId, partition) => {
    const topic = topics.byId(topicId);
    return topic !== undefined && partition < topic.partitionCount;
  }, older);
  const keeping = unknownTopics.length > 0;
  if (keeping) {
    o.runtime.log.error(
      "the log has records of topics that metadata does not know; they are kept in the bucket, " +
        "and come back when newer metadata is restored",
      { topicIds: unknownTopics },
    );
  }
  o.runtime.log.info("recovered from the write-ahead log", {
    brokerEpoch: epoch,
    chains: earlierChains.length,
    slots,
    partitions: recovered.partitionCount,
    ms: Math.round(o.runtime.clock.monotonicMs() - startedMs),
  });
  const sealedEpochs = earlierChains
    .filter((chain) => !(keeping && chain.keepUnknown))
    .map((chain) => chain.epoch);
  return { brokerEpoch: epoch, generation, recovered, sealedEpochs, keeping };
}

/**
 * Commits the adoption record as the new chain's first slot, then forgets the sealed chains: from
 * then on the own chain alone is enough to recover from.
 */
export async function adopt(
  o: RecoveryOptions,
  incarnation: Incarnation,
  chain: WalChain,
): Promise<void> {
  const { recovered, sealedEpochs } = incarnation;
  const { objects, partitions, rows } = recovered.adoption();
  if (rows > 0) recovered.adoptedBy(await chain.adopt(objects, partitions, rows));
  if (sealedEpochs.length > 0) await removeChains(o.metadata, o.brokerId, sealedEpochs);
}
