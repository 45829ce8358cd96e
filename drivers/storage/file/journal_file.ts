/** One journal on disk: written over in place from its records' start, so fdatasync is cheap. */
import { StoreError } from "../../../core/storage/object_store.ts";
import { readFrom, writeAt } from "./body.ts";
import { codeOf, syncError } from "./errors.ts";
import {
  encodeHeader,
  type JournalRecord,
  readGeneration,
  readRecords,
  RECORDS_START,
  usedUntil,
} from "./journal_format.ts";

/** What journals and volumes need of a file; tests put faults in between. */
export type JournalHandle = Pick<
  Deno.FsFile,
  | "seekSync"
  | "read"
  | "write"
  | "writeSync"
  | "truncate"
  | "sync"
  | "syncData"
  | "statSync"
  | "close"
>;

export type OpenJournal = (path: string, options: Deno.OpenOptions) => Promise<JournalHandle>;

const ZEROS = new Uint8Array(1024 * 1024);

export interface OpenedJournal {
  readonly file: JournalFile;
  readonly records: readonly JournalRecord[];
}

export class JournalFile {
  /** Where the next record goes, records that wait to be written included. */
  end: number;
  /** After a failed write or sync nobody knows what is on the disk: never written again. */
  failed = false;
  /** Seek and write are two steps, so one call at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly path: string,
    readonly size: number,
    public generation: number,
    readonly handle: JournalHandle,
    end: number,
  ) {
    this.end = end;
  }

  /** A new journal, whole and durable under its name, or a throw and nothing. */
  static async make(
    path: string,
    size: number,
    open: OpenJournal,
    wanted: () => boolean,
  ): Promise<JournalFile> {
    const fresh = path + ".new";
    const handle = await open(fresh, { read: true, write: true, create: true, truncate: true });
    try {
      for (let at = 0; at < size;) {
        if (!wanted()) throw new StoreError("fatal", "the file store is closing");
        const bytes = ZEROS.subarray(0, Math.min(ZEROS.length, size - at));
        await writeAt(handle, at, [bytes]);
        at += bytes.length;
      }
      const header = encodeHeader(1);
      await writeAt(handle, header.offset, [header.bytes]);
      await handle.sync();
      await Deno.rename(fresh, path);
      await syncFolder(path.slice(0, path.lastIndexOf("/")));
      return new JournalFile(path, size, 1, handle, RECORDS_START);
    } catch (error) {
      handle.close();
      await Deno.remove(fresh).catch(() => {});
      throw error;
    }
  }

  /** undefined where there is none. What follows the records is wiped, so that it can go on. */
  static async open(
    path: string,
    open: OpenJournal,
    readOnly: boolean,
  ): Promise<OpenedJournal | undefined> {
    let handle: JournalHandle;
    try {
      handle = await open(path, { read: true, write: !readOnly });
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
    try {
      const bytes = await readFrom(handle, 0, handle.statSync().size);
      const generation = readGeneration(bytes);
      if (generation === undefined) {
        // Journals get their name when their first header is durable, and no write touches both.
        throw new StoreError(
          "fatal",
          `the create journal ${path} is damaged: restore it, or move it away to go on without ` +
            "the latest small objects, should the power have failed",
        );
      }
      const { records, end } = readRecords(bytes, generation);
      const file = new JournalFile(path, bytes.length, generation, handle, end);
      if (!readOnly) await file.#wipe(end, usedUntil(bytes, end));
      return { file, records };
    } catch (error) {
      handle.close();
      throw error;
    }
  }

  get empty(): boolean {
    return this.end === RECORDS_START;
  }

  /** Writes the records at `start` and makes them durable. */
  append(start: number, records: readonly Uint8Array[]): Promise<void> {
    return this.#write(start, records.length === 1 ? records[0]! : joined(records));
  }

  /** The bytes of what was appended and is durable. */
  read(start: number, end: number): Promise<Uint8Array> {
    return this.#inTurn(() => readFrom(this.handle, start, end - start));
  }

  /** Makes all records void, durably. */
  async clean(): Promise<void> {
    const header = encodeHeader(this.generation + 1);
    await this.#write(header.offset, header.bytes);
    this.generation++;
    this.end = RECORDS_START;
  }

  #write(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      try {
        if (this.failed) throw new Error("an earlier write failed");
        await writeAt(this.handle, offset, [bytes]);
        await this.handle.syncData();
      } catch (error) {
        this.failed = true;
        throw syncError(error, `write the create journal ${this.path}`);
      }
    });
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(run);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** A record behind a torn one would come back to life when the gap is filled. */
  async #wipe(start: number, end: number): Promise<void> {
    if (start === end) return;
    for (let at = start; at < end;) {
      const bytes = ZEROS.subarray(0, Math.min(ZEROS.length, end - at));
      await writeAt(this.handle, at, [bytes]);
      at += bytes.length;
    }
    await this.handle.syncData();
  }
}

/** Makes the names in a folder durable; one that is gone has none. */
export async function syncFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  let handle: Deno.FsFile;
  try {
    handle = await Deno.open(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  try {
    await handle.sync();
  } catch (error) {
    throw syncError(error, `fsync ${path}`);
  } finally {
    handle.close();
  }
}

function joined(records: readonly Uint8Array[]): Uint8Array {
  let bytes = 0;
  for (const record of records) bytes += record.length;
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const record of records) {
    all.set(record, at);
    at += record.length;
  }
  return all;
}
