/**
 * `file`: objects as files below one directory. A create writes a temporary file, makes it durable
 * (fdatasync), links it to its name, which fails if the name exists, and makes the name durable
 * (fsync of the folder). A put renames instead. Nothing partial is ever visible.
 */
import { Semaphore } from "../../../core/runtime/mod.ts";
import type {
  ByteRange,
  CallOptions,
  ObjectInfo,
  ObjectStore,
  StoreAdvice,
} from "../../../core/storage/object_store.ts";
import { StoreError } from "../../../core/storage/object_store.ts";
import { checkKey } from "../object_key.ts";
import { writeBody } from "./body.ts";
import { Directories, type Directory, parentOf } from "./directories.ts";
import { abortedError, closedError, codeOf, storeError } from "./errors.ts";
import { listObjects, walkOf } from "./listing.ts";
import { pathOfKey } from "./paths.ts";
import { FILE_ADVICE, type FileStoreOptions, READS_MAX, TEMP_DIR, WRITES_MAX } from "./settings.ts";
import { type TempFile, TempFiles } from "./temp_files.ts";

export { FILE_ADVICE, type FileStoreOptions } from "./settings.ts";

/** How often a create starts again because its folder was removed under it. */
const ATTEMPTS_MAX = 5;

/** Opens the store, sweeps temporary files, and proves that the file system can do what it must. */
export async function openFileStore(options: FileStoreOptions): Promise<ObjectStore> {
  try {
    const readOnly = options.readOnly ?? false;
    if (!readOnly) await Deno.mkdir(`${options.dir}/${TEMP_DIR}`, { recursive: true });
    const root = await Deno.realPath(options.dir);
    const temps = new TempFiles(`${root}/${TEMP_DIR}`);
    if (readOnly) return new FileDriver(root, temps, await probeCase(root), true);
    await temps.sweep();
    await probeLinks(temps);
    return new FileDriver(root, temps, await probeCase(root), false);
  } catch (error) {
    throw storeError(error, `open the data directory ${options.dir}`);
  }
}

/** Conditional creates stand on link(2): refuse to start without it (I12). */
async function probeLinks(temps: TempFiles): Promise<void> {
  const temp = await temps.take();
  const name = temp.path + "-probe";
  try {
    await temp.file.syncData();
    await Deno.link(temp.path, name);
    const second = await Deno.link(temp.path, name).then(() => "linked", codeOf);
    if (second !== "EEXIST") {
      throw new StoreError(
        "fatal",
        "the file system lets two links have one name: use another one",
      );
    }
  } finally {
    await Deno.remove(name).catch(() => {});
    temps.retire(temp);
  }
}

/** Whether the file system takes upper and lower case for the same. */
async function probeCase(root: string): Promise<boolean> {
  const upper = `${root}/${TEMP_DIR.toUpperCase()}`;
  return await Deno.lstat(upper).then(() => true, () => false);
}

class FileDriver implements ObjectStore {
  readonly advice: StoreAdvice = FILE_ADVICE;
  readonly #directories: Directories;
  readonly #writes = new Semaphore(WRITES_MAX);
  readonly #reads = new Semaphore(READS_MAX);
  /** Objects that are on their way to their name, also those whose callers wait no more. */
  readonly #publishing = new Set<Promise<unknown>>();
  #closed = false;

  constructor(
    readonly root: string,
    readonly temps: TempFiles,
    readonly foldsCase: boolean,
    readonly readOnly: boolean,
  ) {
    this.#directories = new Directories(root);
  }

  putIfAbsent(
    key: string,
    body: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<"created" | "exists"> {
    return this.#write(key, body, options?.signal, async (temp, path, directory) => {
      try {
        await Deno.link(temp.path, path);
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
        if ((await Deno.lstat(path)).isDirectory) {
          throw new StoreError("fatal", `create ${key}: the key names a folder of other objects`);
        }
        // The winner may not have got so far: the loser must not know of what can still be lost.
        await this.#directories.sync(directory);
        return "exists";
      }
      await this.#directories.sync(directory);
      return "created";
    });
  }

  put(key: string, body: readonly Uint8Array[], options?: CallOptions): Promise<void> {
    return this.#write(key, body, options?.signal, async (temp, path, directory) => {
      await Deno.rename(temp.path, path);
      await this.#directories.sync(directory);
    });
  }

  async get(
    key: string,
    range: ByteRange | undefined,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    this.#check(key, options?.signal);
    await this.#reads.acquire();
    const reading = this.#read(key, range).finally(() => this.#reads.release());
    return await abortable(reading, options?.signal);
  }

  async #read(key: string, range: ByteRange | undefined): Promise<Uint8Array | undefined> {
    try {
      const file = await Deno.open(this.#path(key));
      try {
        const info = file.statSync();
        if (info.isDirectory) return undefined;
        const start = Math.max(0, range?.start ?? 0);
        const end = Math.min(info.size, range?.end ?? info.size);
        if (start >= end) return new Uint8Array(0);
        if (start > 0) file.seekSync(start, Deno.SeekMode.Start);
        const bytes = new Uint8Array(end - start);
        for (let at = 0; at < bytes.length;) {
          const read = await file.read(at === 0 ? bytes : bytes.subarray(at));
          if (read === null) throw new StoreError("retry", `read ${key}: the file was cut short`);
          at += read;
        }
        return bytes;
      } finally {
        file.close();
      }
    } catch (error) {
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
      throw storeError(error, `read ${key}`);
    }
  }

  async getInto(
    key: string,
    start: number,
    into: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<number | undefined> {
    this.#check(key, options?.signal);
    await this.#reads.acquire();
    const reading = this.#readInto(key, start, into).finally(() => this.#reads.release());
    return await abortable(reading, options?.signal);
  }

  async #readInto(
    key: string,
    start: number,
    into: readonly Uint8Array[],
  ): Promise<number | undefined> {
    try {
      const file = await Deno.open(this.#path(key));
      try {
        if (file.statSync().isDirectory) return undefined;
        if (start > 0) file.seekSync(start, Deno.SeekMode.Start);
        let total = 0;
        for (const buffer of into) {
          for (let at = 0; at < buffer.length;) {
            const read = await file.read(at === 0 ? buffer : buffer.subarray(at));
            if (read === null) return total;
            at += read;
            total += read;
          }
        }
        return total;
      } finally {
        file.close();
      }
    } catch (error) {
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
      throw storeError(error, `read ${key}`);
    }
  }

  async *list(
    prefix: string,
    startAfter: string | undefined,
    options?: CallOptions,
  ): AsyncIterable<ObjectInfo> {
    const check = () => this.#checkOpen(options?.signal);
    check();
    try {
      yield* listObjects(walkOf(this.root, this.foldsCase, prefix, startAfter, check));
    } catch (error) {
      throw storeError(error, `list ${prefix}`);
    }
  }

  async delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    for (const key of keys) this.#check(key, options?.signal);
    this.#checkWritable();
    const folders = new Map<string, string[]>();
    for (const key of keys) {
      const path = this.#path(key);
      const files = folders.get(parentOf(path)) ?? [];
      files.push(path);
      folders.set(parentOf(path), files);
    }
    for (const [folder, files] of folders) {
      if (options?.signal?.aborted) throw abortedError(options.signal);
      await this.#writes.acquire();
      const deleting = this.#deleteIn(folder, files).finally(() => this.#writes.release());
      await abortable(deleting, options?.signal);
    }
  }

  async #deleteIn(folder: string, files: readonly string[]): Promise<void> {
    try {
      let removed = 0;
      for (const file of files) {
        // A folder is no object, so there is nothing to delete; `remove` would take an empty one.
        const isFile = await Deno.lstat(file).then((info) => info.isFile, () => false);
        if (!isFile) continue;
        await Deno.remove(file).then(() => removed++, (error) => {
          if (codeOf(error) !== "ENOENT") throw error;
        });
      }
      if (removed === 0) return;
      const directory = await this.#directories.enter(folder);
      try {
        await this.#directories.sync(directory);
      } finally {
        this.#directories.leave(directory);
      }
      await this.#directories.prune(folder);
    } catch (error) {
      throw storeError(error, `delete below ${folder}`);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#publishing);
    await this.temps.close();
    await this.#directories.idle();
    this.#directories.close();
  }

  /**
   * The caller's body is read until it is written and no longer, so an abort waits for that and for
   * nothing else. `publish` gives the temporary file its name.
   */
  async #write<T>(
    key: string,
    body: readonly Uint8Array[],
    signal: AbortSignal | undefined,
    publish: (temp: TempFile, path: string, directory: Directory) => Promise<T>,
  ): Promise<T> {
    this.#check(key, signal);
    this.#checkWritable();
    await this.#writes.acquire();
    let temp: TempFile | undefined;
    try {
      temp = await this.temps.take();
      await writeBody(temp.file, body);
      if (signal?.aborted) throw abortedError(signal);
    } catch (error) {
      if (temp !== undefined) this.temps.retire(temp);
      this.#writes.release();
      throw storeError(error, `write ${key}`);
    }
    const written = temp;
    const published = this.#publish(key, written, publish).finally(() => {
      this.temps.retire(written);
      this.#writes.release();
      this.#publishing.delete(published);
    });
    this.#publishing.add(published);
    return await abortable(published, signal);
  }

  async #publish<T>(
    key: string,
    temp: TempFile,
    publish: (temp: TempFile, path: string, directory: Directory) => Promise<T>,
  ): Promise<T> {
    const path = this.#path(key);
    try {
      await temp.file.syncData();
      for (let attempt = 1;; attempt++) {
        const directory = await this.#directories.enter(parentOf(path));
        try {
          return await publish(temp, path, directory);
        } catch (error) {
          if (codeOf(error) !== "ENOENT" || attempt === ATTEMPTS_MAX) throw error;
          this.#directories.forget(directory);
        } finally {
          this.#directories.leave(directory);
        }
      }
    } catch (error) {
      throw storeError(error, `write ${key}`);
    }
  }

  #path(key: string): string {
    return `${this.root}/${pathOfKey(key, this.foldsCase)}`;
  }

  #check(key: string, signal: AbortSignal | undefined): void {
    this.#checkOpen(signal);
    checkKey(key);
  }

  #checkOpen(signal: AbortSignal | undefined): void {
    if (this.#closed) throw closedError();
    if (signal?.aborted) throw abortedError(signal);
  }

  #checkWritable(): void {
    if (this.readOnly) throw new StoreError("fatal", "the file store was opened read-only");
  }
}

/** Stops waiting on abort; the call itself goes on. */
function abortable<T>(call: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return call;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortedError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    call.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
