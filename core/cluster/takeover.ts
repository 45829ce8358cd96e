/** Sealing other incarnations' chains and reading what they hold for certain partitions. */
import { RecoveredEntries } from "../log/recovered.ts";
import { type ChainRef, sameChain } from "../metadata/assignments.ts";
import { liveBrokerOf, readChains } from "../metadata/brokers.ts";
import { liveBrokerKey } from "../metadata/keys.ts";
import type { MetadataStore } from "../metadata/metadata_store.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { chainPrefix } from "../storage/keys.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import { firstKey } from "../storage/wal/chains.ts";
import { sealChain } from "../storage/wal/seal.ts";

export interface TakeoverOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly metadata: MetadataStore;
  readonly namespace: string;
  readonly self: ChainRef;
  readonly signal: AbortSignal;
}

/**
 * Seals each of `chains` (I3: from then on it grows no more) and returns the entries that they hold
 * of the partitions that `keep` names. Costs their footers above the low-water marks, no data.
 */
export async function readSealed(
  o: TakeoverOptions,
  chains: readonly ChainRef[],
  keep: (topicId: string, partition: number) => boolean,
): Promise<RecoveredEntries> {
  const entries = new RecoveredEntries();
  for (const chain of chains) {
    const id = { ...chain, lowWaterSlot: await lowWaterSlot(o.metadata, chain) };
    const slots = await sealChain({
      ...o,
      brokerId: o.self.brokerId,
      brokerEpoch: o.self.brokerEpoch,
      lowWaterSlot: ({ brokerId, brokerEpoch }) =>
        lowWaterSlot(o.metadata, { brokerId, brokerEpoch }),
      isBack: async () => !await isGone(o.metadata, chain),
    }, id);
    entries.addChain(id, slots);
    o.runtime.log.info("sealed the chain of another incarnation", {
      ...chain,
      slots: slots.length,
    });
  }
  entries.settle(keep);
  return entries;
}

/** A chain that metadata knows no more held nothing uncovered when it was forgotten. */
export async function lowWaterSlot(metadata: MetadataStore, chain: ChainRef): Promise<number> {
  const chains = await readChains(metadata, chain.brokerId);
  return chains.find(({ epoch }) => epoch === chain.brokerEpoch)?.lowWaterSlot ?? 0;
}

/** Whether the chain has no slot, not even a seal. */
export async function isEmpty(
  { store, namespace, signal }: Pick<TakeoverOptions, "store" | "namespace" | "signal">,
  { brokerId, brokerEpoch }: ChainRef,
): Promise<boolean> {
  const prefix = chainPrefix(namespace, brokerId, brokerEpoch);
  return await firstKey(store, prefix, undefined, signal) === undefined;
}

/**
 * Whether metadata itself, not a view that may be behind, has no registration of the incarnation:
 * to seal a chain ends its broker, so a guess is not enough.
 */
export async function isGone(metadata: MetadataStore, chain: ChainRef): Promise<boolean> {
  const entry = await metadata.get(liveBrokerKey(chain.brokerId));
  return entry === undefined || liveBrokerOf(entry).epoch !== chain.brokerEpoch;
}

/** Each chain once. */
export function distinctChains(chains: Iterable<ChainRef>): ChainRef[] {
  const found: ChainRef[] = [];
  for (const chain of chains) {
    if (!found.some((other) => sameChain(other, chain))) found.push(chain);
  }
  return found;
}
