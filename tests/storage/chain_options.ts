import type { Runtime } from "../../core/runtime/mod.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import type { ChainOptions } from "../../core/storage/wal/chain_options.ts";
import { NO_MARK } from "../../core/storage/wal/format.ts";
import { SlabPool } from "../../core/storage/wal/slab_pool.ts";

/** The chain of broker 1's incarnation 4, which sends at once; nobody hears what becomes of it. */
export function chainOptions(runtime: Runtime, store: ObjectStore): ChainOptions {
  return {
    runtime,
    store,
    namespace: "ns",
    brokerId: 1,
    brokerEpoch: 4,
    metadataMark: () => NO_MARK,
    pool: new SlabPool(2),
    commitBytes: 1 << 20,
    parallel: 2,
    spacingMs: 0,
    uncommittedBytesMax: 8 << 20,
    onCommitted: () => {},
    onFenced: () => {},
  };
}
