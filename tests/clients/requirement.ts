/**
 * Whether a tool that a suite needs is on this machine. In CI (CI=true) everything must be: there a
 * missing tool fails the test instead of skipping it.
 */

/** True when every command is on PATH; else false, said loudly, or an exception in CI. */
export function haveTools(suite: string, ...commands: string[]): boolean {
  const missing = commands.filter((command) => !onPath(command));
  if (missing.length === 0) return true;
  const reason = `${suite}: SKIPPED, not on this machine: ${missing.join(", ")}`;
  if (Deno.env.get("CI") === "true") throw new Error(`${reason} (in CI they must be)`);
  console.warn(reason);
  return false;
}

function onPath(command: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((dir) => {
    try {
      return Deno.statSync(`${dir}/${command}`).isFile;
    } catch {
      return false;
    }
  });
}
