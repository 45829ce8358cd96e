/**
 * The metadata of a data directory as it is now, for tools: a copy, since a broker that runs there
 * has the files to itself. Nothing in the directory is changed or locked.
 *
 * The database is copied first, then its write-ahead log. Whatever a checkpoint moved into the
 * database meanwhile is in the log still, unless the log was started over: its salts tell.
 */
import type { MetadataStore } from "../../../core/metadata/metadata_store.ts";
import { openEmbeddedMetadata } from "./driver.ts";
import { busyError, missingError } from "./errors.ts";
import type { EmbeddedSettings } from "./settings.ts";

/** The log is started over once in some 4 MiB of changes; a copy takes milliseconds. */
const ATTEMPTS_MAX = 10;

/** Magic, version, page size, sequence, two salts and a checksum of the log. */
const LOG_HEADER_BYTES = 32;

export async function openEmbeddedCopy({ dataDir }: EmbeddedSettings): Promise<MetadataStore> {
  const copyDir = await Deno.makeTempDir({ prefix: "kafscale-metadata-" });
  const remove = () => Deno.remove(copyDir, { recursive: true });
  try {
    await copyFiles(dataDir, copyDir);
    const store = await openEmbeddedMetadata({ dataDir: copyDir });
    const close = store.close.bind(store);
    store.close = async () => {
      await close();
      await remove().catch(ignoreMissing);
    };
    return store;
  } catch (error) {
    await remove();
    throw error;
  }
}

async function copyFiles(dataDir: string, copyDir: string): Promise<void> {
  const database = `${dataDir}/metadata.db`;
  const log = `${database}-wal`;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const before = await header(log);
    await Deno.remove(`${copyDir}/metadata.db-wal`).catch(ignoreMissing);
    await Deno.copyFile(database, `${copyDir}/metadata.db`).catch((error) => {
      throw error instanceof Deno.errors.NotFound ? missingError(dataDir) : error;
    });
    // a store that was closed has none
    await Deno.copyFile(log, `${copyDir}/metadata.db-wal`).catch(ignoreMissing);
    if (before === await header(log)) return;
  }
  throw busyError(dataDir);
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

async function header(path: string): Promise<string> {
  try {
    using file = await Deno.open(path);
    const bytes = new Uint8Array(LOG_HEADER_BYTES);
    const length = await file.read(bytes) ?? 0;
    return `${length}: ${bytes}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "none";
    throw error;
  }
}
