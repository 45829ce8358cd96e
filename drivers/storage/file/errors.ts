/** From operating system errors to `StoreError`s, by code. */
import { StoreError, type StoreOutcome } from "../../../core/storage/object_store.ts";

const BY_CODE: Readonly<Record<string, readonly [StoreOutcome, string]>> = {
  ENOSPC: ["throttled", "the disk is full: free some space or shorten the topics' retention"],
  EDQUOT: ["throttled", "the disk quota is used up: raise it or shorten the topics' retention"],
  EMFILE: ["throttled", "too many open files: raise the limit (ulimit -n)"],
  ENFILE: ["throttled", "too many open files in the system: raise fs.file-max"],
  ENOMEM: ["throttled", "the system is out of memory"],
  EINTR: ["retry", "the call was interrupted"],
  EAGAIN: ["retry", "the file system is busy"],
  EBUSY: ["retry", "the file system is busy"],
  ETIMEDOUT: ["retry", "the file system did not answer in time"],
  ESTALE: ["retry", "the network file system lost the file handle"],
  EACCES: ["fatal", "permission denied: give the broker's user write access to the directory"],
  EPERM: ["fatal", "operation not permitted: give the broker's user access to the directory"],
  EROFS: ["fatal", "the file system is read-only: mount it for writing"],
  EIO: ["fatal", "the disk reports an I/O error: check the disk, then start the broker again"],
  ENOTDIR: ["fatal", "a key goes through another object: keys cannot be object and folder at once"],
  EISDIR: ["fatal", "the key names a folder of other objects"],
  EXDEV: ["fatal", "the temporary folder is on another file system: unmount what lies in between"],
  EMLINK: ["fatal", "the file system allows no more hard links"],
  ENOTSUP: ["fatal", "the file system has no hard links: use one that has (ext4, xfs, apfs, …)"],
  EOPNOTSUPP: ["fatal", "the file system has no hard links: use one that has (ext4, xfs, apfs, …)"],
  ENOSYS: ["fatal", "the file system lacks a call that the store needs: use a local one"],
  ENOENT: ["retry", "a folder vanished during the call"],
};

export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** `what` is the action and its object, such as `create wal/0.wal`. */
export function storeError(error: unknown, what: string): StoreError {
  if (error instanceof StoreError) return error;
  if (error instanceof Deno.errors.NotCapable) {
    return new StoreError(
      "fatal",
      `${what}: Deno was not given permission for the data directory`,
      {
        cause: error,
      },
    );
  }
  const known = BY_CODE[codeOf(error)];
  const detail = error instanceof Error ? error.message : String(error);
  if (known === undefined) return new StoreError("retry", `${what}: ${detail}`, { cause: error });
  return new StoreError(known[0], `${what}: ${known[1]} (${detail})`, { cause: error });
}

/**
 * After a failed fsync nobody knows what is on the disk, and asking the page cache would tell a
 * lie: never "retry".
 */
export function syncError(error: unknown, what: string): StoreError {
  const detail = error instanceof Error ? error.message : String(error);
  return new StoreError(
    "fatal",
    `${what}: the disk could not make it durable: check the disk, then start again (${detail})`,
    { cause: error },
  );
}

export function closedError(): StoreError {
  return new StoreError("fatal", "the file store is closed");
}

export function abortedError(signal: AbortSignal): StoreError {
  return new StoreError("retry", "the call on the file store was aborted", {
    cause: signal.reason,
  });
}

/** Stops waiting on abort; the call itself goes on. */
export function abortable<T>(call: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return call;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortedError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    call.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
