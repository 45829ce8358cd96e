/**
 * log: one partition each: append, read, producer state, leader epochs, retention; and the
 * background work that turns WAL into segments.
 * Invariant: I2, I4, I6: dense offsets given once, a high watermark that only committed slots move,
 * retries recognised.
 * Upstream: storage (WAL chain, segments, manifests, block cache), metadata (topics and their
 * settings), protocol (record batches). Downstream: handlers, broker.
 * May import: runtime, bytes, config, protocol, storage, metadata.
 * @module
 */
export * from "./log_manager.ts";
export * from "./partition.ts";
