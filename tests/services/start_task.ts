/** How `deno task start` runs a broker, for whoever runs one as a child: from deno.json itself. */

export interface StartCommand {
  readonly env: Readonly<Record<string, string>>;
  /** Arguments of the deno executable, `start` last. */
  readonly args: readonly string[];
}

const CONFIG = new URL("../../deno.json", import.meta.url);

/** The words of the task: assignments first, as in a shell, then the command. */
export function startTask(): StartCommand {
  const { command } = JSON.parse(Deno.readTextFileSync(CONFIG)).tasks.start;
  const words: string[] = command.split(" ");
  const env: Record<string, string> = {};
  while (/^\w+=/.test(words[0] ?? "")) {
    const [name, value] = words.shift()!.split("=");
    env[name!] = value!;
  }
  if (words.shift() !== "deno") throw new Error("the start task does not run deno");
  return { env, args: words };
}
