/**
 * metadata: what the cluster agrees on, as typed records on a linearizable key-value store: topics
 * and their configs, brokers and their chains, producer id blocks.
 * Invariant: shared state changes by compare-and-set only (I7); a deleted topic never comes back
 * (I8); every value carries magic, version and CRC.
 * Upstream: runtime, bytes, config, protocol. Downstream: log, cluster, groups, transactions,
 * security, handlers; drivers implement MetadataStore. May import: runtime, bytes, config,
 * protocol.
 * @module
 */
export * from "./metadata_store.ts";
export * from "./keys.ts";
export * from "./envelope.ts";
export * from "./records.ts";
export * from "./topics.ts";
export * from "./topic_config.ts";
export * from "./brokers.ts";
export * from "./producer_ids.ts";
