/** Runs a bench as `deno run` does, in a process of its own. */
import { assertEquals } from "@std/assert";

const REPO = new URL("../../", import.meta.url).pathname;

/** What it prints; it must end as `wanted`. */
export async function runBench(
  script: string,
  args: readonly string[],
  wanted = 0,
): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", script, ...args],
    cwd: REPO,
    stdout: "piped",
    stderr: "piped",
  }).output();
  assertEquals(code, wanted, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
