/** A sorted walk over the folders that can hold keys with a prefix, and over no others. */
import type { ObjectInfo } from "../../../core/storage/object_store.ts";
import { compareKeys } from "../object_key.ts";
import { codeOf } from "./errors.ts";
import { type Binary, decodeName, fromBinary, pathOfKey, toBinary } from "./paths.ts";
import { JOURNAL_DIR, LIST_STATS_AT_ONCE, TEMP_DIR } from "./settings.ts";

interface Found {
  /** The key, or for a folder what all its keys start with. */
  readonly key: Binary;
  readonly path: string;
  readonly isFolder: boolean;
}

export interface Walk {
  readonly root: string;
  readonly foldsCase: boolean;
  readonly prefix: Binary;
  readonly startAfter: Binary | undefined;
  /** Throws to end the walk. */
  readonly check: () => void;
}

export function walkOf(
  root: string,
  foldsCase: boolean,
  prefix: string,
  startAfter: string | undefined,
  check: () => void,
): Walk {
  const after = startAfter === undefined ? undefined : toBinary(startAfter);
  return { root, foldsCase, prefix: toBinary(prefix), startAfter: after, check };
}

/** Objects in key order. */
export async function* listObjects(walk: Walk): AsyncGenerator<ObjectInfo> {
  const folder = walk.prefix.slice(0, walk.prefix.lastIndexOf("/") + 1);
  const start = fromBinary(folder.slice(0, -1));
  if (folder === "/") return;
  if (start.split("/").some((part) => part === "." || part === "..")) return;
  if (folder !== "" && start.split("/").includes("")) return;
  const path = folder === "" ? walk.root : `${walk.root}/${pathOfKey(start, walk.foldsCase)}`;
  yield* listFolder(walk, folder, path);
}

async function* listFolder(walk: Walk, key: Binary, path: string): AsyncGenerator<ObjectInfo> {
  walk.check();
  const found: Found[] = [];
  await readFolder(walk, key, path, found);
  found.sort((a, b) => a.key < b.key ? -1 : 1);
  for (let at = 0; at < found.length;) {
    const entry = found[at]!;
    if (entry.isFolder) {
      yield* listFolder(walk, entry.key, entry.path);
      at++;
      continue;
    }
    const files: Found[] = [];
    while (files.length < LIST_STATS_AT_ONCE && at < found.length && !found[at]!.isFolder) {
      files.push(found[at++]!);
    }
    walk.check();
    const sizes = await Promise.all(files.map((file) => sizeOf(file.path)));
    for (let n = 0; n < files.length; n++) {
      const size = sizes[n];
      if (size !== undefined) yield { key: fromBinary(files[n]!.key), size };
    }
  }
}

async function readFolder(walk: Walk, key: Binary, path: string, into: Found[]): Promise<void> {
  const continued: [Binary, string][] = [];
  try {
    for await (const entry of Deno.readDir(path)) {
      if (path === walk.root && (entry.name === TEMP_DIR || entry.name === JOURNAL_DIR)) continue;
      const name = decodeName(entry.name);
      if (name === undefined) continue;
      const at = `${path}/${entry.name}`;
      if (name.continued) continued.push([key + name.part, at]);
      else if (entry.isDirectory) {
        const inside = key + name.part + "/";
        if (wanted(walk, inside, true)) into.push({ key: inside, path: at, isFolder: true });
      } else if (entry.isFile && wanted(walk, key + name.part, false)) {
        into.push({ key: key + name.part, path: at, isFolder: false });
      }
    }
  } catch (error) {
    if (codeOf(error) !== "ENOENT" && codeOf(error) !== "ENOTDIR") throw error;
  }
  for (const [inside, at] of continued) await readFolder(walk, inside, at, into);
}

function wanted(walk: Walk, key: Binary, isFolder: boolean): boolean {
  const { prefix, startAfter } = walk;
  if (!key.startsWith(prefix) && !(isFolder && prefix.startsWith(key))) return false;
  if (startAfter === undefined || key > startAfter) return true;
  return isFolder && startAfter.startsWith(key);
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.lstat(path)).size;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Both in key order; where a key is in both, `memory` has it right. */
export async function* mergeObjects(
  memory: readonly ObjectInfo[],
  disk: AsyncIterable<ObjectInfo>,
): AsyncGenerator<ObjectInfo> {
  let at = 0;
  for await (const object of disk) {
    while (at < memory.length && compareKeys(memory[at]!.key, object.key) < 0) yield memory[at++]!;
    if (memory[at]?.key !== object.key) yield object;
  }
  while (at < memory.length) yield memory[at++]!;
}

/** The objects among `held` that a walk asks for, in key order. */
export function heldObjects(
  held: Iterable<[string, number]>,
  prefix: string,
  startAfter: string | undefined,
): ObjectInfo[] {
  const found: ObjectInfo[] = [];
  for (const [key, size] of held) {
    if (!key.startsWith(prefix)) continue;
    if (startAfter !== undefined && compareKeys(key, startAfter) <= 0) continue;
    found.push({ key, size });
  }
  return found.sort((a, b) => compareKeys(a.key, b.key));
}
