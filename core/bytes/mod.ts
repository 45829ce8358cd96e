/**
 * bytes: cursors over byte arrays, CRC-32C, gather lists; the byte order of the wire and of stored
 * formats.
 * Invariant: a Reader never reads outside its range and never allocates what the range cannot hold.
 * Upstream: runtime. Downstream: config, protocol, storage and all above.
 * May import: runtime.
 * @module
 */
export * from "./reader.ts";
export * from "./writer.ts";
export * from "./crc32c.ts";
export * from "./gather.ts";
export * from "./uuid.ts";
