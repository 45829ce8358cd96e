/** How far metadata was when the log was written last, as the bucket tells. */
import { MalformedError } from "../../bytes/mod.ts";
import { slotKey } from "../keys.ts";
import type { ObjectStore } from "../object_store.ts";
import { type ChainName, slotsFrom } from "./chains.ts";
import { type MetadataMark, NO_MARK } from "./format.ts";
import { readSlotFooter } from "./slot_reader.ts";

/** Whether `a` was written behind `b`. */
export function isLater(a: MetadataMark, b: MetadataMark): boolean {
  return a.generation > b.generation ||
    (a.generation === b.generation && a.revision > b.revision);
}

export function laterOf(a: MetadataMark, b: MetadataMark): MetadataMark {
  return isLater(a, b) ? a : b;
}

/**
 * The latest mark in the chain's last slots; undefined where it has none from `from` on. Marks rise
 * along a chain, but for its seal, which says nothing: so two slots are read, whatever there is.
 */
export async function newestMark(
  store: ObjectStore,
  namespace: string,
  chain: ChainName,
  from: number,
  signal: AbortSignal,
): Promise<MetadataMark | undefined> {
  let last: { slot: number; size: number }[] = [];
  for await (const each of slotsFrom(store, namespace, chain, from, { signal })) {
    last = [...last.slice(-1), each];
  }
  if (last.length === 0) return undefined;
  const marks = await Promise.all(last.map(async ({ slot, size }) => {
    const key = slotKey(namespace, chain.brokerId, chain.brokerEpoch, slot);
    try {
      return (await readSlotFooter(store, key, size, { signal }))?.metadata ?? NO_MARK;
    } catch (error) {
      // whoever needs the slot will say so
      if (error instanceof MalformedError) return NO_MARK;
      throw error;
    }
  }));
  return marks.reduce(laterOf);
}
