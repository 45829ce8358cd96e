/**
 * What lies in the chains of former incarnations for nothing: slots that a late write put below a
 * low-water mark or into a chain that was forgotten, and void ones behind a seal there. Seals stay
 * for ever (DESIGN 1).
 */
import { MalformedError } from "../bytes/mod.ts";
import { type BrokerChains, readAllChains } from "../metadata/brokers.ts";
import type { MetadataStore } from "../metadata/metadata_store.ts";
import { chainSlotOfKey, slotKey, walPrefix } from "../storage/keys.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import { decodeSlotHeader, type SlotKind, WAL_HEADER_BYTES } from "../storage/wal/format.ts";

/** A seal is smaller than this; larger objects need not be looked into. */
const SEAL_BYTES_MAX = 256;
const DELETE_BATCH = 500;

export interface FormerChainsOptions {
  readonly store: ObjectStore;
  readonly metadata: MetadataStore;
  readonly namespace: string;
  readonly signal: AbortSignal;
}

/** Deletes what nobody can need; returns how many slots that were. */
export async function sweepFormerChains(o: FormerChainsOptions): Promise<number> {
  const { store, metadata, namespace, signal } = o;
  const found: { key: string; size: number }[] = [];
  for await (const each of store.list(walPrefix(namespace), undefined, { signal })) {
    found.push(each);
  }
  // Read after the listing: what is in the bucket by then has its chain's record.
  const brokers = new Map((await readAllChains(metadata)).map((each) => [each.brokerId, each]));
  const adopting = new Map<number, Promise<boolean>>();
  const dead: string[] = [];
  for (const { key, size } of found) {
    const at = chainSlotOfKey(namespace, key);
    const broker = at && brokers.get(at.brokerId);
    if (at === undefined || broker === undefined || at.brokerEpoch > broker.lastEpoch) continue;
    const record = broker.chains.find(({ epoch }) => epoch === at.brokerEpoch);
    if (record !== undefined && at.slot >= record.lowWaterSlot) continue;
    if (!adopting.has(at.brokerId)) adopting.set(at.brokerId, adopts(o, broker));
    if (await adopting.get(at.brokerId)) continue;
    if (size <= SEAL_BYTES_MAX && await kindOf(o, key) !== "data") continue;
    dead.push(key);
  }
  for (let at = 0; at < dead.length; at += DELETE_BATCH) {
    await store.delete(dead.slice(at, at + DELETE_BATCH), { signal });
  }
  return dead.length;
}

/** Whether an adoption record of a broker that led alone may name slots of forgotten chains. */
async function adopts(o: FormerChainsOptions, { brokerId, chains }: BrokerChains) {
  for (const { epoch, lowWaterSlot } of chains) {
    if (lowWaterSlot > 0) continue;
    if (await kindOf(o, slotKey(o.namespace, brokerId, epoch, 0)) === "adoption") return true;
  }
  return false;
}

/** Undefined where there is no slot that can be read. */
async function kindOf(o: FormerChainsOptions, key: string): Promise<SlotKind | undefined> {
  const range = { start: 0, end: WAL_HEADER_BYTES };
  const header = await o.store.get(key, range, { signal: o.signal });
  if (header === undefined) return undefined;
  try {
    return decodeSlotHeader(header).kind;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return undefined;
  }
}
