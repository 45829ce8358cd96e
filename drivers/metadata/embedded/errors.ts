/** What goes wrong with SQLite and its files, as MetadataErrors; decided by code, not by text. */
import { MetadataError } from "../../../core/metadata/metadata_store.ts";

const SQLITE_FULL = 13;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** SQLite's primary result code, or undefined for an error that isn't SQLite's. */
function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.trim().replaceAll(/\s+/g, " ");
}

/** A group that could not be written: nothing of it took effect. */
export function writeError(cause: unknown): MetadataError {
  if (cause instanceof MetadataError) return cause;
  const code = sqliteCode(cause);
  if (code === SQLITE_FULL) {
    return new MetadataError(
      "retry",
      "the disk of the metadata database is full; free some space",
      {
        cause,
      },
    );
  }
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) {
    return new MetadataError(
      "fatal",
      `the metadata database is damaged (${reason(cause)}); restore it from a snapshot`,
      { cause },
    );
  }
  return new MetadataError("fatal", `the metadata database cannot be used: ${reason(cause)}`, {
    cause,
  });
}

/**
 * A failed fdatasync: the kernel may have dropped the pages, so what the files hold is unknown, and
 * only a restart, which reads them anew, can go on.
 */
export function syncError(cause: unknown): MetadataError {
  return new MetadataError(
    "fatal",
    `metadata could not be made durable (${
      reason(cause)
    }); check the disk, then restart the broker`,
    { cause },
  );
}

export function openError(dataDir: string, cause: unknown): MetadataError {
  if (cause instanceof MetadataError) return cause;
  const code = sqliteCode(cause);
  const what = code === SQLITE_CORRUPT || code === SQLITE_NOTADB
    ? `the metadata database in ${dataDir} is damaged (${reason(cause)}); restore it from a ` +
      "snapshot, or choose another data directory"
    : `the metadata database in ${dataDir} cannot be opened (${reason(cause)}); make the ` +
      "directory writable for the broker, or choose another data directory";
  return new MetadataError("fatal", what, { cause });
}

export function lockedError(dataDir: string): MetadataError {
  return new MetadataError(
    "fatal",
    `the data directory ${dataDir} is in use by another broker; stop that one, or give this one ` +
      "a directory of its own",
  );
}

export function formatError(dataDir: string): MetadataError {
  return new MetadataError(
    "fatal",
    `metadata.db in ${dataDir} is not a metadata database of this version; start the broker ` +
      "version that wrote it, or choose another data directory",
  );
}

export function missingError(dataDir: string): MetadataError {
  return new MetadataError(
    "fatal",
    `there is no metadata in ${dataDir}; name the data directory of a broker with ` +
      "KAFSCALE_DATA_DIR",
  );
}

export function busyError(dataDir: string): MetadataError {
  return new MetadataError(
    "retry",
    `the metadata in ${dataDir} changes too fast to be copied; try again, or stop the broker`,
  );
}

export function closedError(): MetadataError {
  return new MetadataError("fatal", "the metadata store is closed");
}

export function overloadedError(): MetadataError {
  return new MetadataError("retry", "too many metadata transactions are waiting; try again");
}

export function lostLeaseError(): MetadataError {
  return new MetadataError("retry", "the lease of this write is lost");
}
