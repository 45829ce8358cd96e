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

interface ChainName {
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

/**
 * Where a chain begins whose low-water mark went back, while its owner is dead: the longest run of
 * slots without a gap from the mark on. A shorter one is what a deletion that was cut off left, or
 * a late retry put back, below the true mark, or what was in flight behind the chain's end.
 * Undefined where there is no slot.
 */
export async function startBehindOldMark(
  store: ObjectStore,
  namespace: string,
  chain: ChainName,
  lowWaterSlot: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  let longest: { start: number; end: number } | undefined;
  let run = { start: -1, end: -1 };
  for await (const { slot } of slotsFrom(store, namespace, chain, lowWaterSlot, { signal })) {
    if (slot !== run.end) run = { start: slot, end: slot };
    run.end = slot + 1;
    if (longest === undefined || run.end - run.start >= longest.end - longest.start) longest = run;
  }
  return longest?.start;
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
