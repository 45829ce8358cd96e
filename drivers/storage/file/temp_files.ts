/** Files that are written before they get their name; a few wait open for the next create. */
import { SPARE_TEMP_FILES_MAX } from "./settings.ts";

export interface TempFile {
  readonly path: string;
  readonly file: Deno.FsFile;
}

export class TempFiles {
  readonly #spare: TempFile[] = [];
  readonly #chores = new Set<Promise<void>>();
  readonly #instance = crypto.randomUUID().slice(0, 8);
  #count = 0;
  #closed = false;

  constructor(readonly dir: string) {}

  /** Removes what an earlier process left behind. */
  async sweep(): Promise<void> {
    for await (const entry of Deno.readDir(this.dir)) {
      if (entry.isFile) await Deno.remove(`${this.dir}/${entry.name}`).catch(() => {});
    }
  }

  take(): TempFile | Promise<TempFile> {
    return this.#spare.pop() ?? this.#create();
  }

  /** Closes the file and takes its temporary name away if it still has it, in the background. */
  retire(temp: TempFile): void {
    const chore = this.#retire(temp).finally(() => this.#chores.delete(chore));
    this.#chores.add(chore);
  }

  /** Closes the spare files and waits for the chores that run. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const temp of this.#spare.splice(0)) this.retire(temp);
    while (this.#chores.size > 0) await Promise.all(this.#chores);
  }

  async #create(): Promise<TempFile> {
    const path = `${this.dir}/${this.#instance}-${this.#count++}`;
    return { path, file: await Deno.open(path, { write: true, createNew: true }) };
  }

  async #retire(temp: TempFile): Promise<void> {
    temp.file.close();
    try {
      await Deno.remove(temp.path).catch(() => {});
      if (this.#closed || this.#spare.length >= SPARE_TEMP_FILES_MAX) return;
      const spare = await this.#create();
      if (this.#closed) await this.#retire(spare);
      else this.#spare.push(spare);
    } catch {
      // A full disk or a vanished folder: the next create says so; the next start sweeps.
    }
  }
}
