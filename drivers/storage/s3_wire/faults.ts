/** From what goes wrong on the way to a store to `StoreError`s. */
import { StoreError } from "../../../core/storage/object_store.ts";
import { settingName } from "./bucket_settings.ts";
import { ConnectFault, type Server } from "./http_pool.ts";

export function wireError(
  error: unknown,
  what: string,
  server: Server,
  settings: string,
): StoreError {
  if (error instanceof StoreError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  if (!(error instanceof ConnectFault)) {
    const cause = error instanceof Error && error.cause instanceof Error
      ? ` (${error.cause.message})`
      : "";
    return new StoreError("retry", `${what}: ${detail}${cause}`, { cause: error });
  }
  const at = `${server.hostname}:${server.port}`;
  const endpoint = settingName(settings, "ENDPOINT");
  if (error.cause instanceof Deno.errors.NotCapable) {
    const message = `${what}: Deno was not given permission to connect to ${at}`;
    return new StoreError("fatal", message, { cause: error });
  }
  // rustls says so of certificates that it does not trust, and of servers that do not speak TLS
  if (error.cause instanceof Deno.errors.InvalidData) {
    const message = `${what}: no TLS with ${at}: correct ${endpoint}, or name the file ` +
      `of a private CA's certificate in DENO_CERT (${detail})`;
    return new StoreError("fatal", message, { cause: error });
  }
  const message = `${what}: cannot connect to ${at}: start the store or correct ` +
    `${endpoint} (${detail})`;
  return new StoreError("retry", message, { cause: error });
}

export function timeoutError(what: string, ms: number): StoreError {
  return new StoreError("retry", `${what}: the store did not answer within ${ms} ms`);
}

export function abortedError(what: string, signal: AbortSignal | undefined): StoreError {
  return new StoreError("retry", `${what}: the call was aborted`, { cause: signal?.reason });
}

export function closedError(): StoreError {
  return new StoreError("fatal", "the object store is closed");
}
