// @ts-check
/**
 * A storage driver of one's own: objects as rows of one SQLite file in the data directory.
 *
 *     KAFSCALE_STORAGE=./docs/examples/sqlite_store.js deno task start
 *
 * A driver is a module that exports `openObjectStore(options)`. It is JavaScript, so that the
 * compiled program can load it, too. What each call must do is said in
 * core/storage/object_store.ts; `deno task test tests/storage/example` runs the suite that every
 * driver passes on this one.
 *
 * @typedef {import("../../core/storage/object_store.ts").ObjectStore} ObjectStore
 * @typedef {import("../../core/storage/object_store.ts").ByteRange} ByteRange
 * @typedef {import("../../core/storage/object_store.ts").CallOptions} CallOptions
 * @typedef {import("../../drivers/mod.ts").StorageModuleOptions} StorageModuleOptions
 */
import { DatabaseSync } from "node:sqlite";

const KEY_BYTES_MAX = 1024;
const PAGE_KEYS = 1000;

/** SQLite's codes that pass, or ask for room; what else goes wrong does not pass by itself. */
const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;

/**
 * @param {StorageModuleOptions} options
 * @returns {Promise<ObjectStore>}
 */
export async function openObjectStore({ config, StoreError, readOnly = false }) {
  if (!readOnly) await Deno.mkdir(config.dataDir, { recursive: true });
  const database = new DatabaseSync(`${config.dataDir}/objects.sqlite`, { readOnly });
  if (!readOnly) {
    // what a call has reported must outlive a power failure
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    // TEXT is ordered by its UTF-8 bytes, as listings must be
    database.exec(
      "CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    );
  }
  return new SqliteStore(database, StoreError);
}

/** @implements {ObjectStore} */
class SqliteStore {
  #open = true;
  #database;
  #StoreError;
  #create;
  #replace;
  #read;
  #readRange;
  #page;
  #remove;

  advice = {
    flushIntervalMs: 0,
    parallelUploads: 2,
    commitBytes: 1024 * 1024,
    rangeBytes: 256 * 1024,
    readAheadBytes: 1024 * 1024,
  };

  /**
   * @param {DatabaseSync} database
   * @param {StorageModuleOptions["StoreError"]} StoreError
   */
  constructor(database, StoreError) {
    this.#database = database;
    this.#StoreError = StoreError;
    this.#create = database.prepare("INSERT OR IGNORE INTO objects VALUES (?, ?)");
    this.#replace = database.prepare("INSERT OR REPLACE INTO objects VALUES (?, ?)");
    this.#read = database.prepare("SELECT body FROM objects WHERE key = ?");
    this.#readRange = database.prepare("SELECT substr(body, ?, ?) body FROM objects WHERE key = ?");
    this.#page = database.prepare(
      "SELECT key, length(body) size FROM objects WHERE key >= ? AND key > ? ORDER BY key LIMIT ?",
    );
    this.#remove = database.prepare("DELETE FROM objects WHERE key = ?");
  }

  /**
   * @param {string} key
   * @param {readonly Uint8Array[]} body
   * @param {CallOptions} [options]
   * @returns {Promise<"created" | "exists">}
   */
  putIfAbsent(key, body, options) {
    const bytes = joined(body);
    return this.#call([key], options, () => {
      return this.#create.run(key, bytes).changes === 1 ? "created" : "exists";
    });
  }

  /**
   * @param {string} key
   * @param {readonly Uint8Array[]} body
   * @param {CallOptions} [options]
   */
  put(key, body, options) {
    const bytes = joined(body);
    return this.#call([key], options, () => void this.#replace.run(key, bytes));
  }

  /**
   * @param {string} key
   * @param {ByteRange | undefined} range
   * @param {CallOptions} [options]
   */
  get(key, range, options) {
    return this.#call([key], options, () => {
      const start = Math.max(0, range?.start ?? 0);
      const length = Math.max(0, (range?.end ?? 0) - start);
      const row = range === undefined
        ? this.#read.get(key)
        : this.#readRange.get(start + 1, length, key);
      if (row === undefined) return undefined;
      // an empty range of a BLOB is NULL
      return row["body"] instanceof Uint8Array ? row["body"] : new Uint8Array(0);
    });
  }

  /**
   * @param {string} prefix
   * @param {string | undefined} startAfter
   * @param {CallOptions} [options]
   */
  async *list(prefix, startAfter, options) {
    let after = startAfter ?? "";
    while (true) {
      const from = after;
      const rows = await this.#call([], options, () => this.#page.all(prefix, from, PAGE_KEYS));
      for (const row of rows) {
        after = String(row["key"]);
        if (!after.startsWith(prefix)) return;
        yield { key: after, size: Number(row["size"]) };
      }
      if (rows.length < PAGE_KEYS) return;
    }
  }

  /**
   * @param {readonly string[]} keys
   * @param {CallOptions} [options]
   */
  delete(keys, options) {
    return this.#call(keys, options, () => {
      for (const key of keys) this.#remove.run(key);
    });
  }

  close() {
    if (this.#open) this.#database.close();
    this.#open = false;
    return Promise.resolve();
  }

  /**
   * Runs one call. SQLite's calls are synchronous, so nothing comes in between.
   * @template T
   * @param {readonly string[]} keys
   * @param {CallOptions | undefined} options
   * @param {() => T} run
   * @returns {Promise<T>}
   */
  async #call(keys, options, run) {
    const StoreError = this.#StoreError;
    if (!this.#open) throw new StoreError("fatal", "the SQLite store is closed");
    for (const key of keys) {
      const fault = keyFault(key);
      if (fault !== undefined) throw new StoreError("fatal", `an object key ${fault}`);
    }
    if (options?.signal?.aborted) throw new StoreError("retry", "the call was aborted");
    // the caller goes on first, as with a store that is far away
    await Promise.resolve();
    try {
      return run();
    } catch (error) {
      const { errcode, message } = /** @type {{ errcode?: number, message: string }} */ (error);
      const outcome = errcode === SQLITE_BUSY
        ? "retry"
        : errcode === SQLITE_FULL
        ? "throttled"
        : "fatal";
      throw new StoreError(outcome, `the SQLite store: ${message}`, { cause: error });
    }
  }
}

/**
 * @param {string} key
 * @returns {string | undefined}
 */
function keyFault(key) {
  if (!key.isWellFormed() || key.includes("\0")) return "is not text";
  if (new TextEncoder().encode(key).length > KEY_BYTES_MAX) return "is longer than 1,024 bytes";
  const parts = key.split("/");
  return parts.some((part) => /^\.{0,2}$/.test(part)) ? "has a part without a name" : undefined;
}

/**
 * One copy: the caller may use its buffers again once the call is over.
 * @param {readonly Uint8Array[]} parts
 */
function joined(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
