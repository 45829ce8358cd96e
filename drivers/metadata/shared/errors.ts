import { MetadataError } from "../../../core/metadata/metadata_store.ts";

export function closedError(): MetadataError {
  return new MetadataError("fatal", "the connection to the metadata store is closed");
}
