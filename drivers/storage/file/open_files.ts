/**
 * Files of objects that were just read stay open for the next read: who reads one part of an object
 * mostly reads the next one soon, and opening a file costs as much as reading 256 KiB of it. A file
 * that has lost its name, or given it to another, is forgotten, and read no more.
 */

interface OpenFile {
  readonly path: string;
  /** Undefined while it is being opened. */
  file: Deno.FsFile | undefined;
  /** Bytes; an object never changes. */
  size: number;
}

export class OpenFiles {
  /** Those that their names still stand for. */
  readonly #byPath = new Map<string, Set<OpenFile>>();
  /** Those that nobody reads, least recently used first. */
  readonly #idle = new Set<OpenFile>();
  #closed = false;

  /** `idleMax`: files that are kept open at most; 0 where another process may change them. */
  constructor(readonly idleMax: number) {}

  /**
   * Runs `use` with the file and its size; nobody else reads the same handle meanwhile. Undefined
   * where the path is a folder; the error of the system where there is nothing.
   */
  async use<T>(
    path: string,
    use: (file: Deno.FsFile, size: number) => Promise<T>,
  ): Promise<T | undefined> {
    const entry = this.#take(path) ?? await this.#open(path);
    if (entry === undefined) return undefined;
    try {
      return await use(entry.file!, entry.size);
    } finally {
      this.#give(entry);
    }
  }

  /** The path stands for another file from now on, or for none. */
  forget(path: string): void {
    const known = this.#byPath.get(path) ?? [];
    this.#byPath.delete(path);
    for (const entry of known) if (this.#idle.has(entry)) this.#end(entry);
  }

  /** Closes what is idle, and what is in use when it has been used. */
  close(): void {
    this.#closed = true;
    for (const entry of this.#idle) this.#end(entry);
  }

  #take(path: string): OpenFile | undefined {
    for (const entry of this.#byPath.get(path) ?? []) {
      if (this.#idle.delete(entry)) return entry;
    }
    return undefined;
  }

  async #open(path: string): Promise<OpenFile | undefined> {
    // Known before it is open: it may lose its name meanwhile.
    const entry: OpenFile = { path, file: undefined, size: 0 };
    const same = this.#byPath.get(path) ?? new Set();
    this.#byPath.set(path, same.add(entry));
    try {
      entry.file = await Deno.open(path);
      const info = entry.file.statSync();
      entry.size = info.size;
      if (!info.isDirectory) return entry;
    } catch (error) {
      this.#end(entry);
      throw error;
    }
    this.#end(entry);
    return undefined;
  }

  #give(entry: OpenFile): void {
    const current = this.#byPath.get(entry.path)?.has(entry);
    if (!current || this.#closed) return this.#end(entry);
    this.#idle.add(entry);
    if (this.#idle.size <= this.idleMax) return;
    const [oldest] = this.#idle;
    this.#end(oldest!);
  }

  #end(entry: OpenFile): void {
    this.#idle.delete(entry);
    const same = this.#byPath.get(entry.path);
    same?.delete(entry);
    if (same?.size === 0) this.#byPath.delete(entry.path);
    entry.file?.close();
  }
}
