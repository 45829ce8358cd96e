/**
 * The SQLite side of the embedded store: schema and statements. Synchronous, no durability here.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { prefixEnd } from "../../../core/metadata/key_order.ts";
import type { Entry, Revision } from "../../../core/metadata/metadata_store.ts";
import { formatError } from "./errors.ts";

/** "KSMD": tells our file from another application's (PRAGMA application_id). */
const APPLICATION_ID = 0x4b534d44;
/** To change the schema: raise it, and migrate the former one in `prepareSchema`. */
const FORMAT = 1;

type Row = { key: string; value: Uint8Array; revision: number };

/** One database file; keys are TEXT, which SQLite compares by UTF-8 bytes as the contract wants. */
export class Database {
  readonly #db: DatabaseSync;
  readonly #get: StatementSync;
  readonly #revisionOf: StatementSync;
  readonly #below: StatementSync;
  readonly #all: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #setRevision: StatementSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;

  constructor(private readonly dataDir: string) {
    this.#db = new DatabaseSync(`${dataDir}/metadata.db`);
    try {
      this.#prepareSchema();
    } catch (error) {
      this.#db.close();
      throw error;
    }
    const prepare = (sql: string) => this.#db.prepare(sql);
    const columns = "SELECT key, value, revision FROM entry";
    this.#get = prepare(`${columns} WHERE key = ?`);
    this.#revisionOf = prepare("SELECT revision FROM entry WHERE key = ?");
    this.#below = prepare(`${columns} WHERE key >= ? AND key < ? ORDER BY key`);
    this.#all = prepare(`${columns} WHERE leased <= ? ORDER BY key`);
    this.#put = prepare("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)");
    this.#delete = prepare("DELETE FROM entry WHERE key = ?");
    this.#setRevision = prepare("UPDATE state SET revision = ?");
    this.#begin = prepare("BEGIN IMMEDIATE");
    this.#commit = prepare("COMMIT");
  }

  #prepareSchema(): void {
    // EXCLUSIVE first: the write-ahead log's index then lives in memory, not in a shared file
    this.#exec("PRAGMA locking_mode = EXCLUSIVE", "PRAGMA synchronous = FULL");
    const fresh = this.#pragma("schema_version") === 0;
    if (!fresh && this.#pragma("application_id") !== APPLICATION_ID) {
      throw formatError(this.dataDir);
    }
    if (!fresh && this.#pragma("user_version") !== FORMAT) throw formatError(this.dataDir);
    this.#exec("PRAGMA journal_mode = WAL");
    if (fresh) {
      this.#exec(
        "BEGIN",
        `PRAGMA application_id = ${APPLICATION_ID}`,
        `PRAGMA user_version = ${FORMAT}`,
        "CREATE TABLE entry (key TEXT PRIMARY KEY, value BLOB NOT NULL, " +
          "revision INTEGER NOT NULL, leased INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE state (revision INTEGER NOT NULL)",
        "INSERT INTO state VALUES (0)",
        "COMMIT",
      );
    }
    const [finding] = Object.values(this.#db.prepare("PRAGMA quick_check(1)").get() ?? {});
    if (finding !== "ok") {
      throw Object.assign(new Error(String(finding)), { errcode: 11 });
    }
    // From here on files.ts makes things durable, in the order that driver.ts explains.
    this.#exec("PRAGMA synchronous = OFF", "PRAGMA wal_autocheckpoint = 0");
  }

  /** One statement each. Not by the database's own exec, whose errors carry no result code. */
  #exec(...statements: string[]): void {
    for (const statement of statements) this.#db.prepare(statement).all();
  }

  #pragma(name: string): unknown {
    return Object.values(this.#db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  }

  begin(): void {
    this.#begin.run();
  }

  commit(revision: Revision): void {
    this.#setRevision.run(revision);
    this.#commit.run();
  }

  rollback(): void {
    if (this.#db.isTransaction) this.#exec("ROLLBACK");
  }

  revision(): Revision {
    const row = this.#db.prepare("SELECT revision FROM state").get() as { revision: number };
    return row.revision;
  }

  get(key: string): Entry | undefined {
    const row = this.#get.get(key) as Row | undefined;
    return row && entryOf(row);
  }

  /** 0 for an absent key. */
  revisionOf(key: string): Revision {
    return (this.#revisionOf.get(key) as { revision: number } | undefined)?.revision ?? 0;
  }

  below(prefix: string): Entry[] {
    const end = prefixEnd(prefix);
    const rows = end === undefined ? this.#all.all(1) : this.#below.all(prefix, end);
    return (rows as unknown as Row[]).map(entryOf);
  }

  /** Everything but leased keys. */
  permanent(): Entry[] {
    return (this.#all.all(0) as unknown as Row[]).map(entryOf);
  }

  put(key: string, value: Uint8Array, revision: Revision, leased: boolean): void {
    this.#put.run(key, value, revision, leased ? 1 : 0);
  }

  /** False when there was no such key. */
  delete(key: string): boolean {
    return Number(this.#delete.run(key).changes) > 0;
  }

  deleteAll(): void {
    this.#exec("DELETE FROM entry");
  }

  /** What leases of a process that is gone have left behind. */
  deleteLeased(): void {
    this.#exec("DELETE FROM entry WHERE leased = 1");
  }

  /** Copies the write-ahead log into the database file; the log starts over at the next write. */
  checkpoint(): void {
    this.#exec("PRAGMA wal_checkpoint(PASSIVE)");
  }

  close(): void {
    this.#db.close();
  }
}

function entryOf({ key, value, revision }: Row): Entry {
  return { key, value, revision };
}
