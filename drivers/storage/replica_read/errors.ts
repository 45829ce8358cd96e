import { StoreError } from "../../../core/storage/object_store.ts";

/** The replica was given up for this read; nobody but its breaker hears of it. */
export function tooSlowError(): StoreError {
  return new StoreError("retry", "the read replica took too long");
}

export function abortedError(signal: AbortSignal): StoreError {
  return new StoreError("retry", "the read was aborted", { cause: signal.reason });
}
