/**
 * groups: consumer groups of the classic protocol and the offsets that groups commit.
 * Invariant: a group changes in one synchronous step; what a reply depends on is stored first, by
 * compare-and-set on the group's head (I7); a metadata outage stops neither heartbeats nor running
 * members (I10).
 * Upstream: runtime, bytes, config, protocol, metadata. Downstream: transactions, handlers, broker.
 * May import: runtime, bytes, config, protocol, metadata.
 * @module
 */
export * from "./coordinator.ts";
export * from "./requests.ts";
export * from "./group_settings.ts";
