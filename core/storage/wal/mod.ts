/**
 * storage/wal: the commit log chain: the log and the fence in one (DESIGN 1).
 * Invariant: I1, I3, I5: a slot is written once, committed in order, and answered with one result.
 * Upstream: bytes, runtime, protocol (error codes), ObjectStore. Downstream: log, cluster, broker.
 * May import: bytes, runtime, protocol, storage.
 * @module
 */
export * from "./chain.ts";
export * from "./commit.ts";
export * from "./format.ts";
export * from "./seal.ts";
export * from "./slab_pool.ts";
export * from "./slot_reader.ts";
