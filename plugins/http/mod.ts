/**
 * http: the HTTP server that plugins share, the form of its answers, and the check of tokens.
 * Invariant: requests, bodies and the time of an answer have bounds; errors are JSON with one
 * sentence.
 * Upstream: runtime, plugin. Downstream: host, metrics, ops, control.
 * May import: core/runtime, core/plugin, node's crypto.
 * @module
 */
export * from "./answers.ts";
export * from "./bearer.ts";
export * from "./server.ts";
