/** Which chains a broker has in the bucket, whatever metadata knows of them. */
import {
  chainPrefix,
  chainSlotOfKey,
  chainsPrefix,
  slotKey,
  slotOfKey,
  walPrefix,
} from "../keys.ts";
import type { CallOptions, ObjectStore } from "../object_store.ts";

export interface FoundChain {
  readonly brokerEpoch: number;
  /** The lowest that is there. */
  readonly firstSlot: number;
}

/** Sorts behind every slot of a chain, and every chain of a broker. */
const BEHIND_SLOTS = "~";

/**
 * The broker's chains above epoch `above`, ascending: one LIST that finds nothing, and one more for
 * each chain that it finds. Seals are never deleted, so a chain that was ever sealed is found.
 */
export async function chainsAbove(
  store: ObjectStore,
  namespace: string,
  brokerId: number,
  above: number,
  signal: AbortSignal,
): Promise<FoundChain[]> {
  const found: FoundChain[] = [];
  for (let epoch = above;;) {
    const after = chainPrefix(namespace, brokerId, epoch) + BEHIND_SLOTS;
    const first = await firstSlot(store, namespace, brokerId, after, signal);
    if (first === undefined) return found;
    found.push({ brokerEpoch: first.brokerEpoch, firstSlot: first.slot });
    epoch = first.brokerEpoch;
  }
}

export interface ChainName {
  readonly brokerId: number;
  readonly brokerEpoch: number;
}

/** The chain's slots that are there from `from` on, in order, with their sizes. */
export async function* slotsFrom(
  store: ObjectStore,
  namespace: string,
  { brokerId, brokerEpoch }: ChainName,
  from: number,
  options: CallOptions,
): AsyncGenerator<{ readonly slot: number; readonly size: number }> {
  const prefix = chainPrefix(namespace, brokerId, brokerEpoch);
  const after = from === 0 ? undefined : slotKey(namespace, brokerId, brokerEpoch, from - 1);
  for await (const { key, size } of store.list(prefix, after, options)) {
    const slot = slotOfKey(key);
    if (slot !== undefined) yield { slot, size };
  }
}

async function firstSlot(
  store: ObjectStore,
  namespace: string,
  brokerId: number,
  after: string,
  signal: AbortSignal,
): Promise<ReturnType<typeof chainSlotOfKey>> {
  const prefix = chainsPrefix(namespace, brokerId);
  for await (const { key } of store.list(prefix, after, { signal })) {
    const slot = chainSlotOfKey(namespace, key);
    if (slot !== undefined) return slot;
  }
  return undefined;
}

/** The ids of all brokers that have a chain in the bucket: one LIST each, and one more. */
export async function brokersWithChains(
  store: ObjectStore,
  namespace: string,
  signal: AbortSignal,
): Promise<number[]> {
  const found: number[] = [];
  const prefix = walPrefix(namespace);
  let key = await firstKey(store, prefix, undefined, signal);
  while (key !== undefined) {
    const id = chainSlotOfKey(namespace, key)?.brokerId;
    if (id !== undefined) found.push(id);
    // what is of another shape is passed over by itself
    const after = id === undefined ? key : chainsPrefix(namespace, id) + BEHIND_SLOTS;
    key = await firstKey(store, prefix, after, signal);
  }
  return found;
}

/** The first key below `prefix`, and behind `after`. */
export async function firstKey(
  store: ObjectStore,
  prefix: string,
  after: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  for await (const { key } of store.list(prefix, after, { signal })) return key;
  return undefined;
}
