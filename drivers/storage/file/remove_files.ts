/** How the files of objects are removed. */
import type { Directories } from "./directories.ts";
import { codeOf } from "./errors.ts";
import { syncFolder } from "./journal_file.ts";
import type { OpenFiles } from "./open_files.ts";

export interface Removal {
  /** Names that are gone may not be durably so. */
  readonly doubt: boolean;
  readonly files: OpenFiles;
  readonly directories: Directories;
}

/** Removes them durably; those that are gone are fine. All lie in `folder`. */
export async function removeFiles(
  folder: string,
  paths: readonly string[],
  { doubt, files, directories }: Removal,
): Promise<void> {
  let removed = 0;
  for (const path of paths) {
    // A folder is no object, so there is nothing to delete; `remove` would take an empty one.
    const isFile = await Deno.lstat(path).then((info) => info.isFile, () => false);
    if (!isFile) continue;
    // Before, too: whoever closes a file without a name gives back its pages, on the main thread.
    files.forget(path);
    await Deno.remove(path).then(() => removed++, (error) => {
      if (codeOf(error) !== "ENOENT") throw error;
    });
    files.forget(path);
    directories.unnamed(path);
  }
  if (removed === 0 && !doubt) return;
  await syncFolder(folder);
  await directories.prune(folder);
}
