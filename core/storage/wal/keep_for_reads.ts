import type { BlockCache } from "../block_cache.ts";
import type { Commit, WalObject } from "./commit.ts";

/** A commit this small is copied out of its slab, which then serves the next commit at once. */
const SMALL_COMMIT_BYTES = 128 << 10;

/** A committed slot serves reads from memory until it is evicted. */
export function keepForReads(cache: BlockCache, object: WalObject, commit: Commit): void {
  if (commit.bytes <= SMALL_COMMIT_BYTES) {
    cache.insertCopy(object.key, commit.parts());
    commit.release();
  } else {
    cache.insert(object.key, commit.parts(), () => commit.release());
  }
}
