/**
 * Taking a chain over (DESIGN 1): seal its first free slot, then read the footers in front of it.
 * From the moment the seal exists its owner can commit nothing more (I3); no clock is involved
 * (I11).
 */
import { COMMITS_PARALLEL_MAX } from "../../config/limits.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { sleep } from "../../runtime/sleep.ts";
import { chainPrefix, slotKey, slotOfKey } from "../keys.ts";
import { type ObjectStore, StoreError } from "../object_store.ts";
import { backoffMs } from "../retry.ts";
import { encodeSlotFooter, encodeSlotHeader, type SlotFooter } from "./format.ts";
import { readSlotFooter } from "./slot_reader.ts";

/** Footers read at once while recovering. */
const READ_PARALLEL = 32;

export interface ChainId {
  readonly brokerId: number;
  readonly brokerEpoch: number;
  /**
   * Slots below it are covered by manifests and never looked at: a late retry could put one back.
   */
  readonly lowWaterSlot: number;
}

export interface SealedSlot {
  readonly key: string;
  readonly size: number;
  readonly footer: SlotFooter;
}

export interface SealerOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly namespace: string;
  /** Who seals, for people who look at the bucket. */
  readonly brokerId: number;
  readonly brokerEpoch: number;
  readonly signal: AbortSignal;
  /**
   * The chain's low-water slot as metadata has it now. Its owner may be alive and deleting slots
   * while it is sealed; left out: it is known to be dead.
   */
  readonly lowWaterSlot?: (chain: ChainId) => Promise<number>;
  /** Whether the chain's owner, which was gone, lives: it is not sealed then. */
  readonly isBack?: (chain: ChainId) => Promise<boolean>;
}

/**
 * Seals the chain, if it isn't sealed, and returns its committed slots in order. Retries passing
 * faults until the signal aborts; a fatal StoreError or a slot that cannot be read is thrown.
 *
 * Slots are deleted only after the low-water mark was raised above them. So if it is still the same
 * after the slots were read, none of them was missing; else the first free slot may have been one
 * that was deleted, whose seal fences nobody, and all is done again from the new mark on.
 */
export async function sealChain(o: SealerOptions, chain: ChainId): Promise<SealedSlot[]> {
  for (let from = chain;;) {
    const slots = await sealFrom(o, from);
    const lowWaterSlot = await o.lowWaterSlot?.(chain) ?? from.lowWaterSlot;
    if (Array.isArray(slots) && lowWaterSlot <= from.lowWaterSlot) return slots;
    let next = Math.max(lowWaterSlot, from.lowWaterSlot);
    if (next === from.lowWaterSlot && typeof slots === "number") {
      o.runtime.log.error("a chain's low-water mark is too old; going on from what is there", {
        ...from,
        firstSlot: slots,
      });
      next = slots;
    }
    from = { ...chain, lowWaterSlot: next };
  }
}

/**
 * Where the chain really begins, when slots behind its low-water mark exist that cannot have been
 * in flight together with the missing one: metadata went back, and those in between were deleted.
 * Undefined where the mark is right. A slot that a late retry put back among the deleted ones is
 * passed over, unless it is that close to the end.
 */
export function startBehindLostMark(
  lowWaterSlot: number,
  slots: readonly number[],
): number | undefined {
  const last = slots.at(-1) ?? lowWaterSlot;
  if (slots[0] === lowWaterSlot || last - lowWaterSlot < COMMITS_PARALLEL_MAX) return undefined;
  let start = slots[0]!;
  for (const [at, slot] of slots.entries()) {
    const before = slots[at - 1];
    if (before !== undefined && slot !== before + 1) start = slot;
    // the run that reaches into what can have been in flight
    if (slot > last - COMMITS_PARALLEL_MAX) return start;
  }
  return start;
}

/** Undefined when a slot vanished meanwhile; a slot to start from when the mark is too old. */
async function sealFrom(
  o: SealerOptions,
  chain: ChainId,
): Promise<SealedSlot[] | number | undefined> {
  for (;;) {
    const sizes = await retried(o, (attempt) => listSlots(o, chain, attempt));
    const start = startBehindLostMark(chain.lowWaterSlot, [...sizes.keys()]);
    if (start !== undefined) return start;
    const slots: SealedSlot[] = [];
    let end = chain.lowWaterSlot;
    while (sizes.has(end)) end++;
    let sealed = false;
    for (let from = chain.lowWaterSlot; from < end && !sealed; from += READ_PARALLEL) {
      const upTo = Math.min(end, from + READ_PARALLEL);
      const batch = await Promise.all(Array.from({ length: upTo - from }, (_, index) => {
        const key = slotKey(o.namespace, chain.brokerId, chain.brokerEpoch, from + index);
        const size = sizes.get(from + index)!;
        return retried(o, async (attempt) => {
          const options = { signal: o.signal, attempt };
          return { key, size, footer: await readSlotFooter(o.store, key, size, options) };
        });
      }));
      for (const { key, size, footer } of batch) {
        if (footer === undefined) return undefined;
        sealed = footer.kind === "seal";
        if (sealed) break;
        slots.push({ key, size, footer });
      }
    }
    if (sealed) return slots;
    // The first free slot; if its owner fills it first, the chain is longer by one: look again.
    if (await retried(o, (attempt) => writeSeal(o, chain, end, attempt))) return slots;
    // An owner that is at work again would go on filling them for as long as it is read.
    if (await o.isBack?.(chain)) throw new StoreError("retry", "the chain's broker is back");
  }
}

async function listSlots(
  o: SealerOptions,
  chain: ChainId,
  attempt: number,
): Promise<Map<number, number>> {
  const prefix = chainPrefix(o.namespace, chain.brokerId, chain.brokerEpoch);
  const after = chain.lowWaterSlot === 0
    ? undefined
    : slotKey(o.namespace, chain.brokerId, chain.brokerEpoch, chain.lowWaterSlot - 1);
  const sizes = new Map<number, number>();
  for await (const { key, size } of o.store.list(prefix, after, { signal: o.signal, attempt })) {
    const slot = slotOfKey(key);
    if (slot !== undefined) sizes.set(slot, size);
  }
  return sizes;
}

/** Whether the seal is in `slot` now, by us. */
async function writeSeal(
  o: SealerOptions,
  chain: ChainId,
  slot: number,
  attempt: number,
): Promise<boolean> {
  const nonce = new Uint8Array(8);
  o.runtime.random.fill(nonce);
  const header = encodeSlotHeader("seal", nonce);
  const footer = encodeSlotFooter(header, {
    kind: "seal",
    brokerId: o.brokerId,
    brokerEpoch: o.brokerEpoch,
    slot,
    createdMs: o.runtime.clock.wallMs(),
    objects: [],
    partitions: [],
  });
  const key = slotKey(o.namespace, chain.brokerId, chain.brokerEpoch, slot);
  const options = { signal: o.signal, attempt };
  const outcome = await o.store.putIfAbsent(key, [header, footer], options);
  return outcome === "created";
}

/** Repeats `call` over passing faults; what it does must be safe to repeat. */
async function retried<T>(o: SealerOptions, call: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 0;; attempt++) {
    try {
      return await call(attempt);
    } catch (error) {
      const passing = error instanceof StoreError && error.outcome !== "fatal";
      if (!passing || o.signal.aborted) throw error;
      o.runtime.log.warn("recovery waits for the store", { attempt, error: error.message });
      await sleep(o.runtime.timers, backoffMs(o.runtime, attempt), o.signal);
    }
  }
}
