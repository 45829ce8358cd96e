/**
 * server: listeners, connections, framing, pipelining, limits and dispatch to handlers.
 * Invariant: responses leave in request order; large frames are paid for first; onSent runs once.
 * Upstream: handlers and all below. Downstream: broker.ts.
 * May import: runtime, bytes, config, protocol, handlers.
 * @module
 */
export * from "./api_stats.ts";
export type { ConnectionView } from "./connection.ts";
export * from "./server.ts";
