/** Runs a bench as `deno run` does, in a process of its own. */
import { assert } from "@std/assert";

const REPO = new URL("../../", import.meta.url).pathname;

/** What it prints; it must succeed. */
export async function runBench(script: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", script, ...args],
    cwd: REPO,
    stdout: "piped",
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
