/**
 * protocol: bytes <-> messages: frames, headers, one schema per API, record batches, error codes.
 * Invariant: bytes of a peer cause a message or a MalformedError, and memory in proportion to them.
 * Upstream: bytes, runtime. Downstream: storage, log, handlers, server and all between.
 * May import: runtime, bytes, config.
 * @module
 */
export * from "./api.ts";
export * from "./errors.ts";
export * from "./apis.ts";
export * from "./batch_builder.ts";
export * from "./frame.ts";
export * from "./headers.ts";
export * from "./record_batch.ts";
export * from "./records.ts";
