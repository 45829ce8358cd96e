/** From the library's exceptions to `StoreError`s; what a store answers is in answers.ts. */
import { StoreError } from "../../../core/storage/object_store.ts";

/** What the library throws of itself: it does not understand an answer, or refuses a name. */
export function libraryError(error: unknown, what: string): StoreError {
  if (error instanceof StoreError) return error;
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new StoreError("retry", `${what}: ${why}`, { cause: error });
}

/** The settings cannot be used with this driver. */
export function settingError(setting: string, advice: string): StoreError {
  return new StoreError("fatal", `${setting} ${advice}`);
}
