/**
 * segment: the formats of `.kfs` and `.index`, as any KafScale reader knows them.
 * Invariant: what was written decodes to itself; what does not verify is a MalformedError.
 * Upstream: bytes. Downstream: log (rewriting, reading), dump.
 * May import: runtime, bytes.
 * @module
 */
export * from "./kfs.ts";
export * from "./index.ts";
