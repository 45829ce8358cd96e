/**
 * fsck: whether a bucket and its metadata are whole, and what is left over in them; for the command
 * line, tests and simulation. No broker uses it.
 * Invariant: a check changes nothing; a repair deletes only what is proven to be needed by nobody;
 * memory grows with the number of partitions and WAL slots, never with the data.
 * Upstream: storage (formats, keys), metadata, groups (committed offsets). Downstream: plugins.
 * May import: runtime, bytes, config, protocol, storage, metadata, groups.
 * @module
 */
export * from "./finding.ts";
export { fsck, fsckAndRepair, type FsckOptions, isDoubtful, UnknownTopicError } from "./fsck.ts";
export { brokersAtWork } from "./liveness.ts";
export type { Depth } from "./context.ts";
