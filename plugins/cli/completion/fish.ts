import type { CompletedCommand } from "./words.ts";

export function fishScript(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const lines = [
    "# fish completion of kafscale, for ~/.config/fish/completions/kafscale.fish",
    "complete -c kafscale -f",
    `set -l commands ${names} help`,
  ];
  const first = '-n "not __fish_seen_subcommand_from $commands"';
  for (const { name, summary } of commands) {
    lines.push(`complete -c kafscale ${first} -a ${name} -d ${quoted(summary)}`);
  }
  lines.push(`complete -c kafscale ${first} -l version -d 'Print the version'`);
  lines.push(`complete -c kafscale ${first} -a help -d 'Show the help of a command'`);
  lines.push(`complete -c kafscale -n "__fish_seen_subcommand_from help" -a ${quoted(names)}`);
  for (const { name, actions, flags } of commands) {
    const seen = `-n "__fish_seen_subcommand_from ${name}"`;
    if (actions.length > 0) {
      const none = `; and not __fish_seen_subcommand_from ${actions.join(" ")}`;
      lines.push(
        `complete -c kafscale -n "__fish_seen_subcommand_from ${name}${none}" -a ${
          quoted(actions.join(" "))
        }`,
      );
    }
    for (const { name: flag, short, takesValue, takesFile, doc } of flags) {
      const value = takesFile ? " -r -F" : takesValue ? " -x" : "";
      const letter = short === undefined ? "" : ` -s ${short}`;
      lines.push(`complete -c kafscale ${seen} -l ${flag}${letter}${value} -d ${quoted(doc)}`);
    }
  }
  return lines.join("\n") + "\n";
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&")}'`;
}
