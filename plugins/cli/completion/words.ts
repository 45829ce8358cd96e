/** What can stand on a command line, as the scripts of all shells need it. */
import { type Command, type Flag } from "../command.ts";
import { flagName, type Setting, SETTING_KEYS, SETTINGS } from "../../../core/config/mod.ts";

export interface CompletedFlag {
  readonly name: string;
  readonly short?: string | undefined;
  readonly takesValue: boolean;
  /** Its value is a file's name. */
  readonly takesFile: boolean;
  /** One line. */
  readonly doc: string;
}

export interface CompletedCommand {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly actions: readonly string[];
  readonly flags: readonly CompletedFlag[];
}

/** One command with all its flags, those of the settings included. */
export function completedCommand(
  name: string,
  summary: string,
  command: Command,
  flags: readonly Flag[],
): CompletedCommand {
  const own = flags.map(({ name, short, kind, value, doc }) => ({
    name,
    short,
    takesValue: kind !== "switch",
    takesFile: value === "FILE",
    doc: firstSentence(doc),
  }));
  const settings = command.takesSettings
    ? SETTING_KEYS.map((key) => {
      const { kind, doc }: Setting = SETTINGS[key];
      const takesValue = kind.type !== "boolean";
      return { name: flagName(key), takesValue, takesFile: false, doc: firstSentence(doc) };
    })
    : [];
  return {
    name,
    summary: firstSentence(summary),
    actions: command.actions ?? [],
    flags: [...own, ...settings],
  };
}

/** Without its period; completions have room for little. */
function firstSentence(text: string): string {
  return /^(.*?)\.(?:\s|$)/s.exec(text)?.[1]?.replaceAll("\n", " ") ?? text;
}
