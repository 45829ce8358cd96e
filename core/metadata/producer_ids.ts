import { invariant } from "../runtime/mod.ts";
import { changeKey } from "./cas.ts";
import { seal, unseal } from "./envelope.ts";
import { PRODUCER_IDS_KEY } from "./keys.ts";
import type { MetadataStore } from "./metadata_store.ts";
import { PRODUCER_ID_COUNTER } from "./records.ts";

/** Ids reserved at once: a crash wastes at most so many of 2^53, and most calls need no commit. */
const BLOCK_IDS = 1000;

/** More than a cluster gives out in one generation of its metadata; 2^53 has 8,192 of it. */
const GENERATION_IDS = 2 ** 40;

/** Metadata went back: leaps to ids that were given out in no generation before this one. */
export function leapProducerIds(store: MetadataStore, generation: number): Promise<void> {
  return changeKey(store, PRODUCER_IDS_KEY, (entry) => {
    const counter = entry && unseal(PRODUCER_ID_COUNTER, entry.key, entry.value);
    const present = counter?.next_id ?? 0;
    const next_id = Math.max(present, generation * GENERATION_IDS);
    if (next_id === present) return { result: undefined };
    return { value: seal(PRODUCER_ID_COUNTER, { next_id }), result: undefined };
  });
}

/**
 * Producer ids, each given out once in the life of the cluster: a block is reserved by
 * compare-and-set before its first id is used, and what is left of it at a crash is lost.
 */
export class ProducerIds {
  #next = 0;
  #end = 0;
  #reserving: Promise<void> | undefined;

  constructor(private readonly store: MetadataStore) {}

  /** A new id. Rejects with a MetadataError when a block is needed and cannot be reserved. */
  async next(): Promise<number> {
    while (this.#next >= this.#end) {
      this.#reserving ??= this.#reserve().finally(() => this.#reserving = undefined);
      await this.#reserving;
    }
    return this.#next++;
  }

  async #reserve(): Promise<void> {
    const start = await changeKey(this.store, PRODUCER_IDS_KEY, (entry) => {
      const counter = entry && unseal(PRODUCER_ID_COUNTER, entry.key, entry.value);
      const result = counter?.next_id ?? 0;
      return { value: seal(PRODUCER_ID_COUNTER, { next_id: result + BLOCK_IDS }), result };
    });
    invariant(start >= this.#end, "producer ids go back");
    this.#next = start;
    this.#end = start + BLOCK_IDS;
  }
}
