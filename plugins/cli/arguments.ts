/** Command lines: known flags and settings; all else is an error with the nearest name. */
import { parseArgs } from "@std/cli/parse-args";
import { flagName, type Setting, SETTING_KEYS, SETTINGS, suggest } from "../../core/config/mod.ts";
import { type Command, type Flag, UsageError } from "./command.ts";

const HELP: Flag = { name: "help", short: "h", kind: "switch", doc: "Show this help." };

/** Flags that go with the settings. */
export const SETTINGS_FLAGS: readonly Flag[] = [
  {
    name: "config",
    kind: "text",
    value: "FILE",
    doc: "Read settings from a JSON file (also KAFSCALE_CONFIG).",
  },
];

/** All flags of a command but the settings. */
export function flagsOf(command: Command): readonly Flag[] {
  return [...command.flags, ...(command.takesSettings ? SETTINGS_FLAGS : []), HELP];
}

/** A parsed command line. */
export class ParsedArguments {
  constructor(
    readonly positionals: readonly string[],
    /** Given settings by flag name. */
    readonly settings: Readonly<Record<string, string>>,
    readonly values: ReadonlyMap<string, unknown>,
  ) {}

  on(name: string): boolean {
    return this.values.get(name) === true;
  }

  text(name: string): string | undefined {
    return this.values.get(name) as string | undefined;
  }

  list(name: string): readonly string[] {
    return (this.values.get(name) ?? []) as string[];
  }

  /** A whole number of at least `min`. */
  whole(name: string, min = 0): number | undefined {
    const given = this.text(name);
    if (given === undefined) return undefined;
    const value = Number(given);
    if (!/^-?\d+$/.test(given) || !Number.isSafeInteger(value) || value < min) {
      throw new UsageError(`--${name} must be a whole number of at least ${min}; got "${given}"`);
    }
    return value;
  }

  /** The only positional argument. */
  only(what: string): string {
    this.atMost(1);
    const first = this.positionals[0];
    if (first === undefined) throw new UsageError(`${what} is missing`);
    return first;
  }

  atMost(count: number): void {
    const extra = this.positionals[count];
    if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`);
  }
}

/** Reads `args` (without the command's name). */
export function parseArguments(command: Command, args: readonly string[]): ParsedArguments {
  const flags = flagsOf(command);
  const settings = command.takesSettings ? SETTING_KEYS.map(flagName) : [];
  const known = new Set([...flags.map((flag) => flag.name), ...settings]);
  const short = new Map(flags.flatMap((flag) => flag.short ? [[flag.short, flag.name]] : []));
  const parsed = parseArgs(negativeNumbers(flags, bareBooleans(command, args)), {
    boolean: flags.filter((flag) => flag.kind === "switch").map((flag) => flag.name),
    string: [
      ...flags.filter((flag) => flag.kind !== "switch").map((flag) => flag.name),
      ...settings,
      "_",
    ],
    collect: flags.filter((flag) => flag.kind === "list").map((flag) => flag.name),
    alias: Object.fromEntries(short),
    unknown: (given, key) => {
      if (key === undefined || given === "-") return true;
      const names = [...known].map((name) => `--${name}`);
      throw new UsageError(`unknown flag ${given}${suggest(given, names) || "; see --help"}`);
    },
  });
  const values = new Map<string, unknown>();
  for (const flag of flags) {
    const value = parsed[flag.name];
    if (value === "") throw new UsageError(`--${flag.name} needs a value`);
    if (value !== undefined) values.set(flag.name, value);
  }
  const given: Record<string, string> = {};
  for (const name of settings) {
    const value = parsed[name];
    if (value === "") throw new UsageError(`--${name} needs a value`);
    if (typeof value === "string") given[name] = value;
  }
  return new ParsedArguments(parsed._.map(String), given, values);
}

/** A boolean setting may be given without a value: `--auto-create-topics`. */
function bareBooleans(command: Command, args: readonly string[]): string[] {
  if (!command.takesSettings) return [...args];
  const booleans = new Set(
    SETTING_KEYS.filter((key) => (SETTINGS[key] as Setting).kind.type === "boolean")
      .map((key) => `--${flagName(key)}`),
  );
  return args.map((arg, index) => {
    const next = args[index + 1];
    const bare = booleans.has(arg) && (next === undefined || next.startsWith("-"));
    return bare ? `${arg}=true` : arg;
  });
}

/** A number with a minus behind a flag that takes a value is its value: `--shift-by -5`. */
function negativeNumbers(flags: readonly Flag[], args: readonly string[]): string[] {
  const taking = new Set(
    flags.filter(({ kind }) => kind !== "switch").map(({ name }) => `--${name}`),
  );
  const joined: string[] = [];
  for (const arg of args) {
    const last = joined.at(-1);
    if (last !== undefined && taking.has(last) && /^-\d+$/.test(arg)) {
      joined[joined.length - 1] = `${last}=${arg}`;
    } else joined.push(arg);
  }
  return joined;
}
