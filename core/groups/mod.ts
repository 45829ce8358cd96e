/**
 * groups: consumer groups of the classic protocol and the offsets that groups commit.
 * Invariant: one synchronous step decides; what an answer needs is stored first, by comparison
 * (I7).
 * Upstream: runtime, bytes, config, protocol, metadata. Downstream: transactions, handlers, broker.
 * May import: runtime, bytes, config, protocol, metadata.
 * @module
 */
export * from "./coordinator.ts";
export * from "./requests.ts";
export * from "./group_settings.ts";
