import type { Runtime } from "../../runtime/runtime.ts";
import { sleep } from "../../runtime/sleep.ts";
import type { ObjectStore } from "../object_store.ts";
import { persist } from "../retry.ts";
import { keysOf } from "./check.ts";

/** An aborted write may still be on its way: how long one is waited for. */
const LATE_WRITE_MS = 1_000;
/** Rounds that found something after everything was deleted. */
const ROUNDS = 5;

/**
 * Deletes everything below the prefix, over passing faults; looks again after a moment. Returns how
 * many objects were left at the end, or could not be deleted: 0 unless somebody still writes.
 */
export async function removeAll(
  o: { readonly store: ObjectStore; readonly runtime: Runtime; readonly signal: AbortSignal },
  prefix: string,
): Promise<number> {
  for (let round = 1;; round++) {
    const keys = await persist(o, () => keysOf(o.store, prefix));
    if (keys.length > 0) await persist(o, () => o.store.delete(keys, o));
    else if (round > 1) return 0;
    if (round === ROUNDS) return keys.length;
    await sleep(o.runtime.timers, LATE_WRITE_MS, o.signal);
  }
}
