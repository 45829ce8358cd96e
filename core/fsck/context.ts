import type { Config } from "../config/mod.ts";
import type { MetadataStore } from "../metadata/metadata_store.ts";
import type { Assignments } from "./catalog.ts";
import type { Bucket } from "./bucket.ts";
import type { Finding, Looked } from "./finding.ts";

/**
 * - `quick`: objects' ends and indexes; no body is read.
 * - `normal`: whole segments, their CRC-32C and their batches' headers.
 * - `deep`: also every batch's own CRC-32C, those in the commit log included.
 */
export type Depth = "quick" | "normal" | "deep";

/** What all parts of a check share. */
export interface Context {
  readonly bucket: Bucket;
  readonly config: Config;
  readonly namespace: string;
  /** The metadata as it is now; asked for again where what was read may have become old. */
  readonly metadata: () => Promise<MetadataStore>;
  /** As they were after the commit log was listed. */
  readonly assignments: Assignments;
  readonly depth: Depth;
  readonly looked: Looked;
  readonly found: (finding: Finding) => void;
  /** The share of partitions that were looked at. */
  readonly onProgress: (share: number) => void;
}
