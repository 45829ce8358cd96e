/**
 * protocol: bytes <-> messages: frames, headers, one schema per API, record batches, error codes.
 * Invariant: bytes of a peer cause a message or a MalformedError, and memory in proportion to them.
 * Upstream: bytes, runtime. Downstream: storage, log, handlers, server and all between.
 * May import: runtime, bytes, config.
 * @module
 */
export * from "./api.ts";
export * from "./errors.ts";
