/** Folders, stores and objects for the tests of create journals and volumes. */
import { assertEquals } from "@std/assert";
import type { ObjectStore } from "../../../core/storage/object_store.ts";
import { NO_NETWORK } from "../../conformance/store_faults.ts";
import { readGeneration, readRecords } from "../../../drivers/storage/file/journal_format.ts";
import type { JournalHandle } from "../../../drivers/storage/file/journal_file.ts";

export const KIB = 1024;

/** What the conformance suite cannot ask of a directory. */
export const NOT_OF_FILES = {
  ...NO_NETWORK,
  "nested-keys": "a file system name is a file or a folder; no KafScale key is both",
  "wrong-credentials": "a directory knows no credentials",
  "missing-bucket": "the directory is made",
};

export async function inFolder(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-journal-" });
  try {
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

export function body(n: number, bytes = 100): Uint8Array[] {
  return [new Uint8Array(bytes).fill(n)];
}

export const small = { bytes: 64 * KIB };
/** All of them take some 1,000 objects of 100 bytes. */
export const tiny = { bytes: 24 * KIB };

/** Creates until the first journal is in use; returns a key that it holds. */
export async function warm(store: ObjectStore, dir: string): Promise<void> {
  await store.putIfAbsent("warm/0", body(0));
  while (!await Deno.stat(`${dir}/.journal/a`).then(() => true, () => false)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Creates w/0, w/1 and so on, of 1 KiB each; now and then further journals are made meanwhile. */
export async function fill(store: ObjectStore, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await store.putIfAbsent(`w/${n}`, body(n, KIB));
    if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The disk as a power cut may leave it: what was synced is there, the rest of the files is not. */
export async function powerCut(from: string, to: string): Promise<void> {
  await Deno.mkdir(`${to}/.journal`, { recursive: true });
  for (const { name } of Deno.readDirSync(`${from}/.journal`)) {
    if (name === "lock") continue;
    await Deno.copyFile(`${from}/.journal/${name}`, `${to}/.journal/${name}`).catch(() => {});
  }
}

/** Opens files of which single calls are others. */
export function opening(
  replaced: (path: string, file: Deno.FsFile) => Partial<JournalHandle>,
): (path: string, options: Deno.OpenOptions) => Promise<JournalHandle> {
  return async (path, options) => {
    const file = await Deno.open(path, options);
    const others = replaced(path, file);
    return new Proxy(file, {
      get: (target, name: keyof JournalHandle) => {
        const value = others[name] ?? target[name];
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
}

export async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("", undefined)) keys.push(key);
  return keys;
}

export async function assertHolds(store: ObjectStore, key: string, n: number, bytes = 100) {
  assertEquals(await store.get(key, undefined), body(n, bytes)[0], key);
}

export async function recordsIn(path: string) {
  const bytes = await Deno.readFile(path);
  return readRecords(bytes, readGeneration(bytes)!);
}
