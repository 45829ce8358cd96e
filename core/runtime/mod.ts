/**
 * runtime: time, timers, randomness, sockets and the log as one injected `Runtime`; assertions.
 * Invariant: nothing in core is non-deterministic except through a Runtime; only system.ts is
 * ambient.
 * Upstream: nothing. Downstream: every room.
 * May import: nothing.
 * @module
 */
export * from "./repeater.ts";
export * from "./runtime.ts";
export * from "./assert.ts";
export * from "./deferred.ts";
export * from "./histogram.ts";
export * from "./in_time.ts";
export * from "./latency_histogram.ts";
export * from "./loop_delay.ts";
export * from "./semaphore.ts";
export * from "./sleep.ts";
export * from "./unless_aborted.ts";
