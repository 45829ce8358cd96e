/** What a chain is made with. */
import type { Runtime } from "../../runtime/runtime.ts";
import type { ObjectStore } from "../object_store.ts";
import type { Commit, WalObject } from "./commit.ts";
import type { MetadataMark } from "./format.ts";
import type { Slabs } from "./slab_pool.ts";

export interface ChainOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly namespace: string;
  readonly brokerId: number;
  readonly brokerEpoch: number;
  /** Where metadata is, for who finds an older one there. */
  readonly metadataMark: () => MetadataMark;
  readonly pool: Slabs;
  /** Bytes of one slot's body at which it is sent at once. */
  readonly commitBytes: number;
  /** Uploads in flight at most (K). */
  readonly parallel: number;
  /** Time between two sends while commits are not full, on the whole; see pace.ts. */
  readonly spacingMs: number;
  /** Uncommitted bytes at which `room` makes producers wait. */
  readonly uncommittedBytesMax: number;
  /** A data slot is committed; before its rows reach their sinks. Takes over the commit's slabs. */
  readonly onCommitted: (object: WalObject, commit: Commit) => void;
  /** The chain belongs to somebody else now; called once. */
  readonly onFenced: () => void;
}
