import type { Entry, MetadataStore, Op } from "./metadata_store.ts";
import { MetadataError } from "./metadata_store.ts";

/** Rivals of one key are few; losing this often means that something else is wrong. */
const ATTEMPTS_MAX = 100;

/**
 * Changes one key by compare-and-set, trying again when a rival was faster. `change` sees the
 * present entry and returns the new value with the result to hand back, or only the result when
 * nothing is to be written. It may be called several times and must not have effects of its own.
 */
export async function changeKey<T>(
  store: MetadataStore,
  key: string,
  change: (entry: Entry | undefined) => { value?: Uint8Array; result: T },
): Promise<T> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const entry = await store.get(key);
    const { value, result } = change(entry);
    if (value === undefined) return result;
    const put: Op = { put: key, value };
    const outcome = await store.commit({
      if: [{ key, revision: entry?.revision ?? 0 }],
      then: [put],
    });
    if (outcome.ok) return result;
  }
  throw new MetadataError("retry", `metadata key ${key} changes too fast to be updated`);
}
