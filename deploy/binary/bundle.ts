/**
 * The program as a few JavaScript files: what runs and nothing else, split where it is loaded when
 * used. `deno compile` alone would embed every npm package of deno.lock, those of the tests too.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { deno, ROOT } from "./deno.ts";
import { idOf, type NpmFile, npmFile, type NpmPackage } from "./npm_file.ts";

/** What went into the chunks. */
export interface Bundle {
  /** File names, relative to the output folder; assets of packages included. */
  readonly files: readonly string[];
  /** Modules of this tree, relative to its root. */
  readonly modules: readonly string[];
  /** Every npm package of which something is inside, by name and version. */
  readonly packages: readonly NpmPackage[];
}

/** A module inside a chunk: the bundler writes each one's path in front of it. */
interface Section {
  /** As written, relative to the root; undefined before the first module. */
  readonly path: string | undefined;
  readonly text: string;
}

/** Data that npm modules read from beside themselves. */
const ASSET = /\.(wasm|proto)$/;

/** Bundles `entry` into `folder`, which must not exist. */
export async function bundle(entry: string, folder: string): Promise<Bundle> {
  const { npmCache } = JSON.parse(await deno(["info", "--json"]));
  await deno(["bundle", "--quiet", "--frozen", "--code-splitting", "--outdir", folder, entry]);
  const cache = await Deno.realPath(npmCache);
  const files: string[] = [];
  const modules = new Set<string>();
  const packages = new Map<string, NpmPackage>();
  const withAssets = new Set<NpmPackage>();
  for await (const { name } of Deno.readDir(folder)) {
    files.push(name);
    const text = await Deno.readTextFile(`${folder}/${name}`);
    let npm = "";
    const rewritten = sections(text, isFile).map((section) => {
      if (section.path === undefined) return nodesDefault(section.text);
      const file = npmFile(Deno.realPathSync(absolute(section.path)), cache);
      if (file === undefined) {
        modules.add(section.path);
        return ownModule(section.path, section.text);
      }
      npm += section.text;
      const id = idOf(file.package);
      if (!packages.has(id)) packages.set(id, file.package);
      const { text, readsFiles } = npmModule(section.path, section.text, file);
      if (readsFiles) withAssets.add(packages.get(id)!);
      return text;
    });
    const head = timersOfNode(text, npm);
    await Deno.writeTextFile(`${folder}/${name}`, head + rewritten.join(""));
  }
  for (const each of withAssets) files.push(...await copyAssets(each, folder));
  return {
    files: files.sort(),
    // the entry itself is made for the build
    modules: [...modules].filter((path) => !path.startsWith("dist/")).sort(),
    packages: [...packages.keys()].sort().map((id) => packages.get(id)!),
  };
}

/** The bundler writes paths relative to where it runs. */
function absolute(path: string): string {
  return resolve(fileURLToPath(ROOT), path);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(absolute(path)).isFile;
  } catch {
    return false;
  }
}

/** Cuts a chunk at the comments that name modules: a file's path, and nothing else. */
export function sections(chunk: string, isFile: (path: string) => boolean): Section[] {
  const found: Section[] = [];
  let path: string | undefined;
  let start = 0;
  for (const match of chunk.matchAll(/^\/\/ (\S.*\.(?:[cm]?[jt]s|json))$/gm)) {
    if (!isFile(match[1]!)) continue;
    found.push({ path, text: chunk.slice(start, match.index) });
    path = match[1];
    start = match.index;
  }
  found.push({ path, text: chunk.slice(start) });
  return found;
}

/**
 * The default import of a CommonJS module is its `exports`, as in Node. Before Deno 2.8 the bundler
 * took what the module calls `default` instead, which some do not have.
 */
export function nodesDefault(text: string): string {
  return text.replace("isNodeMode || !mod || !mod.__esModule ?", "true ?");
}

const TIMERS: readonly string[] = ["Timeout", "Interval", "Immediate"]
  .flatMap((kind) => [`set${kind}`, `clear${kind}`]);

/**
 * An import for the head of a chunk: npm modules have Node's timers, whose handles are objects with
 * `refresh()` and `unref()`. In a chunk the bare names are Deno's, whose handles are numbers. What
 * the chunk declares by itself is left alone.
 */
export function timersOfNode(chunk: string, npm: string): string {
  const names = TIMERS.filter((name) => {
    const declared =
      `^(import [^\\n]*[{,] *${name} *[,}]|(var|let|const|function|class) ${name}\\b)`;
    return new RegExp(`\\b${name}\\b`).test(npm) && !new RegExp(declared, "m").test(chunk);
  });
  return names.length === 0 ? "" : `import { ${names.join(", ")} } from "node:timers";\n`;
}

/** Our own code may not ask where it lies: in a chunk the answer is another one. */
function ownModule(path: string, text: string): string {
  if (path.startsWith("..")) throw new Error(`${path} is neither of this tree nor an npm module`);
  if (/\bimport\.meta\.(?!main\b)|\b__(dirname|filename)\b/.test(text)) {
    throw new Error(`${path} asks for its own place, which bundling changes; pass it in instead`);
  }
  return text;
}

/**
 * Gives an npm module its old place, below `npm/`, so that it finds the files beside it; and takes
 * the builder's own paths out of comments and names.
 */
export function npmModule(
  path: string,
  text: string,
  file: NpmFile,
): { readonly text: string; readonly readsFiles: boolean } {
  const place = `./${file.path}`;
  const folder = file.path.slice(0, file.path.lastIndexOf("/"));
  let readsFiles = false;
  const rewritten = text
    .replaceAll(path, () => file.path)
    .replace(/\bimport\.meta\.url\b|\b__dirname\b|\b__filename\b/g, (name) => {
      readsFiles = true;
      if (name === "import.meta.url") return `new URL("${place}", import.meta.url).href`;
      return `(import.meta.dirname + "/${name === "__dirname" ? folder : file.path}")`;
    });
  return { text: rewritten, readsFiles };
}

async function copyAssets(
  { name, version, root }: NpmPackage,
  folder: string,
): Promise<string[]> {
  const copied: string[] = [];
  for (const asset of await filesBelow(root)) {
    if (!ASSET.test(asset)) continue;
    const target = `npm/${name}/${version}/${asset}`;
    await Deno.mkdir(`${folder}/${target.slice(0, target.lastIndexOf("/"))}`, { recursive: true });
    await Deno.copyFile(`${root}/${asset}`, `${folder}/${target}`);
    copied.push(target);
  }
  return copied;
}

async function filesBelow(root: string, folder = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(`${root}/${folder}`)) {
    const path = folder + entry.name;
    if (entry.isDirectory) found.push(...await filesBelow(root, `${path}/`));
    else found.push(path);
  }
  return found;
}
