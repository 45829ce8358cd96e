/**
 * The chain of another incarnation, as a follower reads it: slot after slot, so what it has read is
 * committed (slot n is when 0…n exist), and nothing behind the first slot that isn't there.
 *
 * A slot that is absent is "not yet": not written, not replicated to where this broker reads, or
 * deleted below a low-water mark that is not known here yet. Nothing is concluded from it.
 */
import type { ChainRef } from "../metadata/assignments.ts";
import { MalformedError } from "../bytes/mod.ts";
import { chainPrefix, slotKey, slotOfKey } from "../storage/keys.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import type { BlockCache } from "../storage/block_cache.ts";
import type { WalObject } from "../storage/wal/commit.ts";
import type { SlotFooter } from "../storage/wal/format.ts";
import { readSlotFooter, readWholeSlot } from "../storage/wal/slot_reader.ts";
import type { TailEntry } from "../log/tail.ts";

/** Slots that are asked for at once while there are more; one where the last ask found none. */
const WINDOW_MAX = 4;
/** Footers that are read at once on the way to the chain's end. */
const FOOTERS_PARALLEL = 16;

export interface FollowedChainOptions {
  readonly store: Pick<ObjectStore, "get" | "list">;
  readonly cache: BlockCache;
  readonly namespace: string;
  readonly chain: ChainRef;
  /** Batches that are kept at most; beyond it those of the oldest slots go. */
  readonly batchesMax: number;
  /** Slots below it are covered by manifests, as far as it is known here. */
  readonly lowWaterSlot: () => number;
  /** Whether somebody here reads the partition. */
  readonly follows: (name: string) => boolean;
  /** The oldest batches of the partition are not kept any more. */
  readonly forgot: (name: string) => void;
  readonly signal: AbortSignal;
}

/** Figures; they only grow. */
export interface FollowStats {
  /** Slots that were read. */
  slots: number;
  /** Asked for in vain: the chain had no more. */
  misses: number;
}

/** Which batches a slot brought, to forget them by. */
interface KeptSlot {
  readonly slot: number;
  readonly names: readonly string[];
  readonly batches: number;
}

/** A partition by its topic's id and its number. */
export function partitionName(topicId: string, partition: number): string {
  return `${topicId}/${partition}`;
}

export class FollowedChain {
  #next = 0;
  #window = 1;
  /** Where the chain's end may be far: it is listed before single slots are asked for. */
  #far = true;
  #sealed = false;
  #batches = 0;
  readonly #kept: KeptSlot[] = [];
  readonly #entries = new Map<string, TailEntry[]>();

  constructor(readonly options: FollowedChainOptions, readonly stats: FollowStats) {}

  /** Committed batches of a partition in this chain, in offset order, as far as they are kept. */
  entries(name: string): readonly TailEntry[] {
    return this.#entries.get(name) ?? [];
  }

  get batches(): number {
    return this.#batches;
  }

  /** It ends here: nothing more is committed in it. */
  get sealed(): boolean {
    return this.#sealed;
  }

  /** The end may be far: it has not been listed since the last rest, or not been read up to. */
  get far(): boolean {
    return this.#far;
  }

  /** Nobody has looked for a while: the next advance begins with a listing. */
  rest(): void {
    this.#far = true;
  }

  /**
   * Reads on; resolves to whether there was anything. Where it was more than one ask brings, the
   * next call goes on. StoreErrors pass through; what was read before stays.
   */
  async advance(): Promise<boolean> {
    this.trim();
    if (this.#sealed) return false;
    const from = this.#next;
    if (this.#far) await this.#catchUp();
    else await this.#ask();
    return this.#next > from || this.#sealed;
  }

  /** Forgets what manifests cover by now, and goes on behind it. */
  trim(): void {
    const low = this.options.lowWaterSlot();
    while (this.#kept.length > 0 && this.#kept[0]!.slot < low) this.#forget(this.#kept.shift()!);
    if (this.#next >= low) return;
    this.#next = low;
    // What looked like the end was put there late, below the mark.
    this.#sealed = false;
    this.#far = true;
  }

  async #catchUp(): Promise<void> {
    const { store, namespace, chain: { brokerId, brokerEpoch }, signal } = this.options;
    const prefix = chainPrefix(namespace, brokerId, brokerEpoch);
    const before = this.#next === 0 ? undefined : this.#key(this.#next - 1);
    const sizes: number[] = [];
    for await (const { key, size } of store.list(prefix, before, { signal })) {
      if (slotOfKey(key) !== this.#next + sizes.length) break;
      sizes.push(size);
    }
    this.stats.misses += sizes.length === 0 ? 1 : 0;
    for (let from = 0; from < sizes.length && !this.#sealed; from += FOOTERS_PARALLEL) {
      const first = this.#next;
      const footers = await Promise.all(
        sizes.slice(from, from + FOOTERS_PARALLEL).map((size, at) =>
          readSlotFooter(store, this.#key(first + at), size, { signal, staleOk: true })
        ),
      );
      for (const [at, footer] of footers.entries()) {
        if (footer === undefined) return;
        if (!this.#add(footer, sizes[from + at]!)) return;
      }
    }
    this.#far = false;
  }

  /** Whole slots: most of what is read here is what consumers come for next. */
  async #ask(): Promise<void> {
    const { store, cache, signal, follows } = this.options;
    const first = this.#next;
    const asked = await Promise.allSettled(
      Array.from(
        { length: this.#window },
        (_, at) => readWholeSlot(store, this.#key(first + at), { signal, staleOk: true }),
      ),
    );
    this.#window = Math.min(WINDOW_MAX, this.#window * 2);
    for (const [at, outcome] of asked.entries()) {
      if (outcome.status === "rejected") throw outcome.reason;
      if (outcome.value === undefined) {
        this.stats.misses++;
        this.#window = 1;
        return;
      }
      const { bytes, footer } = outcome.value;
      if (!this.#add(footer, bytes.length)) return;
      const wanted = footer.partitions.some(({ topicId, partition }) =>
        follows(partitionName(topicId, partition))
      );
      if (wanted) cache.insert(this.#key(first + at), [bytes], () => {});
    }
  }

  /** Takes the next slot; false where it is the seal. */
  #add(footer: SlotFooter, size: number): boolean {
    const slot = this.#next;
    const { chain: { brokerId, brokerEpoch }, batchesMax } = this.options;
    if (footer.slot !== slot) throw new MalformedError("a WAL slot lies under another one's key");
    if (footer.kind === "seal") {
      this.#sealed = true;
      return false;
    }
    if (footer.brokerId !== brokerId || footer.brokerEpoch !== brokerEpoch) {
      throw new MalformedError("a WAL slot lies in another broker's chain");
    }
    const objects = footer.kind === "adoption"
      ? footer.objects.map((key) => this.#object(key, 0, -1, footer.createdMs))
      : [this.#object(this.#key(slot), size, slot, footer.createdMs)];
    let batches = 0;
    const names: string[] = [];
    for (const { topicId, partition, rows } of footer.partitions) {
      const name = partitionName(topicId, partition);
      names.push(name);
      batches += rows.length;
      let entries = this.#entries.get(name);
      if (entries === undefined) this.#entries.set(name, entries = []);
      for (const row of rows) {
        const object = objects[row.object]!;
        object.size = Math.max(object.size, row.position + row.length);
        entries.push({ row, object, adoption: undefined });
      }
    }
    this.#next = slot + 1;
    this.stats.slots++;
    this.#batches += batches;
    this.#kept.push({ slot, names, batches });
    while (this.#batches > batchesMax && this.#kept.length > 0) {
      this.#forget(this.#kept.shift()!);
    }
    return true;
  }

  /** Slots are forgotten in their order, so a partition's batches go from the front. */
  #forget({ slot, names, batches }: KeptSlot): void {
    this.#batches -= batches;
    for (const name of names) {
      const entries = this.#entries.get(name)!;
      let count = 0;
      while (count < entries.length && entries[count]!.object.slot <= slot) count++;
      if (count === entries.length) this.#entries.delete(name);
      else entries.splice(0, count);
      this.options.forgot(name);
    }
  }

  #key(slot: number): string {
    const { namespace, chain: { brokerId, brokerEpoch } } = this.options;
    return slotKey(namespace, brokerId, brokerEpoch, slot);
  }

  #object(key: string, size: number, slot: number, createdMs: number): WalObject {
    return { key, size, chainEpoch: this.options.chain.brokerEpoch, slot, createdMs, live: 0 };
  }
}
