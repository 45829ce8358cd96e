/**
 * The gate, `deno task ok`: format, lint with the house rules, types, generated files, tidiness.
 * Every step runs even when one before it failed, so that one run tells everything.
 */
import { generate } from "./generate.ts";
import { tidy } from "./tidy.ts";

const ROOT = new URL("../../", import.meta.url);

/** Not a name from PATH: the same Deno that runs the gate. */
async function deno(...args: string[]): Promise<string[]> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: ROOT });
  const { success, stdout, stderr } = await command.output();
  if (success) return [];
  const decoder = new TextDecoder();
  return [decoder.decode(stdout) + decoder.decode(stderr)];
}

const steps: Readonly<Record<string, () => Promise<string[]>>> = {
  "format (deno fmt repairs it)": () => deno("fmt", "--check"),
  "lint and house rules": () => deno("lint"),
  "types": () => deno("check", "--quiet", "."),
  "generated files (deno task generate writes them)": () => generate({ write: false }),
  "tidy": tidy,
};

let failed = 0;
for (const [name, run] of Object.entries(steps)) {
  const started = performance.now();
  const problems = await run();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${problems.length === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  for (const problem of problems) console.log(problem.trimEnd());
  if (problems.length > 0) failed++;
}
if (failed > 0) Deno.exit(1);
