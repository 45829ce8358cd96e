/**
 * config: the one table of settings, the effective configuration made from it, fixed limits.
 * Invariant: a setting has one row in the table; every parser, flag, doc and answer comes from it.
 * Upstream: runtime. Downstream: every other room.
 * May import: runtime, bytes, and zod.
 * @module
 */
export * from "./address.ts";
export * from "./config.ts";
export * from "./limits.ts";
export { processBrokers } from "./process_brokers.ts";
export * from "./redacted.ts";
export * from "./settings.ts";
