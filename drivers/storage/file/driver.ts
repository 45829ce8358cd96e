/**
 * `file`: objects as files below one directory. Nothing partial is ever visible, and what is
 * visible is durable: writer.ts has how objects come and go, this file how they are read.
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
import { firstBytes, readAt, scatter } from "./body.ts";
import { CreateJournal, type Replayed } from "./create_journal.ts";
import { abortable, abortedError, closedError, codeOf, storeError } from "./errors.ts";
import { heldIn, type Live, readHeld } from "./held.ts";
import { heldObjects, listObjects, mergeObjects, walkOf } from "./listing.ts";
import type { OpenJournal } from "./journal_file.ts";
import { lockFolder, probeCase, probeLinks } from "./opening.ts";
import { pathOfKey } from "./paths.ts";
import { OpenFiles } from "./open_files.ts";
import { replayJournals } from "./replay.ts";
import {
  FILE_ADVICE,
  type FileStoreOptions,
  IDLE_FILES_MAX,
  JOURNAL_BYTES,
  JOURNAL_DIR,
  READS_MAX,
  TEMP_DIR,
} from "./settings.ts";
import { TempFiles } from "./temp_files.ts";
import { Volumes } from "./volumes.ts";
import { FileWriter } from "./writer.ts";

export { FILE_ADVICE, type FileStoreOptions } from "./settings.ts";

/**
 * Opens the store, sweeps temporary files, proves that the file system can do what it must, and
 * loads what journals and volumes hold. A read-only store does nothing but the last, and does it
 * again at each listing: another process may be writing.
 */
export async function openFileStore(options: FileStoreOptions): Promise<ObjectStore> {
  let lock: Deno.FsFile | undefined;
  let temps: TempFiles | undefined;
  try {
    const readOnly = options.readOnly ?? false;
    if (!readOnly) {
      await Deno.mkdir(`${options.dir}/${TEMP_DIR}`, { recursive: true });
      await Deno.mkdir(`${options.dir}/${JOURNAL_DIR}`, { recursive: true });
    }
    const root = await Deno.realPath(options.dir);
    const foldsCase = await probeCase(root);
    if (readOnly) {
      const files = new OpenFiles(0);
      const { live } = await openJournals(root, Deno.open, undefined);
      return new FileDriver(root, foldsCase, live, await volumesFor(root, files), files, undefined);
    }
    lock = await lockFolder(`${root}/${JOURNAL_DIR}`);
    temps = new TempFiles(`${root}/${TEMP_DIR}`);
    await temps.sweep();
    await probeLinks(temps);
    const files = new OpenFiles(IDLE_FILES_MAX);
    const writer = new FileWriter(root, temps, foldsCase, files);
    const open = options.journal?.open ?? Deno.open;
    const replayed = await openJournals(root, open, (key) => writer.remove(key));
    const bytes = options.journal?.bytes ?? JOURNAL_BYTES;
    const setup = { dir: `${root}/${JOURNAL_DIR}`, bytes, open };
    const volumes = await Volumes.open({
      dir: setup.dir,
      open,
      files,
      readOnly,
      bytes: options.journal?.volumeBytes,
    }).catch((error) => {
      for (const { handle } of replayed.files) handle.close();
      throw error;
    });
    writer.use(new CreateJournal(setup, writer, replayed), volumes);
    return new FileDriver(root, foldsCase, replayed.live, volumes, files, writer, lock);
  } catch (error) {
    await temps?.close();
    lock?.close();
    throw storeError(error, `open the data directory ${options.dir}`);
  }
}

async function openJournals(
  root: string,
  open: OpenJournal,
  remove: ((key: string) => Promise<void>) | undefined,
): Promise<Replayed> {
  const replayed = await replayJournals(`${root}/${JOURNAL_DIR}`, open, remove);
  if (remove === undefined) { for (const file of replayed.files) file.handle.close(); }
  return replayed;
}

/** As they are now, to be read. */
function volumesFor(root: string, files: OpenFiles): Promise<Volumes> {
  return Volumes.open({ dir: `${root}/${JOURNAL_DIR}`, open: Deno.open, files, readOnly: true });
}

class FileDriver implements ObjectStore {
  readonly advice: StoreAdvice = FILE_ADVICE;
  readonly #reads = new Semaphore(READS_MAX);
  #closed: Promise<void> | undefined;

  constructor(
    readonly root: string,
    readonly foldsCase: boolean,
    /** The objects that the journals hold; the writer keeps it current, else a listing does. */
    public live: ReadonlyMap<string, Live>,
    /** Those of the writer, or as they were at the last listing. */
    public volumes: Volumes,
    readonly files: OpenFiles,
    /** undefined: read-only. */
    readonly writer: FileWriter | undefined,
    readonly lock?: Deno.FsFile,
  ) {}

  get heldBytes(): number {
    return this.writer?.heldBytes ?? 0;
  }

  async putIfAbsent(
    key: string,
    body: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<"created" | "exists"> {
    this.#check(key, options?.signal);
    return await this.#writer().putIfAbsent(key, body, options);
  }

  async put(key: string, body: readonly Uint8Array[], options?: CallOptions): Promise<void> {
    this.#check(key, options?.signal);
    await this.#writer().put(key, body, options?.signal);
  }

  async get(
    key: string,
    range: ByteRange | undefined,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    this.#check(key, options?.signal);
    const held = await readHeld(this.live, key);
    if (held !== undefined) return held.slice(range?.start ?? 0, range?.end ?? held.length);
    await this.#reads.acquire();
    const reading = this.#read(key, range).finally(() => this.#reads.release());
    return await abortable(reading, options?.signal);
  }

  async #read(key: string, range: ByteRange | undefined): Promise<Uint8Array | undefined> {
    return await this.#reading(key, async (file, size, from) => {
      const start = Math.max(0, range?.start ?? 0);
      const end = Math.min(size, range?.end ?? size);
      if (start >= end) return new Uint8Array(0);
      const bytes = new Uint8Array(end - start);
      const read = await readAt(file, from + start, [bytes]);
      if (read < bytes.length) throw new StoreError("retry", `read ${key}: the file was cut short`);
      return bytes;
    });
  }

  /** The object lies in the file from `from` on. Undefined where there is no object. */
  async #reading<T>(
    key: string,
    use: (file: Deno.FsFile, size: number, from: number) => Promise<T>,
  ): Promise<T | undefined> {
    const place = this.volumes.placeOf(key);
    try {
      if (place === undefined) {
        return await this.files.use(this.#path(key), (file, size) => use(file, size, 0));
      }
      const { volume, size, bodyStart } = place;
      return await this.files.use(volume.path, (file) => use(file, size, bodyStart));
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
    const held = await readHeld(this.live, key);
    if (held !== undefined) return scatter(held, start, into);
    await this.#reads.acquire();
    const reading = this.#reading(
      key,
      (file, size, from) => readAt(file, from + start, firstBytes(into, size - start)),
    ).finally(() => this.#reads.release());
    return await abortable(reading, options?.signal);
  }

  async *list(
    prefix: string,
    startAfter: string | undefined,
    options?: CallOptions,
  ): AsyncIterable<ObjectInfo> {
    const check = () => this.#checkOpen(options?.signal);
    check();
    try {
      if (this.writer === undefined) {
        this.live = (await openJournals(this.root, Deno.open, undefined)).live;
        this.volumes = await volumesFor(this.root, this.files);
      }
      const held = heldObjects(this.#held(), prefix, startAfter);
      const walk = walkOf(this.root, this.foldsCase, prefix, startAfter, check);
      yield* mergeObjects(held, listObjects(walk));
    } catch (error) {
      throw storeError(error, `list ${prefix}`);
    }
  }

  /** What has no file of its own. */
  *#held(): Iterable<[string, number]> {
    yield* heldIn(this.live);
    yield* this.volumes.objects();
  }

  async delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    for (const key of keys) this.#check(key, options?.signal);
    await this.#writer().delete(keys, options?.signal);
  }

  close(): Promise<void> {
    this.files.close();
    this.#closed ??= (this.writer?.close() ?? Promise.resolve()).finally(() => this.lock?.close());
    return this.#closed;
  }

  #path(key: string): string {
    return `${this.root}/${pathOfKey(key, this.foldsCase)}`;
  }

  #check(key: string, signal: AbortSignal | undefined): void {
    this.#checkOpen(signal);
    checkKey(key);
  }

  #checkOpen(signal: AbortSignal | undefined): void {
    if (this.#closed !== undefined) throw closedError();
    if (signal?.aborted) throw abortedError(signal);
  }

  #writer(): FileWriter {
    if (this.writer !== undefined) return this.writer;
    throw new StoreError("fatal", "the file store was opened read-only");
  }
}
