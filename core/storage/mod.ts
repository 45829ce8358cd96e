/**
 * storage: the ObjectStore contract, every key layout, manifests, the block cache; in wal/ the
 * commit log chain, in segment/ the `.kfs` format.
 * Invariant: what is stored carries magic, version and CRC-32C, and is verified when it is read
 * back.
 * Upstream: bytes, runtime. Downstream: log, cluster, broker; drivers implement ObjectStore.
 * May import: runtime, bytes, config, protocol.
 * @module
 */
export * from "./object_store.ts";
export * from "./keys.ts";
export * from "./manifest.ts";
export * from "./manifest_store.ts";
export * from "./block_cache.ts";
