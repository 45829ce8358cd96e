/** From the SDK's exceptions to `StoreError`s, by name; what a store answers is in answers.ts. */
import { StoreError } from "../../../core/storage/object_store.ts";

/** `hadCredentials`: the chain has given some before, so that failing now may pass. */
export function credentialError(error: unknown, hadCredentials: boolean): StoreError {
  if (error instanceof StoreError) return error;
  const why = error instanceof Error ? error.message : String(error);
  if (hadCredentials) {
    return new StoreError("retry", `AWS credentials cannot be renewed (${why})`, { cause: error });
  }
  return new StoreError(
    "fatal",
    "there are no AWS credentials: set KAFSCALE_S3_ACCESS_KEY and KAFSCALE_S3_SECRET_KEY, or " +
      `give this process a role or a profile (${why})`,
    { cause: error },
  );
}

/** What the SDK throws of itself, on the way to a request or from its answer. */
export function sdkError(error: unknown, what: string): StoreError {
  if (error instanceof StoreError) return error;
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new StoreError("retry", `${what}: ${why}`, { cause: error });
}
