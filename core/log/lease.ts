export type { CacheLease as Lease } from "../storage/block_cache.ts";
