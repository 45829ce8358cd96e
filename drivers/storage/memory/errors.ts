import { StoreError } from "../../../core/storage/object_store.ts";

export function closedError(): StoreError {
  return new StoreError("fatal", "the memory store is closed");
}

export function abortedError(signal: AbortSignal): StoreError {
  return new StoreError("retry", "the call on the memory store was aborted", {
    cause: signal.reason,
  });
}
