/**
 * Which WAL objects are still needed, and the deletion of the others: own slots only as a prefix of
 * the chain, after its low-water mark was raised (recovery never looks below it, where a late retry
 * could put a slot back); slots of sealed chains one by one. Seals are never deleted (DESIGN 1).
 */
import { MalformedError } from "../bytes/mod.ts";
import { MetadataError } from "../metadata/metadata_store.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { decodeSlotHeader, WAL_HEADER_BYTES } from "../storage/wal/format.ts";
import { slotOfKey } from "../storage/keys.ts";
import { type ObjectInfo, type ObjectStore, StoreError } from "../storage/object_store.ts";
import type { WalObject } from "../storage/wal/commit.ts";

/** Keys deleted with one call. */
const DELETE_BATCH = 500;
/** A seal is smaller than this; larger leftovers need not be looked into. */
const SEAL_BYTES_MAX = 256;

export interface WalLedgerOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  /** Records in metadata that own slots below `slot` are gone; resolves when that is durable. */
  readonly raiseLowWater: (slot: number) => Promise<void>;
  readonly forget: (key: string) => void;
  readonly signal: AbortSignal;
}

export class WalLedger {
  /** Own slots in slot order; the adoption record, if any, is the first. */
  readonly #own: WalObject[] = [];
  /** Slots of earlier chains that still held entries at take-over. */
  #adopted: WalObject[] = [];
  #bytes = 0;
  /** Own slots below it are gone, as metadata has it. */
  #lowWaterSlot = 0;
  #sweeping: Promise<void> | undefined;

  constructor(readonly options: WalLedgerOptions) {}

  /** WAL objects that exist as far as this broker knows. */
  get objects(): number {
    return this.#own.length + this.#adopted.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  addOwn(object: WalObject): void {
    this.#own.push(object);
    this.#bytes += object.size;
  }

  addAdopted(object: WalObject): void {
    this.#adopted.push(object);
    this.#bytes += object.size;
  }

  /**
   * Deletes what no partition needs any more. A fault leaves it for the next call; who calls while
   * a sweep is under way shares it, since two would take each other's slots off the list.
   */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => this.#sweeping = undefined);
    return this.#sweeping;
  }

  async #sweep(): Promise<void> {
    if (this.options.signal.aborted) return;
    try {
      await this.#sweepAdopted();
      await this.#sweepOwn();
    } catch (error) {
      if (!(error instanceof StoreError) && !(error instanceof MetadataError)) throw error;
      this.options.runtime.log.debug("WAL clean-up goes on later", { error: error.message });
    }
  }

  async #sweepOwn(): Promise<void> {
    let dead = 0;
    while (dead < this.#own.length && this.#own[dead]!.live === 0) dead++;
    if (dead === 0) return;
    const gone = this.#own.slice(0, dead);
    const lowWaterSlot = gone.at(-1)!.slot + 1;
    await this.options.raiseLowWater(lowWaterSlot);
    this.#lowWaterSlot = lowWaterSlot;
    await this.#delete(gone);
    this.#own.splice(0, dead);
  }

  async #sweepAdopted(): Promise<void> {
    const gone = this.#adopted.filter((object) => object.live === 0);
    if (gone.length === 0) return;
    await this.#delete(gone);
    this.#adopted = this.#adopted.filter((object) => !gone.includes(object));
  }

  async #delete(objects: readonly WalObject[]): Promise<void> {
    const { store, forget, signal } = this.options;
    for (let at = 0; at < objects.length; at += DELETE_BATCH) {
      const batch = objects.slice(at, at + DELETE_BATCH);
      for (const { key } of batch) forget(key);
      await store.delete(batch.map(({ key }) => key), { signal });
    }
    for (const { size } of objects) this.#bytes -= size;
  }

  /**
   * Deletes what lies below `prefix` (the broker's chains) for nothing: in chains before
   * `ownPrefix` slots that no adoption names, and void ones behind a seal; in the own chain slots
   * below the low-water mark that a late write put back. Seals stay: one small object an
   * incarnation.
   */
  async sweepLeftovers(prefix: string, ownPrefix: string): Promise<number> {
    const { store, signal } = this.options;
    const leftovers: string[] = [];
    let chain: ObjectInfo[] = [];
    const endChain = async () => leftovers.push(...await this.#leftoversOf(chain));
    for await (const object of store.list(prefix, undefined, { signal })) {
      const { key } = object;
      const slot = slotOfKey(key);
      if (slot === undefined) continue;
      if (key.startsWith(ownPrefix)) {
        if (slot >= this.#lowWaterSlot) break;
        leftovers.push(key);
        continue;
      }
      if (key >= ownPrefix) break;
      if (chain.length > 0 && !sameChain(chain[0]!.key, key)) {
        await endChain();
        chain = [];
      }
      chain.push(object);
    }
    await endChain();
    for (let at = 0; at < leftovers.length; at += DELETE_BATCH) {
      await store.delete(leftovers.slice(at, at + DELETE_BATCH), { signal });
    }
    return leftovers.length;
  }

  /** Of the objects of one earlier chain. */
  async #leftoversOf(chain: readonly ObjectInfo[]): Promise<string[]> {
    // Every earlier chain is sealed, so what is alone is its seal: no need to look inside.
    if (chain.length === 1 && chain[0]!.size <= SEAL_BYTES_MAX) return [];
    const needed = new Set(this.#adopted.map(({ key }) => key));
    const leftovers: string[] = [];
    for (const { key, size } of chain) {
      if (needed.has(key)) continue;
      if (size > SEAL_BYTES_MAX || await this.#isDeletable(key)) leftovers.push(key);
    }
    return leftovers;
  }

  /** Whether it is a slot, and no seal. What is neither isn't ours to delete. */
  async #isDeletable(key: string): Promise<boolean> {
    const { store, signal } = this.options;
    const header = await store.get(key, { start: 0, end: WAL_HEADER_BYTES }, { signal });
    if (header === undefined) return false;
    try {
      return decodeSlotHeader(header).kind !== "seal";
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      return false;
    }
  }
}

function sameChain(a: string, b: string): boolean {
  return a.slice(0, a.lastIndexOf("/")) === b.slice(0, b.lastIndexOf("/"));
}
