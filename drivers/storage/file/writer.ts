/**
 * How objects get their names. A create writes a temporary file, makes it durable (fdatasync),
 * links it to its name, which fails if the name exists, and makes the name durable (fsync of the
 * folder). A put renames instead. Small creates go to a journal (create_journal.ts), which
 * makes files of them later; what is deleted before long to a volume (volumes.ts).
 */
import { lengthOf } from "../../../core/bytes/mod.ts";
import { Semaphore } from "../../../core/runtime/mod.ts";
import { type CallOptions, StoreError } from "../../../core/storage/object_store.ts";
import { writeBody, writeInSteps } from "./body.ts";
import type { CheckpointHost, CreateJournal } from "./create_journal.ts";
import { Directories, type Directory, parentOf } from "./directories.ts";
import { abortable, abortedError, codeOf, storeError, syncError } from "./errors.ts";
import { syncFolder } from "./journal_file.ts";
import { bodyOf, draftRecord, recordBytes, RecordKind } from "./journal_format.ts";
import { KeyLocks } from "./key_locks.ts";
import type { OpenFiles } from "./open_files.ts";
import { pathOfKey } from "./paths.ts";
import { removeFiles } from "./remove_files.ts";
import {
  DELETE_FILES_AT_ONCE,
  JOURNAL_BODY_BYTES_MAX,
  SYNC_AT_ONCE_BYTES_MAX,
  WRITES_MAX,
} from "./settings.ts";
import type { TempFile, TempFiles } from "./temp_files.ts";
import type { Volumes } from "./volumes.ts";

/** How often a create starts again because its folder was removed under it. */
const ATTEMPTS_MAX = 5;

type Publish<T> = (temp: TempFile, path: string, directory: Directory) => Promise<T>;

export class FileWriter implements CheckpointHost {
  readonly #directories: Directories;
  readonly #writes = new Semaphore(WRITES_MAX);
  readonly #locks = new KeyLocks();
  /** Writes that go on, also those whose callers wait no more. */
  readonly #underWay = new Set<Promise<unknown>>();
  #journal: CreateJournal | undefined;
  #volumes: Volumes | undefined;

  constructor(
    readonly root: string,
    readonly temps: TempFiles,
    readonly foldsCase: boolean,
    readonly files: OpenFiles,
  ) {
    this.#directories = new Directories(root);
  }

  /** From now on creates go through them, and so do deletions of what they hold. */
  use(journal: CreateJournal, volumes: Volumes): void {
    this.#journal = journal;
    this.#volumes = volumes;
  }

  get heldBytes(): number {
    return this.#journal?.heldBytes ?? 0;
  }

  async putIfAbsent(
    key: string,
    body: readonly Uint8Array[],
    options: CallOptions | undefined,
  ): Promise<"created" | "exists"> {
    const signal = options?.signal;
    const end = await this.#begin([key]);
    if (this.#holds(key)) {
      end();
      return "exists";
    }
    const bytes = lengthOf(body);
    // A key has at most 3 bytes of UTF-8 a character.
    const small = bytes <= JOURNAL_BODY_BYTES_MAX &&
      this.#journal?.accepts(recordBytes(key.length * 3, bytes));
    if (!small && options?.transient === true && bytes <= SYNC_AT_ONCE_BYTES_MAX) {
      const created = await this.#createInVolume(key, body, signal, end);
      if (created !== undefined) return created;
    }
    if (!small) return await this.#write(key, body, signal, end, this.#createAs(key));
    const record = draftRecord(RecordKind.put, key, body);
    const created = await this.#track(this.#createByJournal(key, record), key, signal, end);
    return created ?? await this.putIfAbsent(key, [bodyOf(record)], options);
  }

  async put(
    key: string,
    body: readonly Uint8Array[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const end = await this.#begin([key]);
    await this.#write(key, body, signal, end, this.#replace);
  }

  readonly #replace: Publish<void> = async (temp, path, directory) => {
    this.#directories.willName(directory, path);
    await Deno.rename(temp.path, path);
    this.files.forget(path);
    await this.#directories.sync(directory);
  };

  #createAs(key: string): Publish<"created" | "exists"> {
    return async (temp, path, directory) => {
      this.#directories.willName(directory, path);
      try {
        await Deno.link(temp.path, path);
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
        refuseFolder(key, await Deno.lstat(path));
        // The winner may not have got so far: the loser must not know of what can still be lost.
        await this.#directories.sync(directory);
        return "exists";
      }
      await this.#directories.sync(directory);
      return "created";
    };
  }

  async delete(keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const folders = new Map<string, Set<string>>();
    for (const key of keys) {
      const folder = parentOf(this.pathOf(key));
      const inside = folders.get(folder) ?? new Set();
      inside.add(key);
      folders.set(folder, inside);
    }
    for (const [folder, inside] of folders) {
      const all = [...inside];
      for (let at = 0; at < all.length; at += DELETE_FILES_AT_ONCE) {
        if (signal?.aborted) throw abortedError(signal);
        const some = all.slice(at, at + DELETE_FILES_AT_ONCE);
        let markBytes = 0;
        for (const key of some) markBytes += recordBytes(key.length * 3, 0);
        await this.#journal?.roomForMarks(markBytes);
        const end = await this.#begin(some);
        await this.#track(this.#deleteIn(folder, some), folder, signal, end);
      }
    }
  }

  async #deleteIn(folder: string, all: readonly string[]): Promise<void> {
    const volumes = this.#volumes;
    const volumed = all.filter((key) => volumes?.holds(key));
    const keys = all.filter((key) => !volumes?.holds(key) || volumes.mayBeFile(key));
    if (keys.length > 0) await this.#deleteFiles(folder, keys);
    if (volumed.length > 0) await volumes!.delete(volumed);
  }

  async #deleteFiles(folder: string, keys: readonly string[]): Promise<void> {
    const journal = this.#journal;
    const live = keys.filter((key) => (journal?.live(key)?.state ?? "deleted") !== "deleted");
    const neverFiled = new Set(live.filter((key) => !journal!.live(key)!.onDisk));
    const unmarked = live.filter((key) => journal!.live(key)!.state !== "deleting");
    if (unmarked.length > 0) await journal!.markDeleting(unmarked);
    const onDisk = keys.filter((key) => !neverFiled.has(key));
    const doubt = live.length > neverFiled.size;
    await this.#remove(folder, onDisk.map((key) => this.pathOf(key)), doubt);
    for (const key of live) journal!.live(key)!.state = "deleted";
  }

  #remove(folder: string, paths: readonly string[], doubt: boolean): Promise<void> {
    return removeFiles(folder, paths, { doubt, files: this.files, directories: this.#directories });
  }

  pathOf(key: string): string {
    return `${this.root}/${pathOfKey(key, this.foldsCase)}`;
  }

  async locked(key: string, step: () => Promise<void>): Promise<void> {
    const unlock = await this.#locks.acquire([key]);
    try {
      await step();
    } finally {
      unlock();
    }
  }

  async writeFile(key: string, body: Uint8Array): Promise<string> {
    const temp = await this.#fill([body]);
    try {
      await temp.file.syncData().catch((error) => {
        throw syncError(error, `fdatasync the file of ${key}`);
      });
      return await this.#inFolder(key, async (path, directory) => {
        this.#directories.willName(directory, path);
        await Deno.rename(temp.path, path);
        this.files.forget(path);
        return parentOf(path);
      });
    } finally {
      this.temps.retire(temp);
    }
  }

  syncFolder(path: string): Promise<void> {
    return syncFolder(path);
  }

  remove(key: string): Promise<void> {
    const path = this.pathOf(key);
    return this.#remove(parentOf(path), [path], true);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    await this.#journal?.close();
    await this.#volumes?.close();
    await this.temps.close();
    await this.#directories.idle();
    this.#directories.close();
  }

  /** Waits for the keys and for a place among the writes; returns what gives them back. */
  async #begin(keys: readonly string[]): Promise<() => void> {
    const unlock = await this.#locks.acquire(keys);
    await this.#writes.acquire();
    return () => {
      this.#writes.release();
      unlock();
    };
  }

  /** Lets a write go on to its end, whether or not its caller waits. */
  #track<T>(
    write: Promise<T>,
    what: string,
    signal: AbortSignal | undefined,
    end: () => void,
  ): Promise<T> {
    const tracked = write.catch((error) => {
      throw storeError(error, `write ${what}`);
    }).finally(() => {
      end();
      this.#underWay.delete(tracked);
    });
    this.#underWay.add(tracked);
    return abortable(tracked, signal);
  }

  /**
   * The caller's body is read until it is written and no longer, so an abort waits for that and for
   * nothing else. `publish` gives the temporary file its name.
   */
  async #write<T>(
    key: string,
    body: readonly Uint8Array[],
    signal: AbortSignal | undefined,
    end: () => void,
    publish: Publish<T>,
  ): Promise<T> {
    let temp: TempFile | undefined;
    try {
      temp = await this.#fill(body);
      if (signal?.aborted) throw abortedError(signal);
    } catch (error) {
      if (temp !== undefined) this.temps.retire(temp);
      end();
      throw storeError(error, `write ${key}`);
    }
    const written = temp;
    const published = this.#publish(key, written, publish)
      .finally(() => this.temps.retire(written));
    return await this.#track(published, key, signal, end);
  }

  async #fill(body: readonly Uint8Array[]): Promise<TempFile> {
    const temp = await this.temps.take();
    try {
      if (lengthOf(body) <= SYNC_AT_ONCE_BYTES_MAX) await writeBody(temp.file, body);
      else await writeInSteps(temp.file, body, () => this.#journal?.underWay);
      return temp;
    } catch (error) {
      this.temps.retire(temp);
      throw error;
    }
  }

  async #publish<T>(key: string, temp: TempFile, publish: Publish<T>): Promise<T> {
    await temp.file.syncData().catch((error) => {
      throw storeError(error, `write ${key}`);
    });
    await this.#releaseFromJournal(key);
    await this.#releaseFromVolume(key);
    return await this.#inFolder(key, (path, directory) => publish(temp, path, directory));
  }

  /** Makes the object, or its absence, durable by itself, and then the journal say so. */
  async #releaseFromJournal(key: string): Promise<void> {
    const live = this.#journal?.live(key);
    if (live === undefined) return;
    if (live.state === "held") {
      await syncFolder(await this.writeFile(key, await this.#journal!.body(key)));
    } else if (live.state !== "deleted") await this.remove(key);
    await this.#journal!.release(key);
  }

  async #releaseFromVolume(key: string): Promise<void> {
    if (!this.#volumes?.holds(key)) return;
    await syncFolder(await this.writeFile(key, await this.#volumes.read(key)));
    await this.#volumes.delete([key]);
  }

  /** Runs `step` with the key's folder in being, again if it is removed meanwhile. */
  async #inFolder<T>(
    key: string,
    step: (path: string, directory: Directory) => Promise<T>,
  ): Promise<T> {
    const path = this.pathOf(key);
    for (let attempt = 1;; attempt++) {
      const directory = await this.#directories.enter(parentOf(path));
      try {
        return await step(path, directory);
      } catch (error) {
        if (codeOf(error) !== "ENOENT" || attempt === ATTEMPTS_MAX) throw error;
        this.#directories.forget(directory);
      } finally {
        this.#directories.leave(directory);
      }
    }
  }

  /** undefined: the journal has no room any more. The caller's body is in the record. */
  async #createByJournal(
    key: string,
    record: Uint8Array,
  ): Promise<"created" | "exists" | undefined> {
    if (!await this.#isFree(key)) return "exists";
    const recorded = this.#journal!.put(key, record);
    if (recorded === undefined) return undefined;
    await recorded;
    return "created";
  }

  /** undefined: there is no volume for it, and nothing was done. */
  async #createInVolume(
    key: string,
    body: readonly Uint8Array[],
    signal: AbortSignal | undefined,
    end: () => void,
  ): Promise<"created" | "exists" | undefined> {
    let durable: Promise<void> | undefined;
    try {
      if (!await this.#isFree(key)) {
        end();
        return "exists";
      }
      durable = (await this.#volumes?.create(key, body))?.durable;
    } catch (error) {
      end();
      throw storeError(error, `write ${key}`);
    }
    if (durable === undefined) return undefined;
    const created = durable.then(() => "created" as const);
    return await this.#track(created, key, signal, end);
  }

  /** Of a key that neither the journals nor the volumes hold. */
  async #isFree(key: string): Promise<boolean> {
    if (this.#journal?.live(key)?.state === "deleting") await this.remove(key);
    this.#refuseInside(key);
    // A folder of the name keeps other keys from being the object that the folder would need.
    const free = await this.#inFolder(
      key,
      (path, directory) => Promise.resolve(this.#directories.lacks(directory, path)),
    );
    return free || !await this.#isThere(key);
  }

  #holds(key: string): boolean {
    return (this.#journal?.holds(key) ?? false) || (this.#volumes?.holds(key) ?? false);
  }

  /** An object of a journal or volume is no folder, though nothing on the disk says so. */
  #refuseInside(key: string): void {
    for (let at = key.indexOf("/"); at >= 0; at = key.indexOf("/", at + 1)) {
      if (!this.#holds(key.slice(0, at))) continue;
      throw new StoreError("fatal", `create ${key}: ${key.slice(0, at)} is an object, no folder`);
    }
  }

  /** Whether the object has a file, and durably so. */
  async #isThere(key: string): Promise<boolean> {
    const path = this.pathOf(key);
    try {
      refuseFolder(key, await Deno.lstat(path));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return false;
      throw error;
    }
    await syncFolder(parentOf(path));
    return true;
  }
}

function refuseFolder(key: string, info: Deno.FileInfo): void {
  if (!info.isDirectory) return;
  throw new StoreError("fatal", `create ${key}: the key names a folder of other objects`);
}
