/** What the store makes sure of before it serves: it alone writes, and conditional creates work. */
import { StoreError } from "../../../core/storage/object_store.ts";
import { codeOf } from "./errors.ts";
import { TEMP_DIR } from "./settings.ts";
import type { TempFiles } from "./temp_files.ts";

/** Conditional creates stand on link(2): refuse to start without it (I12). */
export async function probeLinks(temps: TempFiles): Promise<void> {
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
export async function probeCase(root: string): Promise<boolean> {
  const upper = `${root}/${TEMP_DIR.toUpperCase()}`;
  return await Deno.lstat(upper).then(() => true, () => false);
}

/**
 * Holds the folder against a second writer, whose deletions the first one's journals would undo,
 * until the file is closed. Where locks are unknown, the rule stands without a guard.
 */
export async function lockFolder(path: string): Promise<Deno.FsFile> {
  const file = await Deno.open(`${path}/lock`, { write: true, create: true });
  const { tryLock } = file as { tryLock?: (exclusive: boolean) => Promise<boolean> };
  const mine = await tryLock?.call(file, true).catch(() => true) ?? true;
  if (mine) return file;
  file.close();
  throw new StoreError("fatal", "another process writes to the directory: stop it first");
}
