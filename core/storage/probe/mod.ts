/**
 * storage/probe: what a store must do to carry a log, as cases that run against any store, and the
 * measuring of how fast it does it. `kafscale probe` runs them on a user's bucket, the conformance
 * tests on every driver.
 * Invariant: nothing outside of the given prefix is written or deleted; a case that finds a promise
 * broken says what was promised and what was found.
 * Upstream: ObjectStore, runtime. Downstream: the probe command, tests.
 * May import: runtime, bytes, storage.
 * @module
 */
export * from "./promise.ts";
export * from "./promises.ts";
export * from "./examine.ts";
export * from "./figures.ts";
export * from "./remove.ts";
