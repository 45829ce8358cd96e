/**
 * Folders that objects are linked into: made and made durable on first use, their handles kept open
 * for fsync. Creates that finish together share one fsync (group commit of names).
 */
import { deferred } from "../../../core/runtime/mod.ts";
import { codeOf, syncError } from "./errors.ts";
import { DIRECTORY_HANDLES_MAX } from "./settings.ts";

interface Directory {
  readonly path: string;
  /** undefined on Windows, which has neither the need nor the means. */
  readonly handle: Deno.FsFile | undefined;
  /** Calls that are between `enter` and `leave`; only an unused one is closed. */
  users: number;
  /** The fsync that runs now, and the one that starts after it. */
  running: Promise<void> | undefined;
  next: Promise<void> | undefined;
}

export class Directories {
  /** By absolute path; in order of last use. */
  readonly #open = new Map<string, Directory>();
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
    const forgotten = this.#open.get(directory.path) !== directory;
    if (forgotten && directory.users === 0) closeQuietly(directory.handle);
    this.#trim();
  }

  /** Forgets a folder that turned out to be gone. */
  forget(directory: Directory): void {
    if (this.#open.get(directory.path) === directory) this.#open.delete(directory.path);
    if (directory.users === 0) closeQuietly(directory.handle);
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
    try {
      handle = await openDirectory(path);
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || path.length <= this.root.length) throw error;
      const parent = this.#open.get(parentOf(path)) ?? await this.#make(parentOf(path));
      this.#use(parent);
      try {
        await Deno.mkdir(path).catch((failure) => {
          if (codeOf(failure) !== "EEXIST") throw failure;
        });
        await this.sync(parent);
      } finally {
        this.leave(parent);
      }
      handle = await openDirectory(path);
    }
    const made = { path, handle, users: 0, running: undefined, next: undefined };
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
