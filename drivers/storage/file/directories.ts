/**
 * Folders that objects are linked into: made and made durable on first use, their handles kept open
 * for fsync. Creates that finish together share one fsync (group commit of names).
 */
import { deferred } from "../../../core/runtime/mod.ts";
import { codeOf, syncError } from "./errors.ts";
import { DIRECTORY_HANDLES_MAX, DIRECTORY_NAMES_MAX } from "./settings.ts";

interface Directory {
  readonly path: string;
  /** undefined on Windows, which has neither the need nor the means. */
  readonly handle: Deno.FsFile | undefined;
  /** Calls that are between `enter` and `leave`; only an unused one is closed. */
  users: number;
  /** The fsync that runs now, and the one that starts after it. */
  running: Promise<void> | undefined;
  next: Promise<void> | undefined;
  /**
   * Paths that may exist in a folder that was made here, and is nobody else's; undefined where only
   * the disk knows. Asking it for a name that is not there costs more than the rest of a create.
   */
  names: Set<string> | undefined;
}

export class Directories {
  /** By absolute path; in order of last use. */
  readonly #open = new Map<string, Directory>();
  /** Forgotten while in use: what their users name may turn up in a folder that is made later. */
  readonly #ghosts = new Set<Directory>();
  /** Making and removing folders happens one after the other. */
  #structure: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(readonly root: string) {}

  /** Makes sure that the folder exists and stays open until `leave`. */
  enter(path: string): Directory | Promise<Directory> {
    const known = this.#open.get(path);
    if (known === undefined) {
      return this.#exclusive(async () => {
        const made = this.#open.get(path) ?? await this.#make(path);
        return this.#use(made);
      });
    }
    return this.#use(known);
  }

  leave(directory: Directory): void {
    directory.users--;
    if (directory.users === 0 && this.#open.get(directory.path) !== directory) {
      this.#ghosts.delete(directory);
      closeQuietly(directory.handle);
    }
    this.#trim();
  }

  /** Whether there is certainly nothing of that path, which is one of the folder's. */
  lacks({ names }: Directory, path: string): boolean {
    return names !== undefined && !names.has(path);
  }

  /** To be called before something gets the path. */
  willName(directory: Directory, path: string): void {
    if (directory.names === undefined) return;
    directory.names.add(path);
    if (directory.names.size > DIRECTORY_NAMES_MAX) directory.names = undefined;
  }

  /** To be called when nothing has the path any more. */
  unnamed(path: string): void {
    this.#open.get(parentOf(path))?.names?.delete(path);
  }

  /** Forgets a folder that turned out to be gone. */
  forget(directory: Directory): void {
    if (this.#open.get(directory.path) === directory) this.#open.delete(directory.path);
    if (directory.users === 0) closeQuietly(directory.handle);
    else this.#ghosts.add(directory);
  }

  /** Makes names that were linked, renamed or removed before the call durable. */
  sync(directory: Directory): Promise<void> {
    if (directory.running === undefined) return this.#startSync(directory);
    if (directory.next === undefined) {
      const begin = () => {
        directory.next = undefined;
        return this.#startSync(directory);
      };
      directory.next = directory.running.then(begin, begin);
    }
    return directory.next;
  }

  #startSync(directory: Directory): Promise<void> {
    const run = async () => {
      try {
        await directory.handle?.sync();
      } catch (error) {
        throw syncError(error, `fsync ${directory.path}`);
      } finally {
        if (directory.running === running) directory.running = undefined;
      }
    };
    const running = run();
    directory.running = running;
    return running;
  }

  /** Removes the folder, and then those above it, as long as they are empty and unused. */
  prune(path: string): Promise<void> {
    return this.#exclusive(async () => {
      for (let at = path; at.length > this.root.length; at = parentOf(at)) {
        const known = this.#open.get(at);
        if (known !== undefined && known.users > 0) return;
        try {
          await Deno.remove(at);
        } catch (error) {
          if (codeOf(error) !== "ENOENT") return;
        }
        // Who entered by the map meanwhile finds no folder: its link fails with ENOENT, and it
        // enters again.
        const gone = this.#open.get(at);
        if (gone !== undefined) this.forget(gone);
      }
    });
  }

  /** Handles in use are closed when their users leave. */
  close(): void {
    this.#closed = true;
    for (const directory of [...this.#open.values()]) this.forget(directory);
  }

  /** Resolves when no folder is being made or removed. */
  async idle(): Promise<void> {
    await this.#structure;
  }

  #use(directory: Directory): Directory {
    directory.users++;
    this.#open.delete(directory.path);
    this.#open.set(directory.path, directory);
    return directory;
  }

  #trim(): void {
    for (const directory of this.#open.values()) {
      if (!this.#closed && this.#open.size <= DIRECTORY_HANDLES_MAX) return;
      if (directory.users === 0) this.forget(directory);
    }
  }

  async #make(path: string): Promise<Directory> {
    let handle: Deno.FsFile | undefined;
    let names: Set<string> | undefined;
    try {
      handle = await openDirectory(path);
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || path.length <= this.root.length) throw error;
      const parent = this.#open.get(parentOf(path)) ?? await this.#make(parentOf(path));
      this.#use(parent);
      try {
        this.willName(parent, path);
        const haunted = [...this.#ghosts].some((ghost) => ghost.path === path);
        await Deno.mkdir(path).then(() => names = haunted ? undefined : new Set(), (failure) => {
          if (codeOf(failure) !== "EEXIST") throw failure;
        });
        await this.sync(parent);
      } finally {
        this.leave(parent);
      }
      handle = await openDirectory(path);
    }
    const made = { path, handle, users: 0, running: undefined, next: undefined, names };
    this.#open.set(path, made);
    return made;
  }

  async #exclusive<T>(run: () => Promise<T>): Promise<T> {
    const before = this.#structure;
    const mine = deferred<void>();
    this.#structure = mine.promise;
    await before;
    try {
      return await run();
    } finally {
      mine.resolve();
    }
  }
}

export type { Directory };

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function openDirectory(path: string): Promise<Deno.FsFile | undefined> {
  return Deno.build.os === "windows" ? Promise.resolve(undefined) : Deno.open(path);
}

function closeQuietly(handle: Deno.FsFile | undefined): void {
  try {
    handle?.close();
  } catch {
    // closed before
  }
}
