/**
 * The commit log: every chain that metadata counts on, slot by slot, and what former chains left.
 * Gives what the committed slots hold of each partition.
 */
import { MalformedError } from "../bytes/mod.ts";
import type { ChainRecord } from "../metadata/mod.ts";
import { slotKey } from "../storage/keys.ts";
import { decodeSlotHeader, type SlotFooter, WAL_HEADER_BYTES } from "../storage/wal/format.ts";
import { readSlotFooter } from "../storage/wal/slot_reader.ts";
import type { Context } from "./context.ts";
import { type Finding, finding } from "./finding.ts";
import { readAdoption } from "./wal_adoption.ts";
import { checkSlotBody } from "./wal_body.ts";
import { WalEntries } from "./wal_entries.ts";
import { checkListing, type ListedChain, listWal } from "./wal_listing.ts";

/** A seal is smaller than this. */
const SEAL_BYTES_MAX = 256;

export async function checkWal(context: Context): Promise<WalEntries> {
  const listing = await listWal(context);
  checkListing(context, listing);
  const check = new WalCheck(context, listing.chains);
  for (const chain of listing.records.chains) await check.counted(chain);
  for (const chain of listing.chains) {
    const { brokerId, brokerEpoch } = chain;
    const counted = listing.records.chains.some((record) =>
      record.brokerId === brokerId && record.epoch === brokerEpoch
    );
    if (!counted) await check.former(chain, listing.records.lastEpochs.get(brokerId));
  }
  return check.entries;
}

/** What has been read of one chain in the way that recovery would read it. */
export class WalCheck {
  readonly entries = new WalEntries();
  /** Slots whose rows are in `entries`, by themselves or by an adoption record. */
  readonly visited = new Set<string>();
  /** Slots that an adoption record names. */
  readonly named = new Set<string>();
  /** Every slot that there is, with its bytes. */
  readonly sizes = new Map<string, number>();
  readonly #chains = new Map<string, ListedChain>();

  constructor(readonly context: Context, chains: readonly ListedChain[]) {
    for (const chain of chains) {
      this.#chains.set(`${chain.brokerId}/${chain.brokerEpoch}`, chain);
      for (const [slot, size] of chain.sizes) this.sizes.set(this.#key(chain, slot), size);
    }
  }

  /** A chain that metadata lists: its slots from the low-water mark on are the log. */
  async counted({ brokerId, epoch, lowWaterSlot }: ChainRecord): Promise<void> {
    const { context } = this;
    context.looked.chains++;
    const chain = this.#chains.get(`${brokerId}/${epoch}`);
    if (chain === undefined) return;
    const slots = [...chain.sizes.keys()];
    for (const slot of slots) {
      if (slot < lowWaterSlot) await this.#below(chain, slot);
    }
    const log = slots.filter((slot) => slot >= lowWaterSlot);
    let end = lowWaterSlot;
    while (chain.sizes.has(end)) end++;
    const seal = await this.#readSlots(chain, log.filter((slot) => slot < end));
    if (seal !== undefined) return this.#void(chain, log.filter((slot) => slot > seal), true);
    const behind = log.filter((slot) => slot > end);
    if (behind.length > 0) await this.#behindGap(chain, end, behind);
  }

  /**
   * Slots behind the first free one, `gap`. A seal among them proves that all slots before it were
   * there: it went into the first free one.
   */
  async #behindGap(chain: ListedChain, gap: number, behind: readonly number[]): Promise<void> {
    const { context, entries } = this;
    const seal = await this.#firstSeal(chain, behind);
    if (seal === undefined) {
      this.#void(chain, behind, false);
      await this.#inOrder(chain, behind, (slot, footer) => {
        for (const { topicId, partition, rows } of footer.partitions) {
          const first = rows[0]?.baseOffset;
          if (first === undefined) continue;
          entries.addUncommitted(topicId, partition, first, chain.prefix, gap);
        }
        return Promise.resolve(slot >= gap);
      });
      return;
    }
    for (let slot = gap; slot < seal; slot++) {
      if (chain.sizes.has(slot)) continue;
      const text = `is gone, and its chain was sealed at slot ${seal}, behind it`;
      context.found(finding("wal-gap", this.#key(chain, slot), text));
    }
    await this.#readSlots(chain, behind.filter((slot) => slot < seal));
    this.#void(chain, behind.filter((slot) => slot > seal), true);
  }

  /** Reads committed slots; returns the slot of the first seal among them. */
  async #readSlots(chain: ListedChain, slots: readonly number[]): Promise<number | undefined> {
    let seal: number | undefined;
    await this.#inOrder(chain, slots, async (slot, footer, key) => {
      if (footer.kind === "seal") seal = slot;
      else await this.#take(footer, slot, key);
      return seal === undefined;
    });
    return seal;
  }

  async #take(footer: SlotFooter, slot: number, key: string): Promise<void> {
    const { context, entries, visited } = this;
    if (footer.kind === "adoption") {
      if (slot !== 0) {
        const text = "is an adoption record, and not the first slot of its chain";
        context.found(finding("wal-slot-misplaced", key, text));
      }
      return await readAdoption(this, footer, key);
    }
    visited.add(key);
    for (const { topicId, partition, rows } of footer.partitions) {
      for (const row of rows) entries.add(topicId, partition, row, key, footer, context.found);
    }
    if (context.depth === "deep") {
      await checkSlotBody(context, key, this.sizes.get(key)!, footer);
    }
  }

  /** Footers of `slots`, a few being read ahead, handed over in order until `take` says no. */
  async #inOrder(
    chain: ListedChain,
    slots: readonly number[],
    take: (slot: number, footer: SlotFooter, key: string) => Promise<boolean>,
  ): Promise<void> {
    const { parallel } = this.context.bucket;
    for (let at = 0; at < slots.length; at += parallel) {
      const some = slots.slice(at, at + parallel);
      const footers = await Promise.all(some.map((slot) => this.#footer(chain, slot)));
      for (const [index, slot] of some.entries()) {
        const footer = footers[index];
        if (footer === undefined) continue;
        if (!await take(slot, footer, this.#key(chain, slot))) return;
      }
    }
  }

  async #footer(chain: ListedChain, slot: number): Promise<SlotFooter | undefined> {
    const { bucket, found, looked } = this.context;
    const key = this.#key(chain, slot);
    looked.slots++;
    let footer: SlotFooter | undefined;
    try {
      footer = await readSlotFooter(bucket, key, chain.sizes.get(slot)!);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      found(finding("wal-slot-damaged", key, `cannot be read: ${error.message}`));
      return undefined;
    }
    if (footer === undefined) {
      found(finding("wal-gap", key, "was listed, and is gone"));
      return undefined;
    }
    const own = footer.brokerId === chain.brokerId && footer.brokerEpoch === chain.brokerEpoch;
    if (footer.slot === slot && (own || footer.kind === "seal")) return footer;
    const text = `says that it is slot ${footer.slot} of broker ${footer.brokerId}, epoch ` +
      `${footer.brokerEpoch}`;
    found(finding("wal-slot-misplaced", key, text));
    return undefined;
  }

  async #below(chain: ListedChain, slot: number): Promise<void> {
    if (await this.#isSeal(chain, slot)) return;
    const key = this.#key(chain, slot);
    const text = "lies below the low-water mark: all its entries are in segments";
    this.context.found(finding("wal-below-low-water", key, text, { kind: "delete", keys: [key] }));
  }

  /** Slots that were never committed; the fence of a seal makes it safe to take them away. */
  #void(chain: ListedChain, slots: readonly number[], sealed: boolean): void {
    for (const slot of slots) {
      const key = this.#key(chain, slot);
      const text = sealed
        ? "lies behind its chain's seal: never committed"
        : "lies behind the first free slot of its chain, and goes when that is sealed";
      const repair = sealed ? { kind: "delete", keys: [key] } as const : undefined;
      this.context.found(finding("wal-void", key, text, repair));
    }
  }

  /** A chain that was adopted and forgotten: of it there may be a seal, and what is named. */
  async former(chain: ListedChain, lastEpoch: number | undefined): Promise<void> {
    const { found } = this.context;
    const { brokerId, brokerEpoch, prefix } = chain;
    if (brokerEpoch > (lastEpoch ?? 0)) {
      const known = lastEpoch === undefined
        ? `it has never heard of broker ${brokerId}`
        : `the last that it gave out is ${lastEpoch}`;
      const text = `the metadata is older than the bucket, or another cluster's: ${known}`;
      return found(finding("wal-epoch-ahead", prefix, text));
    }
    const rest: string[] = [];
    let sealed = false;
    for (const slot of chain.sizes.keys()) {
      const key = this.#key(chain, slot);
      if (this.named.has(key)) continue;
      if (await this.#isSeal(chain, slot)) sealed = true;
      else rest.push(key);
    }
    if (!sealed) {
      const text = "has no seal: should its owner still run somewhere, nothing stops it";
      found(finding("wal-seal-missing", prefix, text));
    }
    for (const key of rest) found(leftover(key, sealed));
  }

  async #firstSeal(chain: ListedChain, slots: readonly number[]): Promise<number | undefined> {
    for (const slot of slots) if (await this.#isSeal(chain, slot)) return slot;
    return undefined;
  }

  async #isSeal(chain: ListedChain, slot: number): Promise<boolean> {
    if (chain.sizes.get(slot)! > SEAL_BYTES_MAX) return false;
    const range = { start: 0, end: WAL_HEADER_BYTES };
    const header = await this.context.bucket.get(this.#key(chain, slot), range);
    try {
      return header !== undefined && decodeSlotHeader(header).kind === "seal";
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      return false;
    }
  }

  #key(chain: ListedChain, slot: number): string {
    return slotKey(this.context.namespace, chain.brokerId, chain.brokerEpoch, slot);
  }
}

function leftover(key: string, sealed: boolean): Finding {
  const text = "belongs to a chain that was adopted, and no adoption record names it";
  return finding("wal-leftover", key, text, sealed ? { kind: "delete", keys: [key] } : undefined);
}
