/**
 * cli: the commands for people (`kafscale COMMAND`), each in a file of its own, loaded when used.
 * Invariant: every flag is declared; an unknown one is refused; errors are sentences, never stacks.
 * Upstream: core. Downstream: main.ts.
 * May import: core. Never drivers: main.ts hands them over as `Wiring`.
 * @module
 */
import { suggest } from "../../core/config/mod.ts";
import { parseArguments } from "./arguments.ts";
import { CliError, type Command, EXIT, UsageError, type Wiring } from "./command.ts";
import { commandHelp, overview } from "./help.ts";

export type { ProcessBroker, ProcessBrokers, Wiring } from "./command.ts";

interface Entry {
  readonly summary: string;
  load(): Promise<{ readonly command: Command }>;
}

/** Every command, in the order of the help. */
export const COMMANDS: ReadonlyMap<string, Entry> = new Map<string, Entry>([
  ["start", { summary: "Run a broker.", load: () => import("./start.ts") }],
  ["config", {
    summary: "Show the effective settings and where each came from.",
    load: () => import("./show_config.ts"),
  }],
  ["topics", {
    summary: "List, create, describe and delete topics.",
    load: () => import("./topics.ts"),
  }],
  ["configs", {
    summary: "Show and change the configs of topics, brokers and groups.",
    load: () => import("./configs.ts"),
  }],
  ["groups", {
    summary: "Show consumer groups and their lag, move their offsets.",
    load: () => import("./groups.ts"),
  }],
  ["produce", {
    summary: "Send lines of standard input as records.",
    load: () => import("./produce.ts"),
  }],
  ["consume", { summary: "Print the records of a topic.", load: () => import("./consume.ts") }],
  ["bench", {
    summary: "Measure a broker, or two side by side.",
    load: () => import("./bench.ts"),
  }],
  ["top", {
    summary: "A live view of rates, lag, store health, commit latency and cost.",
    load: () => import("./top.ts"),
  }],
  ["drain", {
    summary: "Let a broker give its leadership to the others.",
    load: () => import("./drain.ts"),
  }],
  ["snapshot", {
    summary: "Copy metadata to the bucket, and back.",
    load: () => import("./snapshot.ts"),
  }],
  ["probe", {
    summary: "Check and measure the object store that the settings name.",
    load: () => import("./probe.ts"),
  }],
  ["dump", { summary: "Print any stored object in full.", load: () => import("./dump.ts") }],
  ["fsck", {
    summary: "Check a bucket and its metadata; delete what nobody needs.",
    load: () => import("./fsck.ts"),
  }],
  ["completion", {
    summary: "Print a script that completes command lines.",
    load: () => import("./completion.ts"),
  }],
  ["version", { summary: "Print the version.", load: () => import("./version.ts") }],
]);

/** Runs one command line; returns the exit code. */
export async function runCli(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  wiring: Wiring,
): Promise<number> {
  const [name, ...rest] = argv;
  try {
    if (name === undefined || name === "help" || name === "--help" || name === "-h") {
      const about = name === "help" ? rest[0] : undefined;
      console.log(about === undefined ? overview(COMMANDS) : commandHelp(await load(about)));
      return name === undefined ? EXIT.usage : EXIT.ok;
    }
    const command = await load(name === "--version" ? "version" : name);
    const args = parseArguments(command, rest);
    if (args.on("help")) {
      console.log(commandHelp(command));
      return EXIT.ok;
    }
    return await command.run({ args, env, wiring });
  } catch (error) {
    return report(error, name, env);
  }
}

async function load(name: string): Promise<Command> {
  const entry = COMMANDS.get(name);
  if (entry === undefined) {
    const hint = suggest(name, COMMANDS.keys()) || "; see --help";
    throw new UsageError(`unknown command ${name}${hint}`);
  }
  return (await entry.load()).command;
}

/** One sentence on stderr; the stack only where somebody debugs. */
function report(error: unknown, name: string | undefined, env: Record<string, string>): number {
  const known = COMMANDS.has(name ?? "") ? ` ${name}` : "";
  const message = error instanceof Error ? error.message : String(error);
  for (const line of message.split("\n")) console.error(`kafscale${known}: ${line}`);
  if (env.KAFSCALE_LOG_LEVEL === "debug" && error instanceof Error) console.error(error.stack);
  return error instanceof CliError ? error.exitCode : EXIT.failed;
}
