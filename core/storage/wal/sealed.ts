import { slotKey } from "../keys.ts";
import type { WalChain } from "./chain.ts";
import { decodeSlotHeader, WAL_HEADER_BYTES } from "./format.ts";

/**
 * Whether others have sealed the chain by now. False is proof: at some moment since the call nobody
 * had, so whoever seals it later reads after that what was written before. A seal takes the first
 * slot that is free, and all before the one that is looked at are taken. StoreErrors pass through.
 */
export async function isSealed(chain: WalChain): Promise<boolean> {
  const { store, namespace, brokerId, brokerEpoch } = chain.options;
  const slot = chain.nextSlot;
  await chain.flush();
  if (chain.ended !== 0) return true;
  const key = slotKey(namespace, brokerId, brokerEpoch, slot);
  const header = await store.get(key, { start: 0, end: WAL_HEADER_BYTES });
  return header !== undefined && decodeSlotHeader(header).kind === "seal";
}
