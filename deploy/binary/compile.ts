/**
 * `deno task compile [--target TRIPLE] [--output FILE] [--commit NAME]`: the broker and its command
 * line as one file, dist/kafscale (dist/kafscale-TRIPLE for a target). The runtime that goes into
 * it is downloaded once by Deno; offline, DENORT_BIN names one of the same version. Where the files
 * are without their history, as in an image build, --commit names it.
 */
import { startTask } from "../../tests/services/start_task.ts";
import { type Bundle, bundle } from "./bundle.ts";
import { deno, git, ROOT } from "./deno.ts";
import { idOf } from "./npm_file.ts";
import { runTask } from "./task.ts";

/** Deno's compile targets. */
const TARGETS: readonly string[] = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

export interface Compiled {
  readonly output: string;
  readonly target: string;
  readonly commit: string;
  readonly bundle: Bundle;
}

/** Below dist/, which nothing else looks into. */
const BUILD = "dist/build";

export interface CompileOptions {
  readonly target?: string | undefined;
  readonly output?: string | undefined;
  readonly commit?: string | undefined;
}

/** Compiles for one target, and tries the result where it can run. */
export async function compile(options: CompileOptions): Promise<Compiled> {
  const target = options.target ?? Deno.build.target;
  if (!TARGETS.includes(target)) {
    throw new Error(`--target must be one of ${TARGETS.join(", ")}; got "${target}"`);
  }
  const named = options.output ??
    (options.target === undefined ? "dist/kafscale" : `dist/kafscale-${target}`);
  const output = target.includes("windows") ? `${named}.exe` : named;
  const commit = options.commit || await currentCommit();
  await Deno.remove(new URL(BUILD, ROOT), { recursive: true }).catch(ignoreMissing);
  await Deno.mkdir(new URL(BUILD, ROOT), { recursive: true });
  await Deno.writeTextFile(
    new URL(`${BUILD}/kafscale.ts`, ROOT),
    `import { main } from "../../main.ts";\nawait main(${JSON.stringify(commit)});\n`,
  );
  const bundled = await bundle(`${BUILD}/kafscale.ts`, `${BUILD}/program`);
  await deno([...compileArguments(target, output), `${BUILD}/program/kafscale.js`], {
    // deep module graphs overflow the stack of Deno's own threads
    RUST_MIN_STACK: "33554432",
  });
  if (target === Deno.build.target) await tryOut(output, commit);
  return { output, target, commit, bundle: bundled };
}

/** What the `start` task runs with is compiled in. */
function compileArguments(target: string, output: string): string[] {
  const runtimeFlags = startTask().args.filter((arg) => arg.startsWith("--"));
  // The code cache would be a file of a known name in /tmp that anybody may have put there; the
  // chunks are few and small enough without it.
  const fixed = ["--no-config", "--no-check", "--no-code-cache", "--quiet"];
  // The start task gives some of them as well.
  const flags = new Set([...fixed, ...runtimeFlags]);
  const cross = target === Deno.build.target ? [] : ["--target", target];
  const inside = ["--include", `${BUILD}/program`];
  return ["compile", ...flags, ...cross, ...inside, "--output", output];
}

/** The commit that is checked out, marked when the tree differs from it. */
async function currentCommit(): Promise<string> {
  const commit = await git("rev-parse", "--short=12", "HEAD");
  if (commit === undefined) return "unknown commit";
  return await git("status", "--porcelain") === "" ? commit : `${commit}-modified`;
}

/** A base of another version than the compiler makes files that do not even start. */
async function tryOut(output: string, commit: string): Promise<void> {
  const command = new Deno.Command(new URL(output, ROOT), { args: ["version", "--json"] });
  const { success, stdout, stderr } = await command.output();
  const said = new TextDecoder().decode(success ? stdout : stderr).trim();
  if (success && JSON.parse(said).commit === commit) return;
  const base = Deno.env.get("DENORT_BIN");
  const hint = base === undefined
    ? ""
    : `; DENORT_BIN=${base} must be the runtime of Deno ${Deno.version.deno}, which compiles`;
  throw new Error(`${output} does not run${hint}:\n${said}`);
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** What came out, for the log of a build. */
export async function report({ output, target, commit, bundle }: Compiled): Promise<string> {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  const { size } = await Deno.stat(new URL(output, ROOT));
  const program = await Promise.all(
    bundle.files.map(async (file) =>
      (await Deno.stat(new URL(`${BUILD}/program/${file}`, ROOT))).size
    ),
  );
  return [
    `${output}: ${megabytes(size)} for ${target}, ${commit}`,
    `  program: ${megabytes(program.reduce((sum, each) => sum + each, 0))} in ` +
    `${program.length} files, from ${bundle.modules.length} modules`,
    `  npm packages inside: ${bundle.packages.map(idOf).join(", ")}`,
  ].join("\n");
}

if (import.meta.main) {
  await runTask("compile", ["target", "output", "commit"], async (given) => {
    const [target, output, commit] = [given.target?.[0], given.output?.[0], given.commit?.[0]];
    console.log(await report(await compile({ target, output, commit })));
  });
}
