/** Checks on the tree as a whole that neither the compiler nor a lint of one file can make. */
import { ROOMS } from "./import_rules.ts";

const ROOT = new URL("../../", import.meta.url);

/** Anything above it does not belong into a repository of text. */
const FILE_BYTES_MAX = 1024 * 1024;

/** In a linked work tree `.git` is a file. */
const SKIPPED = new Set([".git", ".cache", "data", "dist", "node_modules"]);

/** Text that ties the tree to the machine or the network it was written on. */
const FOREIGN: readonly (readonly [RegExp, string])[] = [
  [/(^|[\s"'`(=])\/(work|root|home\/[a-z]+)\/\w/m, "a path of somebody's machine"],
  [/https?:\/\/(registry\.|npm\.|pypi\.|proxy\.golang|repo1?\.maven)/, "a registry's host"],
  [/^(<{7}|>{7}) /m, "a merge conflict"],
  [/Deno\.test\.only\(|\bonly: true/, "a test that keeps the others from running"],
];

/** Files that must quote such text. */
const MAY_QUOTE: readonly string[] = ["tests/gate/tidy.ts", "tests/gate/tidy_test.ts"];

export interface TreeFile {
  /** From the root, with slashes. */
  readonly path: string;
  readonly size: number;
}

export async function* treeFiles(folder = ""): AsyncGenerator<TreeFile> {
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    const path = folder + entry.name;
    if (SKIPPED.has(entry.name)) continue;
    if (entry.isDirectory) yield* treeFiles(`${path}/`);
    if (entry.isFile) yield { path, size: (await Deno.stat(new URL(path, ROOT))).size };
  }
}

/** What is wrong with one file's content. */
export function untidy(path: string, text: string): string[] {
  if (MAY_QUOTE.includes(path)) return [];
  const found: string[] = [];
  for (const [pattern, what] of FOREIGN) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const line = text.slice(0, match.index + 1).split("\n").length;
    found.push(`${path}:${line}: ${what}: ${match[0].trim()}`);
  }
  if (text !== "" && !text.endsWith("\n")) found.push(`${path}: does not end with a line feed`);
  if (text.includes("\r\n")) found.push(`${path}: has CRLF line ends`);
  return found;
}

/** Rooms whose mod.ts is missing or doesn't say what the room is. */
export async function undocumentedRooms(): Promise<string[]> {
  const found: string[] = [];
  for (const room of Object.keys(ROOMS)) {
    if (room.endsWith(".ts") || !room.startsWith("core/") || room === "core/std") continue;
    const files = await Array.fromAsync(Deno.readDir(new URL(room, ROOT))).catch(() => []);
    if (files.length === 0) continue;
    const text = await Deno.readTextFile(new URL(`${room}/mod.ts`, ROOT)).catch(() => "");
    const comment = /\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? "";
    for (const wanted of ["Invariant:", "Upstream:", "Downstream:", "May import:", "@module"]) {
      if (!comment.includes(wanted)) found.push(`${room}/mod.ts: its comment lacks "${wanted}"`);
    }
  }
  return found;
}

/** Files of the product that neither the program nor a test reaches; a room's mod.ts may be doc. */
export async function deadFiles(paths: readonly string[]): Promise<string[]> {
  const manifest = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const mapped = Object.values<string>(manifest.imports).map((target) => target.replace("./", ""));
  const roots = paths.filter((path) =>
    path === "main.ts" || mapped.includes(path) ||
    /^(tests|bench|\.ci)\/.*(_test|_bench|main)\.ts$/.test(path)
  );
  const reached = new Set<string>();
  const known = new Set(paths);
  const pending = [...roots];
  while (pending.length > 0) {
    const path = pending.pop()!;
    if (reached.has(path)) continue;
    reached.add(path);
    const text = await Deno.readTextFile(new URL(path, ROOT));
    // imports, and files that a test starts or reads by a relative name
    for (const [, specifier] of text.matchAll(/["'`](\.{1,2}\/[\w./-]+\.ts)["'`]/g)) {
      const target = new URL(specifier!, `file:///${path}`).pathname.slice(1);
      if (known.has(target)) pending.push(target);
    }
  }
  return paths
    .filter((path) => /^(core|drivers|plugins)\/.*(?<!\.d|\/mod)\.ts$/.test(path))
    .filter((path) => !reached.has(path))
    .map((path) => `${path}: nothing uses it`);
}

/** Everything untidy in the tree, one line each. */
export async function tidy(): Promise<string[]> {
  const files = await Array.fromAsync(treeFiles());
  const found: string[] = [];
  for (const { path, size } of files) {
    if (size > FILE_BYTES_MAX) {
      found.push(`${path}: ${size} bytes, over ${FILE_BYTES_MAX}`);
      continue;
    }
    const bytes = await Deno.readFile(new URL(path, ROOT));
    if (bytes.includes(0)) continue;
    found.push(...untidy(path, new TextDecoder().decode(bytes)));
  }
  found.push(...await undocumentedRooms());
  found.push(...await deadFiles(files.map(({ path }) => path)));
  return found.sort();
}
