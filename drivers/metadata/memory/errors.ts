import { MetadataError } from "../../../core/metadata/metadata_store.ts";

export function closedError(): MetadataError {
  return new MetadataError("fatal", "the metadata store is closed");
}

export function disconnectedError(): MetadataError {
  return new MetadataError("retry", "the metadata store is unreachable");
}

export function lostLeaseError(): MetadataError {
  return new MetadataError("retry", "the lease of this write is lost");
}
