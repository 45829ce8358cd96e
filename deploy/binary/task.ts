/** The command lines of the build tasks. */
import { parseArgs } from "@std/cli/parse-args";

/** Runs a task with the values of its flags, lists of those given; errors become one sentence. */
export async function runTask(
  name: string,
  flags: readonly string[],
  run: (given: Readonly<Record<string, readonly string[]>>) => Promise<void>,
): Promise<void> {
  try {
    const known = [...flags];
    const parsed = parseArgs(Deno.args, {
      string: known,
      collect: known,
      unknown: (given) => {
        throw new Error(`unknown argument ${given}; known are --${flags.join(", --")}`);
      },
    });
    await run(Object.fromEntries(known.map((flag) => [flag, parsed[flag] as string[]])));
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
