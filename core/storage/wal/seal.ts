/**
 * Taking a chain over (DESIGN 1): seal its first free slot, then read the footers in front of it.
 * From the moment the seal exists its owner can commit nothing more (I3); no clock is involved
 * (I11).
 */
import { COMMITS_PARALLEL_MAX } from "../../config/limits.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { slotKey } from "../keys.ts";
import { type ObjectStore, StoreError } from "../object_store.ts";
import { persist } from "../retry.ts";
import { slotsFrom } from "./chains.ts";
import { encodeSlotFooter, encodeSlotHeader, NO_MARK, type SlotFooter } from "./format.ts";
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

/** The chain as far as it is known: slot by slot from the low-water mark on, without a gap. */
interface Known {
  readonly lowWaterSlot: number;
  readonly slots: SealedSlot[];
}

/**
 * Seals the chain, if it isn't sealed, and returns its committed slots in order. Retries passing
 * faults until the signal aborts; a fatal StoreError or a slot that cannot be read is thrown.
 *
 * Slots never change, so each is listed and read once, however long the owner goes on filling the
 * one that would be sealed. They are deleted only after the low-water mark was raised above them.
 * So if it is not above the seal after that was written, no slot from the mark on was missing; else
 * the first free slot may have been one that was deleted, whose seal fences nobody, and all is done
 * again from the new mark on.
 */
export async function sealChain(o: SealerOptions, chain: ChainId): Promise<SealedSlot[]> {
  let known: Known = { lowWaterSlot: chain.lowWaterSlot, slots: [] };
  for (;;) {
    const outcome = await sealFrom(o, chain, known);
    const from = known.lowWaterSlot;
    const lowWaterSlot = Math.max(from, await o.lowWaterSlot?.(chain) ?? from);
    const slots = known.slots.slice(lowWaterSlot - from);
    const reached = lowWaterSlot <= endOf(known);
    if (outcome === "sealed" && reached) return slots;
    known = { lowWaterSlot, slots: reached ? slots : [] };
    if (lowWaterSlot > from || typeof outcome !== "number") continue;
    o.runtime.log.error("a chain's low-water mark is too old; going on from what is there", {
      ...chain,
      lowWaterSlot,
      firstSlot: outcome,
    });
    known = { lowWaterSlot: outcome, slots: [] };
  }
}

/** The slot behind those that are known. */
function endOf({ lowWaterSlot, slots }: Known): number {
  return lowWaterSlot + slots.length;
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

/** A slot vanished meanwhile; or, a slot to start from: the mark is too old. */
async function sealFrom(
  o: SealerOptions,
  chain: ChainId,
  known: Known,
): Promise<"sealed" | "vanished" | number> {
  for (let outrun = false;; outrun = true) {
    const sizes = await waiting(o, (attempt) => listSlots(o, chain, endOf(known), attempt));
    // Its owner was first in the slot, and has deleted it by now.
    if (outrun && !sizes.has(endOf(known))) return "vanished";
    if (known.slots.length === 0) {
      const start = startBehindLostMark(known.lowWaterSlot, [...sizes.keys()]);
      if (start !== undefined) return start;
    }
    let end = endOf(known);
    while (sizes.has(end)) end++;
    while (endOf(known) < end) {
      const stop = await readSlots(
        o,
        chain,
        known,
        Math.min(end, endOf(known) + READ_PARALLEL),
        sizes,
      );
      if (stop !== undefined) return stop;
    }
    // The first free slot; if its owner fills it first, the chain is longer by one: look again.
    if (await waiting(o, (attempt) => writeSeal(o, chain, end, attempt))) return "sealed";
    // An owner that is at work again would go on filling them for as long as it is read.
    if (await o.isBack?.(chain)) throw new StoreError("retry", "the chain's broker is back");
  }
}

/** Reads what is listed below `end`; what ends the chain there, if something does. */
async function readSlots(
  o: SealerOptions,
  chain: ChainId,
  known: Known,
  end: number,
  sizes: ReadonlyMap<number, number>,
): Promise<"sealed" | "vanished" | undefined> {
  const first = endOf(known);
  const batch = await Promise.all(Array.from({ length: end - first }, (_, index) => {
    const key = slotKey(o.namespace, chain.brokerId, chain.brokerEpoch, first + index);
    const size = sizes.get(first + index)!;
    return waiting(o, async (attempt) => {
      const options = { signal: o.signal, attempt };
      return { key, size, footer: await readSlotFooter(o.store, key, size, options) };
    });
  }));
  for (const { key, size, footer } of batch) {
    if (footer === undefined) return "vanished";
    if (footer.kind === "seal") return "sealed";
    known.slots.push({ key, size, footer });
  }
  return undefined;
}

/** Over passing faults; what it does must be safe to repeat. */
function waiting<T>(o: SealerOptions, call: (attempt: number) => Promise<T>): Promise<T> {
  return persist(o, call, "recovery waits for the store");
}

/** Slots from `from` on with their sizes. */
async function listSlots(
  o: SealerOptions,
  chain: ChainId,
  from: number,
  attempt: number,
): Promise<Map<number, number>> {
  const options = { signal: o.signal, attempt };
  const sizes = new Map<number, number>();
  for await (const { slot, size } of slotsFrom(o.store, o.namespace, chain, from, options)) {
    sizes.set(slot, size);
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
    metadata: NO_MARK,
  });
  const key = slotKey(o.namespace, chain.brokerId, chain.brokerEpoch, slot);
  const options = { signal: o.signal, attempt };
  const outcome = await o.store.putIfAbsent(key, [header, footer], options);
  return outcome === "created";
}
