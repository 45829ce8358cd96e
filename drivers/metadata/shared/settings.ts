import type { MetadataStore } from "../../../core/metadata/metadata_store.ts";
import type { Timers } from "../../../core/runtime/mod.ts";

export interface SharedSettings {
  /** Closed with the shared one. */
  readonly store: MetadataStore;
  /** For the leases of connections that were abandoned. */
  readonly timers: Timers;
}
