/**
 * cluster: who leads what: incarnations, recovery of earlier chains, adoption, and the view of the
 * cluster that clients are told.
 * Invariant: I1, I3: nothing committed is left behind by a take-over, and a sealed chain
 * acknowledges nothing.
 * Upstream: storage (seal), metadata (broker epochs and chains), log (recovered entries).
 * Downstream: broker.
 * May import: runtime, bytes, config, protocol, storage, metadata, log.
 * @module
 */
export * from "./recovery.ts";
export * from "./single_node.ts";
