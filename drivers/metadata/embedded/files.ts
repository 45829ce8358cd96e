/** The files of the embedded store: the directory's lock, and durability without a blocked loop. */
import { type FileHandle, open } from "node:fs/promises";
import { lockedError } from "./errors.ts";

/** An exclusive lock on a data directory; the kernel drops it when the process dies, however. */
export interface DirectoryLock {
  release(): void;
}

/** Fails at once with a fatal MetadataError when another process (or store) has the directory. */
export async function lockDirectory(dataDir: string): Promise<DirectoryLock> {
  await Deno.mkdir(dataDir, { recursive: true });
  const file = await Deno.open(`${dataDir}/metadata.lock`, { create: true, write: true });
  let locked = false;
  try {
    locked = await file.tryLock(true);
  } finally {
    if (!locked) file.close();
  }
  if (!locked) throw lockedError(dataDir);
  return { release: () => file.close() };
}

/** Makes what was written to the files durable, in the thread pool. */
export class SyncedFiles {
  private constructor(private readonly log: FileHandle, private readonly database: FileHandle) {}

  /** Both files exist; their directory entries are durable when this returns. */
  static async open(dataDir: string): Promise<SyncedFiles> {
    const directory = await open(dataDir, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    const log = await open(`${dataDir}/metadata.db-wal`, "r+");
    try {
      const database = await open(`${dataDir}/metadata.db`, "r+");
      return new SyncedFiles(log, database);
    } catch (error) {
      await log.close();
      throw error;
    }
  }

  syncLog(): Promise<void> {
    return this.log.datasync();
  }

  syncDatabase(): Promise<void> {
    return this.database.datasync();
  }

  async close(): Promise<void> {
    await this.log.close();
    await this.database.close();
  }
}
