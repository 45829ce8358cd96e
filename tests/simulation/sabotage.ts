/**
 * Faults planted into a broker on purpose: a simulation that doesn't see them sees nothing. Each
 * stands for a mistake that an implementation of the cluster could make.
 */
import type { MetadataStore } from "../../core/metadata/metadata_store.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { ASSIGNMENTS_PREFIX } from "../../core/metadata/keys.ts";
import { chainsPrefix } from "../../core/storage/keys.ts";
import { decodeSlotHeader, WAL_HEADER_BYTES } from "../../core/storage/wal/format.ts";

export interface Sabotage {
  store?(store: ObjectStore, namespace: string, brokerId: number): ObjectStore;
  metadata?(metadata: MetadataStore): MetadataStore;
}

/** Takes over without sealing: other brokers' chains only seem to be sealed (breaks I3). */
export const WITHOUT_SEALS: Sabotage = {
  store: (store, namespace, brokerId) => ({
    ...bound(store),
    putIfAbsent: (key, body, options) => {
      const foreign = key.includes("/.wal/") && !key.startsWith(chainsPrefix(namespace, brokerId));
      const header = body[0]!.subarray(0, WAL_HEADER_BYTES);
      if (foreign && decodeSlotHeader(header).kind === "seal") return Promise.resolve("created");
      return store.putIfAbsent(key, body, options);
    },
  }),
};

/** Writes what it wants to be the leader of, whatever is there by now (breaks I7). */
export const BLIND_WRITES: Sabotage = {
  metadata: (metadata) => ({
    ...boundMetadata(metadata),
    commit: (tx) => {
      const compares = tx.if.filter(({ key }) => !key.startsWith(ASSIGNMENTS_PREFIX));
      return metadata.commit({ ...tx, if: compares });
    },
  }),
};

function bound(store: ObjectStore): ObjectStore {
  return {
    advice: store.advice,
    putIfAbsent: (key, body, options) => store.putIfAbsent(key, body, options),
    put: (key, body, options) => store.put(key, body, options),
    get: (key, range, options) => store.get(key, range, options),
    delete: (keys, options) => store.delete(keys, options),
    list: (prefix, startAfter, options) => store.list(prefix, startAfter, options),
    close: () => store.close(),
  };
}

export function boundMetadata(metadata: MetadataStore): MetadataStore {
  return {
    get: (key) => metadata.get(key),
    list: (prefix) => metadata.list(prefix),
    commit: (tx) => metadata.commit(tx),
    lease: (ttlMs) => metadata.lease(ttlMs),
    watch: (prefix, from, signal) => metadata.watch(prefix, from, signal),
    snapshot: () => metadata.snapshot(),
    restore: (from) => metadata.restore(from),
    close: () => metadata.close(),
  };
}
