/** The page's commands: what a shell would make of them. */
import type { Tool } from "../java/tools.ts";

export interface PageCommand {
  /** The page's sentence about it. */
  readonly about: string;
  /** `kafka-topics.sh` is `topics`; `kafka-run-class` has none. */
  readonly tool: Tool | undefined;
  readonly args: readonly string[];
}

/** Reads comments and commands; `<name>` stands for the value that `values` has for it. */
export function pageCommands(text: string, values: Readonly<Record<string, string>>) {
  const commands: PageCommand[] = [];
  let about = "";
  for (const line of text.replaceAll("\\\n", " ").split("\n")) {
    if (line.startsWith("#")) about = line.slice(2);
    else if (line.trim() !== "") commands.push({ about, ...command(line, values) });
  }
  return commands;
}

function command(line: string, values: Readonly<Record<string, string>>) {
  const filled = line.replaceAll(/<([a-z-]+)>/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for ${whole} in: ${line}`);
    return value;
  });
  const [program, ...args] = filled.replaceAll('"', "").split(/\s+/).filter((word) => word !== "");
  const tool = /^kafka-([a-z-]+)\.sh$/.exec(program!)?.[1] as Tool | undefined;
  return { tool, args };
}
