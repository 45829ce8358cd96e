/** Help texts, made from the command table and the settings table. */
import { envName, flagName, type Setting, SETTING_KEYS, SETTINGS } from "../../core/config/mod.ts";
import { flagsOf } from "./arguments.ts";
import type { Command, Flag } from "./command.ts";

const WIDTH = 96;

/** `kafscale --help`. */
export function overview(
  commands: Iterable<readonly [string, { readonly summary: string }]>,
): string {
  return [
    "KafScale: a Kafka-compatible broker whose log lives in object storage.",
    "",
    "Usage: kafscale COMMAND [arguments] [flags]",
    "",
    "Commands:",
    ...[...commands].map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`),
    "",
    "`kafscale COMMAND --help` tells more. Exit codes: 0 done; 1 it failed, or a setting is wrong;",
    "2 the command line is wrong; 130 interrupted.",
  ].join("\n");
}

/** `kafscale COMMAND --help`. */
export function commandHelp(command: Command): string {
  const lines = [`Usage: kafscale ${command.usage}`, "", ...wrap(command.summary, 0)];
  for (const paragraph of command.details ?? []) lines.push("", ...wrap(paragraph, 0));
  lines.push("", "Flags:", ...flagsOf(command).flatMap(flagLines));
  if (command.takesSettings) {
    lines.push(
      "",
      "Settings (flag > environment > file > default; sizes may be written like 64MiB):",
      ...SETTING_KEYS.flatMap(settingLines),
    );
  }
  if (command.examples.length > 0) {
    lines.push("", "Examples:", ...command.examples.map((example) => `  ${example}`));
  }
  return lines.join("\n");
}

function flagLines(flag: Flag): string[] {
  const name = `${flag.short === undefined ? "   " : `-${flag.short},`} --${flag.name}`;
  const value = flag.kind === "switch" ? "" : ` ${flag.value ?? "VALUE"}`;
  return entry(`${name}${value}`, flag.doc);
}

function settingLines(key: keyof typeof SETTINGS): string[] {
  const setting: Setting = SETTINGS[key];
  const shown = setting.default === null ? "" : ` Default ${setting.kind.show(setting.default)}.`;
  return entry(`--${flagName(key)}`, `${setting.doc}${shown} [${envName(key)}]`);
}

function entry(left: string, text: string): string[] {
  const body = wrap(text, 34);
  if (left.length > 30) return [`  ${left}`, ...body];
  return [`  ${left}`.padEnd(34) + body[0]!.slice(34), ...body.slice(1)];
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((each) => " ".repeat(indent) + each);
}
