/**
 * http: the HTTP server that plugins share, and the form of its answers.
 * Invariant: requests, bodies and the time of an answer have bounds; errors are JSON with one
 * sentence.
 * Upstream: runtime, plugin. Downstream: host, metrics, ops.
 * May import: core/runtime, core/plugin.
 * @module
 */
export * from "./answers.ts";
export * from "./server.ts";
